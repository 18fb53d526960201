"""Addresses of servers and storages: why one cannot be used."""

from __future__ import annotations

from urllib.parse import urlsplit

NEO4J_SCHEMES = ("neo4j", "neo4j+s", "neo4j+ssc", "bolt", "bolt+s", "bolt+ssc")
STORAGE_SCHEMES = ("s3", "gs", "az")


def address_problem(uri: str) -> str | None:
    """Why Neo4j's driver cannot use an address, None where it can; the address is not repeated.

    >>> address_problem("bolt://localhost:x")
    'its port is not a number'
    """
    scheme, separator, server = uri.partition("://")
    known = ", ".join(f"{name}://" for name in NEO4J_SCHEMES)
    if not separator:
        return f"it has no scheme; it has to begin with one of {known}"
    if scheme.lower() not in NEO4J_SCHEMES:
        return f"the scheme {scheme}:// is not Neo4j's; it has to begin with one of {known}"
    if "@" in urlsplit(f"//{server}").netloc:
        return (
            "it holds a user; that and the password belong into NEO4J_USERNAME and NEO4J_PASSWORD"
        )
    try:
        _ = urlsplit(f"//{server}").port
    except ValueError:
        return "its port is not a number"
    return None


def uri_problem(uri: str) -> str | None:
    """Why an address cannot be C360_DATA_URI, None where it can; the address is not repeated.

    >>> uri_problem("ftp://somewhere")
    'it has to begin with one of file:///, s3://, gs://, az://'
    >>> uri_problem("s3://bucket/prefix")
    """
    parts = urlsplit(uri)
    if parts.scheme == "file":
        return None if parts.path and not parts.netloc else "a file:// URI has to be file:///path"
    if parts.scheme not in STORAGE_SCHEMES:
        schemes = ", ".join(("file:///", *(f"{scheme}://" for scheme in STORAGE_SCHEMES)))
        return f"it has to begin with one of {schemes}"
    if not parts.netloc:
        return "it names no bucket"
    if "@" in parts.netloc or parts.query:
        return "it may hold no keys; they belong into the environment"
    return None
