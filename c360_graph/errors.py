"""Every error this project raises on purpose.

::

    C360Error
    ├── SettingsError            a setting is missing or cannot be used
    ├── ControlDatabaseError     the control database cannot be reached or lacks its tables
    │   └── ControlDatabaseUnavailableError   it cannot be reached just now, although it was tried again
    ├── MappingError             control rows that cannot be honoured, each with its reason
    ├── SourceError              a source database refused, vanished or holds what cannot be read
    │   └── SourceUnavailableError   it cannot be reached just now; another try may succeed
    ├── ExtractError             an extract is missing or damaged
    ├── ScriptError              a script cannot be written, found or read
    ├── GraphError               Neo4j refused or the graph is not in the state that was asked for
    │   ├── GraphUnavailableError    Neo4j cannot be reached just now; another try may succeed
    │   ├── StatementError       one statement of a script failed; says which and how far the load came
    │   ├── GraphNotEmptyError   a load that needs an empty graph met one that is not
    │   └── CountMismatchError   the graph holds other counts than were extracted
    ├── LoadLockedError          another load of the same target is under way
    └── SandboxError             the sandbox servers cannot be set up, started or stopped

A message says what happened, where (control table and row id, table, statement number, key) and
what to do next. Passwords, hash keys and values of excluded columns are never part of one.
"""


class C360Error(Exception):
    """Root of the tree; catching it catches everything the project raises on purpose."""


class SettingsError(C360Error):
    """A setting is missing or cannot be used."""


class ControlDatabaseError(C360Error):
    """The control database cannot be reached or lacks its tables."""


class ControlDatabaseUnavailableError(ControlDatabaseError):
    """The control database cannot be reached just now, although it was tried again."""


class MappingError(C360Error):
    """Control rows cannot be honoured."""


class SourceError(C360Error):
    """A source database refused, vanished or holds what cannot be read."""


class SourceUnavailableError(SourceError):
    """A source cannot be reached just now, or left in the middle; another try may succeed."""


class ExtractError(C360Error):
    """An extract is missing or damaged."""


class ScriptError(C360Error):
    """A script cannot be written, found or read."""


class GraphError(C360Error):
    """Neo4j refused, or the graph is not in the state that was asked for."""


class GraphUnavailableError(GraphError):
    """Neo4j cannot be reached just now; another try may succeed."""


class StatementError(GraphError):
    """One statement of a script failed; the message says which, and how far the load came."""


class GraphNotEmptyError(GraphError):
    """A load that needs an empty graph met one that is not."""


class CountMismatchError(GraphError):
    """The graph holds other counts than were extracted."""


class LoadLockedError(C360Error):
    """Another load of the same target is under way."""


class SandboxError(C360Error):
    """The sandbox servers cannot be set up, started or stopped."""
