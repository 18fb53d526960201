"""Where the server listens, whom it knows, and how often they may ask."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from c360_graph.control.api_clients import ClientRow
from c360_graph.errors import SettingsError
from c360_graph.serve.answering import chosen_format
from c360_graph.serve.clients import Client, Clients, key_hash
from c360_graph.serve.limits import SharedBuckets, TokenBucket
from c360_graph.serve.server import bind
from c360_graph.serve.service import Reply, ResponseCache
from c360_graph.serve.values import Problem
from c360_graph.settings import Settings

NOW = datetime.now(UTC)


def row(key: str = "key", **values: Any) -> ClientRow:
    given: dict[str, Any] = {
        "client_id": 1,
        "client_name": "crm",
        "key_hash": key_hash(key),
        "labels": None,
        "answers": None,
        "unmasked": False,
        "rate_per_minute": None,
        "created_at": NOW,
        "expires_at": None,
        "revoked_at": None,
    }
    return ClientRow(**(given | values))


BEYOND = ("0.0.0.0", "::", "10.0.0.1", "example.com", "localhost.evil.example")  # noqa: S104


@pytest.mark.parametrize("host", BEYOND)
def test_nothing_beyond_loopback_is_served_before_somebody_has_a_key(host: str) -> None:
    with pytest.raises(SettingsError, match="key create"):
        bind(host, (), Settings(_env_file=None), unmasked=False)
    with pytest.raises(SettingsError):
        bind(host, (row(revoked_at=NOW),), Settings(_env_file=None), unmasked=False)
    assert not bind(host, (row(),), Settings(_env_file=None), unmasked=False).is_open


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "127.8.9.1"])
def test_loopback_is_open_until_there_is_a_key(host: str) -> None:
    assert bind(host, (), Settings(_env_file=None), unmasked=False).is_open
    assert not bind(host, (row(revoked_at=NOW),), Settings(_env_file=None), unmasked=False).is_open


def test_a_key_is_valid_until_it_expires_or_is_revoked() -> None:
    clients = Clients(anonymous=Client(name="anonymous"), rate_per_minute=9)
    assert clients.identify(None).name == "anonymous"
    clients.replace(
        [
            row("good", labels=("Plan",), expires_at=NOW + timedelta(days=1)),
            row("old", expires_at=NOW - timedelta(seconds=1)),
            row("gone", revoked_at=NOW),
        ]
    )
    client = clients.identify("good")
    assert (client.sees("Plan"), client.sees("Account"), client.rate_per_minute) == (True, False, 9)
    for key in ("old", "gone", "", "no", "\ud800", None):
        with pytest.raises(Problem) as refused:
            clients.identify(key)
        assert refused.value.status == 401


def test_a_bucket_lets_as_many_through_as_its_rate() -> None:
    bucket = TokenBucket(rate=60, left=60.0, at=0.0)
    assert sum(bucket.take(0.0) == 0 for _ in range(100)) == 60
    assert 0 < bucket.take(0.0) <= 1
    assert sum(bucket.take(1.0 + second) == 0 for second in range(10)) == 10


def test_workers_share_buckets_and_the_place_of_one_that_is_not_used_is_given_to_another() -> None:
    shared = SharedBuckets(slots=2)
    workers = [shared, shared]
    taken = [workers[number % 2].take("crm", 60) == 0 for number in range(100)]
    assert 60 <= sum(taken) <= 62
    assert shared.take("board", 60) == 0
    assert shared.take("crm", 60) > 0
    # A third client takes the place of the one that asked least lately.
    assert shared.take("third", 60) == 0
    assert shared.take("crm", 60) > 0


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, "application/json"),
        ("text/csv", "text/csv"),
        ("text/*, application/json;q=0.9", "text/csv"),
        (
            "application/vnd.apache.arrow.stream;q=0.2, */*;q=0.1",
            "application/vnd.apache.arrow.stream",
        ),
        ("application/json;q=0, */*", "text/csv"),
    ],
)
def test_the_format_is_the_one_that_the_client_wants_most(accept: str | None, chosen: str) -> None:
    assert chosen_format(accept) == chosen


@pytest.mark.parametrize("accept", ["text/html", "*/*;q=0", "a;q=x", ","])
def test_a_format_that_there_is_not_is_refused(accept: str) -> None:
    with pytest.raises(Problem) as refused:
        chosen_format(accept)
    assert refused.value.status == 406


def test_the_cache_forgets_what_was_not_used_for_longest() -> None:
    cache = ResponseCache(most_bytes=1_000, most_entries=3)
    for key in ("a", "b", "c", "d"):
        cache.put(key, Reply(body=b"x" * 10), version="1", rules="r")
        cache.get("a")
    assert [bool(cache.get(key)) for key in "abcd"] == [True, False, True, True]
    cache.put("large", Reply(body=b"x" * 500), version="1", rules="r")
    assert cache.get("large") is None
