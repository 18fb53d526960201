"""Files for `neo4j-admin database import full`: text of headers, values, arguments and the script that ends an import."""
