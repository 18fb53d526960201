"""The target: connection, lock, loading a script, and reconciling what it holds."""

import sys

# The driver imports pyarrow if it is there (extra `serve`), for types of Arrow that nothing here gives it:
# 36 MB in every process, and a good part of the time in which a command starts.
if "pyarrow" not in sys.modules:
    sys.modules["pyarrow"] = None  # type: ignore[assignment]
    import neo4j as neo4j

    del sys.modules["pyarrow"]
