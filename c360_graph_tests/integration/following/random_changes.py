"""Random changes of the sample's sources, by seed: transactions that commit, roll back, and do so in part."""

from __future__ import annotations

import random
import threading
import uuid
from collections.abc import Callable

import psycopg

from c360_graph_tests.conftest import Project

Change = Callable[[psycopg.Connection, random.Random], None]


def account(rng: random.Random) -> str:
    """One of a few accounts, so that sessions meet; most exist at some time."""
    return str(uuid.UUID(int=rng.randrange(1, 40)))


def email(rng: random.Random) -> str:
    return f"r{rng.randrange(60)}@example.org"


def _profiles(connection: psycopg.Connection, rng: random.Random) -> None:
    kind = rng.randrange(9)
    if kind < 2:
        connection.execute(
            "INSERT INTO accounts VALUES (%s, %s, 'x', %s, now()) ON CONFLICT (account_id) DO UPDATE"
            " SET email = excluded.email",
            (account(rng), email(rng), rng.choice([None, "A\tB", "back\\slash", "line\nend"])),
        )
    elif kind == 2:
        connection.execute(
            "UPDATE accounts SET account_id = %s WHERE account_id = %s",
            (account(rng), account(rng)),
        )
    elif kind == 3:
        connection.execute("DELETE FROM accounts WHERE account_id = %s", (account(rng),))
    elif kind == 4:
        connection.execute(
            "UPDATE accounts SET full_name = %s WHERE account_id = %s",
            (str(rng.random()), account(rng)),
        )
    elif kind == 5:
        connection.execute(
            "INSERT INTO payment_methods VALUES (%s, %s, %s, 'visa', '1234')"
            " ON CONFLICT (payment_method_id) DO UPDATE SET account_id = excluded.account_id",
            (account(rng), account(rng), str(rng.randrange(9))),
        )
    elif kind == 6:
        connection.execute("DELETE FROM payment_methods WHERE account_id = %s", (account(rng),))
    elif kind == 7:
        connection.execute(
            "INSERT INTO subscriptions VALUES (%s, %s, %s, 'active', now(), NULL)"
            " ON CONFLICT (subscription_id) DO UPDATE SET plan_id = excluded.plan_id",
            (account(rng), account(rng), rng.choice([1, 2, 3, None])),
        )
    else:
        connection.execute("DELETE FROM subscriptions WHERE subscription_id = %s", (account(rng),))


def _streaming(connection: psycopg.Connection, rng: random.Random) -> None:
    kind = rng.randrange(7)
    event = 9_000_000 + rng.randrange(200)
    media = f"r{rng.randrange(10)}"
    if kind < 3:
        connection.execute(
            "INSERT INTO play_events SELECT %s, 's', %s, (SELECT media_id FROM media_content"
            " WHERE media_id = %s), now(), 'play' ON CONFLICT (event_id) DO UPDATE"
            " SET account_id_from_token = excluded.account_id_from_token, media_id = excluded.media_id",
            (event, rng.choice([account(rng), None]), media),
        )
    elif kind == 3:
        connection.execute("DELETE FROM play_events WHERE event_id = %s", (event,))
    elif kind == 4:
        connection.execute(
            "INSERT INTO media_content VALUES (%s, 't') ON CONFLICT (media_id) DO UPDATE"
            " SET title = media_content.title || '!'",
            (media,),
        )
    elif kind == 5:
        connection.execute("DELETE FROM media_content WHERE media_id = %s", (media,))
    else:
        connection.execute(
            "UPDATE play_events SET event_id = event_id + 1000 WHERE event_id BETWEEN %s AND %s",
            (event, event + 3),
        )


def _support(connection: psycopg.Connection, rng: random.Random) -> None:
    kind = rng.randrange(8)
    ticket, tag = f"r{rng.randrange(20)}", 900 + rng.randrange(6)
    if kind < 2:
        connection.execute(
            "INSERT INTO tickets VALUES (%s, %s, NULL, 's', 'open', now(), NULL)"
            " ON CONFLICT (ticket_id) DO UPDATE SET customer_email = excluded.customer_email",
            (ticket, rng.choice([email(rng), None])),
        )
    elif kind == 2:
        connection.execute(
            "UPDATE tickets SET ticket_id = %s WHERE ticket_id = %s",
            (f"r{rng.randrange(20)}", ticket),
        )
    elif kind == 3:
        connection.execute("DELETE FROM tickets WHERE ticket_id = %s", (ticket,))
    elif kind == 4:
        connection.execute(
            "INSERT INTO ticket_tags VALUES (%s, %s) ON CONFLICT DO NOTHING",
            (tag, f"r{rng.random()}"),
        )
    elif kind == 5:
        connection.execute("DELETE FROM ticket_tags WHERE tag_id = %s", (tag,))
    elif kind == 6:
        connection.execute(
            "INSERT INTO ticket_tag_link VALUES (%s, %s) ON CONFLICT DO NOTHING", (ticket, tag)
        )
    else:
        connection.execute(
            "UPDATE ticket_tag_link SET tag_id = %s WHERE ticket_id = %s AND tag_id = %s",
            (900 + rng.randrange(6), ticket, tag),
        )


CHANGES: dict[str, Change] = {
    "profiles_db": _profiles,
    "streaming_db": _streaming,
    "support_db": _support,
}
RARE = {
    "profiles_db": "TRUNCATE subscriptions",
    "streaming_db": "TRUNCATE play_events",
    "support_db": "TRUNCATE ticket_tag_link",
}


class _RolledBack(Exception):
    pass


def _transaction(connection: psycopg.Connection, source: str, rng: random.Random) -> None:
    """A transaction with savepoints; a third of them roll back."""
    try:
        with connection.transaction():
            for _ in range(rng.randrange(1, 5)):
                try:
                    with connection.transaction():
                        if rng.random() < 0.003:
                            connection.execute(RARE[source].encode())
                        CHANGES[source](connection, rng)
                        if rng.random() < 0.2:
                            raise _RolledBack
                except _RolledBack:
                    continue
            if rng.random() < 0.15:
                raise _RolledBack
    except (_RolledBack, psycopg.Error):
        return


def run_sessions(project: Project, *, seed: int, sessions: int, transactions: int) -> None:
    """Let sessions change the sources side by side, each source by so many."""

    def session(source: str, number: int) -> None:
        rng = random.Random(f"{seed} {source} {number}")
        with project.connect(source) as connection:
            for _ in range(transactions):
                _transaction(connection, source, rng)

    threads = [
        threading.Thread(target=session, args=(source, number))
        for source in CHANGES
        for number in range(sessions)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
