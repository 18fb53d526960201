// c360_graph {"format":1,"created":"2025-11-03T00:00:00+00:00","log_id":7,"rows":1,"labels":{"P`\\u0060) DETACH DELETE n //":1}}
// c360 {"kind":"manifest"}
CYPHER 5 MERGE (m:`_C360Load`) SET m.state = 'broken', m.content = '{"labels":{"P`\\\\u0060) DETACH DELETE n //":["_c360_table","i`d\\\\u0060","_","number","name"]},"keys":{"P`\\\\u0060) DETACH DELETE n //":["_c360_table","i`d\\\\u0060","number"]},"key_types":{"P`\\\\u0060) DETACH DELETE n //":["STRING","INTEGER","STRING"]},"table_keys":{"P`\\\\u0060) DETACH DELETE n //":{"h\'r`\\\\u0060/people":[["_c360_table","STRING"],["i`d\\\\u0060","INTEGER"]],"old/archive":[["_c360_table","STRING"],["number","STRING"]]}},"property_types":{"P`\\\\u0060) DETACH DELETE n //":{"number":"STRING","name":"STRING","i`d\\\\u0060":"INTEGER","_":"STRING"}},"origins":{},"extras":{},"value_labels":{},"edges":[["KNOWS`]->() //\\n","P`\\\\u0060) DETACH DELETE n //","P`\\\\u0060) DETACH DELETE n //"]],"edge_properties":{},"junction_properties":{},"edge_columns":{},"digests":{"h\'r`\\\\u0060/people":"","old/archive":"","KNOWS`]->() //\\n\\tP`\\\\u0060) DETACH DELETE n //\\tP`\\\\u0060) DETACH DELETE n //":"a3c61c049723c1976e0d977b5523798fb9ad992c9ddc12ac2df32e5c18b5241f"},"nodes":{},"relationships":{},"between":{},"others":{"labels":[],"properties":{},"edges":[],"surplus_nodes":{},"surplus_relationships":{}},"rules":"","refused":{},"excluded":{}}';
// c360 {"kind":"constraint","label":"P`\\u0060) DETACH DELETE n //","properties":["_c360_table","i`d\\u0060"]}
CYPHER 5 CREATE CONSTRAINT `c360_key_fecff4fc2d87851f` IF NOT EXISTS FOR (n:`P``\u005cu0060) DETACH DELETE n //`) REQUIRE (n.`_c360_table`, n.`i``d\u005cu0060`) IS UNIQUE;
// c360 {"kind":"constraint","label":"P`\\u0060) DETACH DELETE n //","properties":["_c360_table","number"]}
CYPHER 5 CREATE CONSTRAINT `c360_key_1326518b9c28ee07` IF NOT EXISTS FOR (n:`P``\u005cu0060) DETACH DELETE n //`) REQUIRE (n.`_c360_table`, n.`number`) IS UNIQUE;
// c360 {"kind":"nodes","table":"h'r`\\u0060/people","label":"P`\\u0060) DETACH DELETE n //","rows":1,"match":"(n:`P``\\u005cu0060) DETACH DELETE n //` {`_c360_table`: 'h\\'r`\\\\u0060/people', `i``d\\u005cu0060`: toInteger(row[0])})"}
CYPHER 5 UNWIND split('1	x', '\n') AS line WITH split(line, '\t') AS row
CREATE (:`P``\u005cu0060) DETACH DELETE n //` {`_c360_table`: 'h\'r`\\u0060/people', `i``d\u005cu0060`: toInteger(row[0]), `_`: nullIf(row[1], '\\N')});
// c360 {"kind":"index","label":"P`\\u0060) DETACH DELETE n //","properties":["i`d\\u0060"]}
CYPHER 5 CREATE INDEX `c360_index_1a65074cbaf43f44` IF NOT EXISTS FOR (n:`P``\u005cu0060) DETACH DELETE n //`) ON (n.`i``d\u005cu0060`);
// c360 {"kind":"await"}
CYPHER 5 CALL db.awaitIndexes(3600);
// c360 {"kind":"relationships","relationship_id":1,"type":"KNOWS`]->() //\n","from_label":"P`\\u0060) DETACH DELETE n //","to_label":"P`\\u0060) DETACH DELETE n //","driving":"P`\\u0060) DETACH DELETE n //"}
CYPHER 5 MATCH (row:`P``\u005cu0060) DETACH DELETE n //`) WHERE row.`_c360_table` IN ['h\'r`\\u0060/people']
CALL (row) { MATCH (a:`P``\u005cu0060) DETACH DELETE n //` {`i``d\u005cu0060`: row.`i``d\u005cu0060`}) WHERE a.`_c360_table` IN ['h\'r`\\u0060/people']
WITH row, a
CREATE (a)-[:`KNOWS``]->() //
`]->(row) } IN TRANSACTIONS OF 10000 ROWS;
// c360 {"kind":"manifest"}
CYPHER 5 MATCH (m:`_C360Load`) SET m.state = 'whole', m.loaded_at = datetime();
// c360_graph end 8
