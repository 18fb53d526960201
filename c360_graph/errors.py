"""Every error this project raises on purpose.

::

    C360Error
    ├── SettingsError            a setting is missing or cannot be used
    ├── ControlDatabaseError     the control database cannot be reached or lacks its tables
    │   └── ControlDatabaseUnavailableError   it could not be reached, although the connection was tried again
    ├── MappingError             refused control rows, each with its reason
    ├── SourceError              a source database refused, vanished or holds what cannot be read
    │   ├── SourceUnavailableError   it cannot be reached at the moment; another try may succeed
    │   └── ReplicationError     a source does not send its changes, or not what was asked for
    ├── DataFolderError          the data folder cannot be written
    │   └── ObjectStorageError   object storage cannot be reached, or refuses
    ├── ExtractError             an extract is missing or damaged
    ├── ScriptError              a script cannot be written, found or read
    ├── ImportFilesError         the files of an offline import cannot be written, or neo4j-admin fails
    ├── ExchangeError            a model of Neo4j's import tools cannot be read or written
    ├── GraphError               Neo4j refused or the graph is not in the state that was asked for
    │   ├── GraphUnavailableError    Neo4j cannot be reached at the moment; another try may succeed
    │   ├── GraphTimeoutError    Neo4j ended a statement that took too long
    │   ├── StatementError       one statement of a script failed; says which and how far the load came
    │   │   ├── StatementRefusedError    the server refused it, and would again
    │   │   └── ServerMemoryError    the server ran out of memory; a smaller transaction may succeed
    │   ├── GraphOwnedError      the graph belongs to another control database
    │   ├── GraphNotEmptyError   a load that needs an empty graph met one that is not
    │   └── CountMismatchError   the graph holds other counts than were extracted
    ├── MappingChangedError      a followed table or control row is not as it was mapped; map anew
    ├── FailedChecksError        everything ran, and asset checks failed
    ├── LoadLockedError          another load of the same target is under way
    └── SandboxError             the sandbox servers cannot be set up, started or stopped

A message says what happened, where (control table and row id, table, statement number, key) and
what to do next. Passwords, hash keys and values of excluded columns are never part of one.
Nor does a message hold characters that act on a terminal: names and keys come from databases.
"""

from c360_graph.text import visible


class C360Error(Exception):
    """Root of the tree; catching it catches everything the project raises on purpose."""

    def __str__(self) -> str:
        """The message, safe to print."""
        return visible(super().__str__())


class SettingsError(C360Error):
    """A setting is missing or cannot be used."""


class ControlDatabaseError(C360Error):
    """The control database cannot be reached or lacks its tables."""


class ControlDatabaseUnavailableError(ControlDatabaseError):
    """The control database could not be reached, although the connection was tried again."""


class MappingError(C360Error):
    """Control rows are refused."""


class SourceError(C360Error):
    """A source database refused, vanished or holds what cannot be read."""


class SourceUnavailableError(SourceError):
    """A source cannot be reached at the moment, or closed the connection; another try may succeed."""


class ReplicationError(SourceError):
    """A source does not send its changes, or sends what cannot be read."""


class DataFolderError(C360Error):
    """The data folder cannot be written: the disk is full, or the folder is not ours to write."""


class ObjectStorageError(DataFolderError):
    """Object storage cannot be reached, or refuses what is asked of it."""


class ExtractError(C360Error):
    """An extract is missing or damaged."""


class ScriptError(C360Error):
    """A script cannot be written, found or read."""


class ImportFilesError(C360Error):
    """The files of an offline import cannot be written, or neo4j-admin does not import them."""


class ExchangeError(C360Error):
    """A model of Neo4j's import tools cannot be read, or does not say what is needed."""


class GraphError(C360Error):
    """Neo4j refused, or the graph is not in the state that was asked for."""


class GraphUnavailableError(GraphError):
    """Neo4j cannot be reached at the moment; another try may succeed."""


class GraphTimeoutError(GraphError):
    """Neo4j ended a statement that ran longer than it may."""


class StatementError(GraphError):
    """One statement of a script failed; the message says which, and how far the load came."""


class StatementRefusedError(StatementError):
    """The server refused a statement, and would refuse it again."""


class ServerMemoryError(StatementError):
    """The server ran out of memory for one transaction; a smaller one may succeed."""


class GraphOwnedError(GraphError):
    """The graph is loaded from another control database, and nobody said that this one takes it over."""


class GraphNotEmptyError(GraphError):
    """A load that needs an empty graph met one that is not."""


class CountMismatchError(GraphError):
    """The graph holds other counts than were extracted."""


class MappingChangedError(C360Error):
    """A table that is followed, or a control row, is not as it was when it was mapped; it is mapped anew."""


class FailedChecksError(C360Error):
    """Every step of a run succeeded, and asset checks failed."""


class LoadLockedError(C360Error):
    """Another load of the same target is under way."""


class BrokerError(C360Error):
    """The broker of the workers cannot be reached."""


class SandboxError(C360Error):
    """The sandbox servers cannot be set up, started or stopped."""
