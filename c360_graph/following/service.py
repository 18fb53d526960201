"""Keeps a follower at work: begins anew after a lost connection, and stands by where another is at work."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from uuid import uuid4

from c360_graph.control.audit import FOLLOWER_PREFIX, Ending, RunLog
from c360_graph.control.connection import (
    RUN_PATIENCE_SECONDS,
    ControlDatabase,
    control_credentials,
)
from c360_graph.control.locks import follower_turn
from c360_graph.errors import (
    C360Error,
    ControlDatabaseUnavailableError,
    GraphUnavailableError,
    LoadLockedError,
    MappingChangedError,
    SourceUnavailableError,
    StatementError,
)
from c360_graph.following.follower import Follower
from c360_graph.following.given import Callbacks, Given, Stopped, TableMinutes
from c360_graph.graph.connection import target_graph
from c360_graph.settings import Settings

FIRST_WAIT, LONGEST_WAIT = 0.2, 15.0
_SETTLED_SECONDS = 30.0

_PASSING = (
    SourceUnavailableError,
    GraphUnavailableError,
    ControlDatabaseUnavailableError,
    LoadLockedError,
    # A server that kept failing may come back; what it refuses is found again, and said again.
    StatementError,
)


def follow(
    settings: Settings,
    *,
    stop: threading.Event,
    callbacks: Callbacks,
    max_removed_share: float = 0.3,
    release: bool = False,
) -> None:
    """Follow the sources until `stop` is set.

    Raises:
        C360Error: what trying again cannot help: a setting, a right, a graph of another control database.
    """
    begun_once = threading.Event()

    def following() -> None:
        begun_once.set()
        callbacks.following()

    told = replace(callbacks, following=following)
    wait = FIRST_WAIT
    while not stop.is_set():
        begun = time.monotonic()
        try:
            _follow_once(
                settings,
                stop=stop,
                callbacks=told,
                max_removed_share=max_removed_share,
                release=release and not begun_once.is_set(),
            )
        except Stopped:
            return
        except MappingChangedError as error:
            callbacks.say(f"{error} Everything is mapped anew.")
            wait = FIRST_WAIT
        except _PASSING as error:
            if time.monotonic() - begun > _SETTLED_SECONDS:
                wait = FIRST_WAIT
            callbacks.warn(f"{error} Tried again in {wait:.1f} s.")
            stop.wait(wait)
            wait = min(2 * wait, LONGEST_WAIT)


def _follow_once(
    settings: Settings,
    *,
    stop: threading.Event,
    callbacks: Callbacks,
    max_removed_share: float,
    release: bool,
) -> None:
    control = ControlDatabase(control_credentials(settings), patience_seconds=RUN_PATIENCE_SECONDS)

    def refuse_stopped() -> None:
        if stop.is_set():
            raise Stopped

    with (
        target_graph(settings) as graph,
        follower_turn(
            control,
            target=graph.server,
            identity=graph.identity(),
            waiting=callbacks.say,
            check=refuse_stopped,
        ) as turn,
    ):
        run_log = RunLog(control)
        with run_log.running(f"{FOLLOWER_PREFIX}{uuid4()}") as log_id:
            given = Given(
                graph=graph,
                control=control,
                settings=settings,
                log_id=log_id,
                minutes=TableMinutes(run_log, log_id),
                turn=turn,
                stop=stop,
                max_removed_share=max_removed_share,
                release=release,
                callbacks=callbacks,
            )
            _audited(lambda: Follower(given).run(), run_log, log_id)


def _audited(work: Callable[[], None], run_log: RunLog, log_id: int) -> None:
    ending: Ending = "failed"
    said: str | None = None
    try:
        work()
    except (Stopped, MappingChangedError) as error:
        ending, said = "completed", str(error) or None
        raise
    except C360Error as error:
        said = str(error)
        raise
    except BaseException:
        ending = "cancelled"
        raise
    finally:
        run_log.close_run(log_id, ending, said)
