"""Write <database>_sample_data.sql for the three source databases, beside this file.

    python sql/make_sample_data.py

The same bytes come out every time: only random.Random.random() is used, whose sequence for a seed
Python guarantees. The files are pure ASCII, so that no client's encoding can change a value.
"""

from __future__ import annotations

import string
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import TypeVar

SEED = 360
EVENT_COUNT = 400
LAST_MOMENT = datetime(2025, 11, 3, tzinfo=UTC)

T = TypeVar("T")
Value = str | int | Decimal | date | uuid.UUID | None
Row = tuple[Value, ...]


@dataclass(frozen=True)
class Table:
    name: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Person:
    name: str | None
    email: str
    created: str
    """When the account was made, in UTC."""
    plan: int | None = None
    status: str = "active"
    sessions: float = 1.0
    """How much this person watches, compared to others."""
    watches: tuple[int, int] = (0, 33)
    """The days of watching, counted from 1 October 2025: from the first, before the last."""
    extra_ip: str | None = None
    """An address that this person uses besides an own one."""
    extra_device: str | None = None


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


PLANS: tuple[Row, ...] = (
    (1, "Basic", Decimal("7.99"), 1),
    (2, "Standard", Decimal("12.99"), 2),
    (3, "Premium", Decimal("18.99"), 4),
    (4, 'Family "All In"', Decimal("22.50"), 6),
    (5, "Student's Choice", Decimal("0.00"), None),
)

# Two people who live together: one address and one television, but no card in common.
HOME_IP, HOME_TV = "198.51.100.77", "tv-7f3a-livingroom"
# Addresses of the fraud ring, one of each family.
RING_IP, RING_IP6, SECOND_RING_IP = "203.0.113.66", "2001:db8:bad::c0de", "203.0.113.99"
# The ring's second address is also what events of an account that does not exist came from.
GHOST_IP = "192.0.2.13"

# Their order is the order of the accounts; the fraud ring is told by email further down.
PEOPLE: tuple[Person, ...] = (
    Person("John Smith", "john.smith@email.com", "2023-05-14 09:26:53.589793", 3, sessions=9),
    Person("Conor O'Brien", "conor.obrien@email.com", "2024-01-31 23:59:59", 2),
    Person('Rosa "Rosie" Delgado', "rosa.delgado@email.com", "2024-02-29 12:00:00", 2, "Active"),
    Person(
        "Zoe\u0308 Mu\u0308ller",
        "zoe.mueller@email.com",
        "2025-10-03 00:00:00",
        1,
        "ACTIVE",
        watches=(3, 33),
    ),
    Person(
        "لَيْلَى حَدَّاد",
        "layla.haddad@email.com",
        "2025-10-03 00:00:00.000001",
        4,
        sessions=3,
        watches=(3, 33),
    ),
    Person("דוד לוי", "david.levi@email.com", "2024-12-03 00:00:00", 4, "Active", sessions=2),
    Person("山田 花子", "hanako.yamada@email.com", "2023-11-04 18:45:12", 3, sessions=4),
    Person("Max 🎬 Power", "max.power@email.com", "2025-03-09 02:30:00", 2, "ACTIVE", sessions=2),
    Person("CORP\\new\\user", "corp.user@email.com", "2025-06-30 23:00:00", 1),
    Person(
        "Ends With A Backslash\\", "ends.backslash@email.com", "2025-08-31 07:07:07", 1, "paused"
    ),
    Person("\\N", "null.island@email.com", "2025-01-15 15:15:15", 2, "Cancelled", watches=(0, 3)),
    Person("\\u0041da Lovelace", "ada.lovelace@email.com", "2023-12-10 08:00:00", 3, sessions=3),
    Person(
        "Tab\tStop", "tab.stop@email.com", "2024-07-01 10:10:10", 1, "cancelled", watches=(0, 2)
    ),
    Person("Two\nLines", "two.lines@email.com", "2024-09-17 21:00:00", 2, "active"),
    Person(
        "Robert'); DROP TABLE accounts;--",
        "bobby.tables@email.com",
        "2024-10-05 13:37:00",
        1,
        "Paused",
    ),
    Person(None, "no.name@email.com", "2025-10-29 05:00:00", 5, sessions=0.5, watches=(29, 33)),
    Person("", "empty.name@email.com", "2025-09-03 00:00:00", 1, "Active", sessions=0.5),
    Person(
        "Mia Rossi",
        "mia.rossi@email.com",
        "2024-04-20 19:30:00",
        4,
        "active",
        3,
        (0, 33),
        HOME_IP,
        HOME_TV,
    ),
    Person(
        "Luca Rossi",
        "luca.rossi@email.com",
        "2024-04-21 19:30:00",
        1,
        "Active",
        2,
        (0, 33),
        HOME_IP,
        HOME_TV,
    ),
    Person("Silent Sam", "silent.sam@email.com", "2024-05-05 05:05:05", 2, "active", 0),
    Person("Gone Gwen", "gone.gwen@email.com", "2024-06-06 06:06:06", 3, "Active", 0),
    Person("Edge Eddie", "edge.eddie@email.com", "2024-08-08 08:08:08", 1, "ACTIVE", 0),
    Person("Brink Bella", "brink.bella@email.com", "2024-08-09 08:08:08", 1, "active", 0),
    Person("Early Earl", "early.earl@email.com", "2025-02-14 14:14:14", 2, "Active", 0.6, (3, 9)),
    Person("Never Subscribed", "never.subscribed@email.com", "2025-05-01 00:00:00", None),
    Person("Browsing Only", "browsing.only@email.com", "2025-07-04 16:00:00", None, sessions=0),
    # The fraud ring and those who only look like it.
    Person("Hank Stolen", "hank.stolen@email.com", "2023-08-23 11:00:00", 3, sessions=1.5),
    Person("Rita Ring", "rita.ring@email.com", "2025-09-20 01:00:00", 4, extra_ip=RING_IP),
    Person("Rob Ring", "rob.ring@email.com", "2025-09-20 01:05:00", 4, extra_ip=RING_IP),
    Person("Ray Ring", "ray.ring@email.com", "2025-09-21 02:00:00", 3, extra_ip=RING_IP6),
    Person("Card Only", "card.only@email.com", "2025-09-22 03:00:00", 3),
    Person("Card And Ghost", "card.ghost@email.com", "2025-09-22 03:30:00", 1, extra_ip=GHOST_IP),
    Person("Card No Events", "card.noevents@email.com", "2025-09-23 04:00:00", 1, "Active", 0),
    Person("Ip Only", "ip.only@email.com", "2025-09-24 05:00:00", 2, extra_ip=RING_IP),
    Person("Ip And No Card", "ip.nocard@email.com", "2025-09-25 06:00:00", 2, extra_ip=RING_IP6),
    Person("Holly Hacked", "holly.hacked@email.com", "2023-10-31 10:31:00", 2, "Active"),
    Person(
        "Harry Hacked",
        "harry.hacked@email.com",
        "2023-10-30 10:30:00",
        2,
        "Cancelled",
        extra_ip=SECOND_RING_IP,
    ),
    Person("Rex Ring", "rex.ring@email.com", "2025-09-26 07:00:00", 4, extra_ip=SECOND_RING_IP),
    Person(
        "Innocent Ina", "innocent.ina@email.com", "2024-03-03 03:03:03", 1, extra_ip="192.0.2.200"
    ),
    Person(
        "Innocent Ivo", "innocent.ivo@email.com", "2024-03-04 04:04:04", 1, extra_ip="192.0.2.200"
    ),
)

# Cards that several accounts pay with, and cards without a fingerprint.
SHARED_CARDS: tuple[tuple[str, str | None], ...] = (
    ("hank.stolen@email.com", "fp_ring_7c1e9a"),
    ("rita.ring@email.com", "fp_ring_7c1e9a"),
    ("rob.ring@email.com", "fp_ring_7c1e9a"),
    ("rob.ring@email.com", "fp_ring_7c1e9a"),
    ("ray.ring@email.com", "fp_ring_7c1e9a"),
    ("card.only@email.com", "fp_ring_7c1e9a"),
    ("card.ghost@email.com", "fp_ring_7c1e9a"),
    ("card.noevents@email.com", "fp_ring_7c1e9a"),
    ("holly.hacked@email.com", "fp_ring_55d0b2"),
    ("harry.hacked@email.com", "fp_ring_55d0b2"),
    ("rex.ring@email.com", "fp_ring_55d0b2"),
    ("innocent.ina@email.com", "fp_family_09aa41"),
    ("innocent.ivo@email.com", "fp_family_09aa41"),
    ("hank.stolen@email.com", None),
    ("ip.nocard@email.com", None),
    ("two.lines@email.com", "fp_same_account_twice"),
    ("two.lines@email.com", "fp_same_account_twice"),
)

EXTRA_SUBSCRIPTIONS: tuple[tuple[str, int | None, str, str], ...] = (
    ("john.smith@email.com", 1, "Cancelled", "2023-05-14 09:30:00"),
    ("conor.obrien@email.com", 1, "cancelled", "2024-01-31 23:59:59"),
    ("mia.rossi@email.com", 4, "ACTIVE", "2025-02-01 00:00:00"),
    ("hanako.yamada@email.com", 1, "active", "2025-04-01 12:00:00"),
    ("gone.gwen@email.com", None, "cancelled", "2024-06-06 06:07:00"),
)

MEDIA: tuple[tuple[str, str, str | None, str | None, str | None, int | None], ...] = (
    ("M-001", "The Baker's Dozen", "movie", "Comedy", "2019-04-12", 101),
    ("M-002", 'The "Quoted" Life', "movie", "Drama", "2021-09-03", 118),
    ("M-003", "C:\\new\\table", "movie", "Thriller", "1999-12-31", 95),
    ("M-004", "Trailing Backslash\\", "movie", "Horror", "2008-10-31", 88),
    ("M-005", "\\N", "series", "Sci-Fi", "2022-02-22", 45),
    ("M-006", "\\u0041 Is for Alpha", "series", "Kids", "2020-06-01", 22),
    ("M-007", "First Line\nSecond Line", "movie", "Drama", "2015-05-15", 131),
    ("M-008", "Carriage\r\nReturn", "movie", "Action", "2017-07-07", 107),
    ("M-009", "Tab\tby\tTab", "series", "Documentary", "2018-08-18", 52),
    ("M-010", "Semi;\nColon; The End;", "movie", "Comedy", "2016-03-03", 99),
    ("M-011", "// Not a Comment", "movie", "Thriller", "2023-01-20", 112),
    ("M-012", "/* Nor Is This */", "movie", "Thriller", "2024-01-20", 114),
    ("M-013", "Love -- and Other Dashes", "movie", "Drama", "2011-11-11", 123),
    ("M-014", "$$ Money $$ for ${Nothing}", "series", "Comedy", "2025-02-14", 31),
    ("M-015", "The `Backtick` Affair", "movie", "Action", "2014-04-04", 104),
    (
        "M-016",
        "🎬 Lights, Camera 👩\u200d👩\u200d👧 Action! 🏴\u200d☠️",
        "movie",
        "Action",
        "2025-07-04",
        128,
    ),
    ("M-017", "Cafe\u0301 de\u0301ja\u0300 vu", "movie", "Drama", "2009-09-09", 97),
    ("M-018", "شَهْرَزَاد وألف ليلة", "series", "Drama", "2013-03-13", 48),
    ("M-019", "שלום, עולם!", "movie", "Comedy", "2012-12-12", 90),
    ("M-020", "{Curly: 'Braces'} and [row[0]]", "series", "Sci-Fi", "2020-02-20", 50),
    ("M-021", "100% %s %(name)s", "movie", "Documentary", "2010-10-10", 84),
    ("M-022", "A Trip to the Moon", "movie", "Sci-Fi", "1902-09-01", 13),
    ("M-023", "Night Shift", "series", "Horror", "2024-10-01", 41),
    ("M-024", "The Long Weekend", "movie", "Comedy", "2025-08-29", 102),
    ("M-025", "Deep Water", "movie", "Documentary", "2022-05-05", 76),
    ("M-026", "Small Wonders", "series", "Kids", "2023-03-21", 24),
    ("M-027", "Coming Soon", "movie", "Action", None, None),
    ("M-028", "Unsorted", None, None, "2025-10-01", 5),
    ("M-029", " leading and trailing blanks ", "movie", "Kids", "2001-01-01", 70),
    ("M\\030'\"", "A Key of Its Own", "series", "Thriller", "2025-09-09", 44),
)

TAGS: tuple[Row, ...] = (
    (1, "Technical"),
    (2, "Playback"),
    (3, "Billing"),
    (4, "Hacked"),
    (5, "Account"),
    (6, "technical"),
    (7, "HACKED"),
    (8, "Feature Request"),
    (9, 'Won\'t Fix \\ "Later"'),
)

# ticket, email, agent, subject, status, made, changed, tags
TICKETS: tuple[
    tuple[str, str | None, str | None, str | None, str, str, str | None, tuple[int, ...]], ...
] = (
    (
        "TCK-1001",
        "john.smith@email.com",
        "agent-07",
        'Video stutters on "Living Room" TV;\nevery evening',
        "closed",
        "2025-10-02 20:15:00",
        "2025-10-04 09:00:00",
        (1, 2),
    ),
    (
        "TCK-1002",
        "john.smith@email.com",
        "agent-03",
        "Charged twice // refund please",
        "Closed",
        "2025-10-11 08:01:02.345678",
        "2025-10-13 16:20:00",
        (3,),
    ),
    (
        "TCK-1003",
        "john.smith@email.com",
        "agent-07",
        "Can't play C:\\new\\table",
        "open",
        "2025-10-27 21:40:00",
        "2025-10-28 07:30:00",
        (2, 6, 9),
    ),
    (
        "TCK-1004",
        "john.smith@email.com",
        None,
        "Thanks! 🎉",
        "open",
        "2025-11-01 10:00:00",
        None,
        (),
    ),
    (
        "TCK-1005",
        "hank.stolen@email.com",
        "agent-01",
        "Someone is using my account!!! 😱",
        "Open",
        "2025-10-18 06:45:00",
        "2025-10-18 07:00:00",
        (4, 5),
    ),
    (
        "TCK-1006",
        "holly.hacked@email.com",
        "agent-01",
        "Login from a country I've never been to",
        "open",
        "2025-10-20 12:00:00",
        "2025-10-21 12:00:00",
        (7,),
    ),
    (
        "TCK-1007",
        "harry.hacked@email.com",
        "agent-02",
        "Password changed -- not by me",
        "pending",
        "2025-10-22 13:10:00",
        "2025-10-22 13:11:00",
        (4,),
    ),
    (
        "TCK-1008",
        "harry.hacked@email.com",
        "agent-02",
        "Still locked out",
        "pending",
        "2025-10-25 09:09:09",
        None,
        (4, 5),
    ),
    (
        "TCK-1009",
        "someone.else@email.com",
        "agent-01",
        "I was hacked but have no account",
        "closed",
        "2025-10-05 05:05:05",
        "2025-10-06 06:06:06",
        (4,),
    ),
    (
        "TCK-1010",
        "John.Smith@Email.com",
        "agent-04",
        "Same person, another spelling",
        "closed",
        "2025-10-06 18:00:00",
        "2025-10-06 18:30:00",
        (5,),
    ),
    (
        "TCK-1011",
        "mia.rossi@email.com",
        "agent-05",
        "TV app crashes\r\nafter the update",
        "open",
        "2025-10-30 19:00:00",
        "2025-10-31 08:00:00",
        (1,),
    ),
    (
        "TCK-1012",
        "luca.rossi@email.com",
        "agent-05",
        "Tab\there, tab\tthere",
        "resolved",
        "2025-10-12 11:00:00",
        "2025-10-14 11:00:00",
        (6, 1),
    ),
    (
        "TCK-1013",
        "silent.sam@email.com",
        None,
        "How do I cancel?",
        "open",
        "2025-10-15 15:00:00",
        None,
        (3, 5),
    ),
    (
        "TCK-1014",
        "silent.sam@email.com",
        None,
        "How do I cancel??",
        "open",
        "2025-10-29 15:00:00",
        None,
        (3,),
    ),
    (
        "TCK-1015",
        "rosa.delgado@email.com",
        "agent-03",
        "\\N",
        "closed",
        "2025-09-12 10:00:00",
        "2025-09-30 10:00:00",
        (8,),
    ),
    (
        "TCK-1016",
        "hanako.yamada@email.com",
        "agent-06",
        "字幕が表示されません",
        "Open",
        "2025-10-08 03:20:00",
        "2025-10-09 01:00:00",
        (2,),
    ),
    (
        "TCK-1017",
        "layla.haddad@email.com",
        "agent-06",
        "لا يعمل الصوت؛ ساعدوني (HELP)",
        "open",
        "2025-10-19 17:17:17",
        None,
        (2, 1),
    ),
    (
        "TCK-1018",
        "ada.lovelace@email.com",
        "agent-04",
        "\\u0041 is shown as A; `SELECT 1;`\n/* why? */",
        "closed",
        "2025-10-10 10:10:10",
        "2025-10-10 11:11:11",
        (1, 8),
    ),
    (
        "TCK-1019",
        "innocent.ina@email.com",
        "agent-02",
        "Change of address",
        "closed",
        "2025-10-07 07:07:07",
        "2025-10-07 08:08:08",
        (5,),
    ),
    (
        "TCK-1020",
        "max.power@email.com",
        None,
        None,
        "pending",
        "2025-10-26 02:30:00",
        None,
        (2,),
    ),
    (
        "TCK-1021",
        None,
        None,
        "Sent by phone, no address",
        "open",
        "2025-10-16 09:00:00",
        None,
        (3,),
    ),
    (
        "TCK-1022",
        "spam@elsewhere.example",
        None,
        "\u202eright to left\u202c, \ufeffmark, \u2028line, nbsp\u00a0",
        "spam",
        "2025-10-17 00:00:00",
        None,
        (),
    ),
    (
        "TCK-1023",
        "bobby.tables@email.com",
        "agent-06",
        "bell\x07 back\b feed\f vertical\v escape\x1b units\x1f\x1e",
        "open",
        "2025-10-24 14:00:00",
        "2025-10-24 15:00:00",
        (1,),
    ),
    (
        "TCK\\1024",
        "corp.user@email.com",
        "agent-04",
        "Ends with a backslash\\",
        "closed",
        "2025-10-13 13:13:13",
        "2025-10-13 14:14:14",
        (1, 2, 5),
    ),
    (
        "TCK'1025\"",
        "tab.stop@email.com",
        "agent-03",
        "",
        "cancelled",
        "2025-10-01 00:00:00",
        "2025-10-01 00:00:01",
        (3,),
    ),
)

# Events of which the queries' answers hang: someone who last watched at the very edge of the thirty
# days before LAST_MOMENT, one who watched just inside them, one long before, and the last moment.
FIXED_EVENTS: tuple[tuple[str, str, str, str], ...] = (
    ("edge.eddie@email.com", "M-001", "2025-10-04 00:00:00", "START"),
    ("brink.bella@email.com", "M-001", "2025-10-04 00:00:00.000001", "play"),
    ("gone.gwen@email.com", "M-002", "2025-10-01 19:00:00", "play"),
    ("gone.gwen@email.com", "M-002", "2025-10-01 20:40:00", "FINISH"),
    ("john.smith@email.com", "M-022", "2025-11-02 23:47:00", "START"),
    ("john.smith@email.com", "M-022", "2025-11-03 00:00:00", "finish"),
)

# How likely a session starts in each hour of the day (UTC).
HOURS = (3, 1, 1, 1, 1, 1, 2, 4, 5, 4, 4, 5, 7, 7, 6, 6, 8, 11, 17, 25, 32, 28, 17, 7)

STARTS = ("play", "START", "start", "Play")
FINISHES = ("FINISH", "finish", "Finish")
STOPS = ("stop", "STOP", "Stop")
PAUSES = ("pause", "PAUSE")


class Dice:
    """A seeded source of chance that gives the same on every version of Python."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def chance(self, probability: float) -> bool:
        return self._random.random() < probability

    def below(self, limit: int) -> int:
        return int(self._random.random() * limit)

    def pick(self, values: Sequence[T]) -> T:
        return values[self.below(len(values))]

    def weighted(self, weights: Sequence[float]) -> int:
        left = self._random.random() * sum(weights)
        for place, weight in enumerate(weights):
            left -= weight
            if left < 0:
                return place
        return max(place for place, weight in enumerate(weights) if weight > 0)

    def letters(self, alphabet: str, count: int) -> str:
        return "".join(self.pick(alphabet) for _ in range(count))


def identifier(kind: str, number: int) -> uuid.UUID:
    return uuid.uuid5(uuid.NAMESPACE_URL, f"c360_graph/sample/{kind}/{number}")


ACCOUNT_IDS = {
    person.email: identifier("account", number) for number, person in enumerate(PEOPLE, start=1)
}


def accounts(dice: Dice) -> Iterator[Row]:
    alphabet = "./" + string.ascii_letters + string.digits
    for person in PEOPLE:
        hashed = "$2b$12$" + dice.letters(alphabet, 53)
        yield ACCOUNT_IDS[person.email], person.email, hashed, person.name, moment(person.created)


def payment_methods(dice: Dice) -> Iterator[Row]:
    shared = {email for email, fingerprint in SHARED_CARDS if fingerprint is not None}
    cards: list[tuple[str, str | None]] = [
        (person.email, f"fp_{dice.letters('0123456789abcdef', 12)}")
        for person in PEOPLE
        if person.plan is not None and person.email not in shared
    ]
    cards += SHARED_CARDS
    last_four_of: dict[str, str] = {}
    for number, (email, fingerprint) in enumerate(cards, start=1):
        digits = dice.letters(string.digits, 4)
        card_type: str | None = dice.pick(("Visa", "visa", "Mastercard", "Amex", "MASTERCARD"))
        if fingerprint is None:
            yield identifier("payment_method", number), ACCOUNT_IDS[email], None, None, None
            continue
        last_four = last_four_of.setdefault(fingerprint, digits)
        yield (
            identifier("payment_method", number),
            ACCOUNT_IDS[email],
            fingerprint,
            card_type,
            last_four,
        )


def subscriptions(dice: Dice) -> Iterator[Row]:
    wanted: list[tuple[str, int | None, str, datetime]] = [
        (person.email, person.plan, person.status, moment(person.created) + timedelta(minutes=5))
        for person in PEOPLE
        if person.plan is not None
    ]
    wanted += [(email, plan, status, moment(at)) for email, plan, status, at in EXTRA_SUBSCRIPTIONS]
    for number, (email, plan, status, starts_at) in enumerate(wanted, start=1):
        renews_at = LAST_MOMENT + timedelta(days=1 + dice.below(30), hours=dice.below(24))
        yield (
            identifier("subscription", number),
            ACCOUNT_IDS[email],
            plan,
            status,
            starts_at,
            renews_at if status.lower() == "active" else None,
        )


@dataclass(frozen=True)
class Viewer:
    account_id: uuid.UUID | None
    addresses: tuple[str | None, ...]
    devices: tuple[str | None, ...]
    sessions: float
    watches: tuple[int, int]


def viewers(dice: Dice) -> tuple[Viewer, ...]:
    found = []
    for number, person in enumerate(PEOPLE, start=1):
        own = f"10.20.{number}.{1 + dice.below(250)}"
        own6 = f"2001:db8:{number:x}::{1 + dice.below(250):x}"
        devices = [f"phone-{dice.letters('0123456789abcdef', 8)}"]
        if person.sessions >= 1:
            devices.append(f"tv-{dice.letters('0123456789abcdef', 8)}")
        if person.sessions >= 3:
            devices.append(f"tablet'{number}\\{dice.letters('0123456789abcdef', 4)}")
        if person.extra_device is not None:
            # Three chances, as most is watched on what people share.
            devices += [person.extra_device] * 3
        found.append(
            Viewer(
                account_id=ACCOUNT_IDS[person.email],
                addresses=(own, own6) if person.extra_ip is None else (own, person.extra_ip),
                devices=tuple(devices),
                sessions=person.sessions,
                watches=person.watches,
            )
        )
    nobody = Viewer(None, ("192.0.2.1", None), ("kiosk-1", None), 1.5, (0, 33))
    ghost = Viewer(identifier("account", 9999), (GHOST_IP,), ("phone-ghost",), 1.5, (0, 33))
    return (*found, nobody, ghost)


@dataclass(frozen=True)
class Event:
    session: str | None
    account_id: uuid.UUID | None
    media_id: str | None
    at: datetime
    action: str
    address: str | None
    device: str | None


def session(
    dice: Dice, viewer: Viewer, number: int, *, address: str | None = None
) -> Iterator[Event]:
    """What one viewer does with one medium: a start, perhaps a pause, perhaps an end."""
    first, last = viewer.watches
    at = moment("2025-10-01") + timedelta(
        days=first + dice.below(last - first),
        hours=dice.weighted(HOURS),
        microseconds=dice.below(3_600_000_000),
    )
    if at > LAST_MOMENT - timedelta(hours=5):
        at -= timedelta(days=1)
    # The square favours the first titles, so that some are popular and some are hardly seen.
    media_id: str | None = MEDIA[int(len(MEDIA) * (dice.below(1000) / 1000) ** 2)][0]
    if dice.chance(0.02):
        media_id = None
    address = dice.pick(viewer.addresses) if address is None else address
    if dice.chance(0.02):
        address = None
    device = dice.pick(viewer.devices)
    name = f"s-{number:04d}" if not dice.chance(0.02) else None

    def event(action: str) -> Event:
        return Event(name, viewer.account_id, media_id, at, action, address, device)

    yield event(dice.pick(STARTS))
    if dice.chance(0.25):
        at += timedelta(seconds=60 + dice.below(1800))
        yield event(dice.pick(PAUSES))
    if dice.chance(0.8):
        at += timedelta(seconds=300 + dice.below(9000))
        yield event(dice.pick(FINISHES if dice.chance(0.6) else STOPS))


def events(dice: Dice) -> list[Event]:
    everybody = viewers(dice)
    by_account = {viewer.account_id: viewer for viewer in everybody}
    found = [
        Event(
            session=f"s-fixed-{ACCOUNT_IDS[email].hex[:4]}-{media_id}",
            account_id=ACCOUNT_IDS[email],
            media_id=media_id,
            at=moment(at),
            action=action,
            address=by_account[ACCOUNT_IDS[email]].addresses[0],
            device=by_account[ACCOUNT_IDS[email]].devices[0],
        )
        for email, media_id, at, action in FIXED_EVENTS
    ]
    number = 0
    # Whoever watches at all uses each address at least once, those shared with others among them.
    for viewer in everybody:
        if viewer.sessions > 0:
            for address in viewer.addresses:
                number += 1
                found += session(dice, viewer, number, address=address)
    weights = [viewer.sessions for viewer in everybody]
    while len(found) < EVENT_COUNT:
        number += 1
        found += session(dice, everybody[dice.weighted(weights)], number)
    return sorted(found[:EVENT_COUNT], key=lambda event: (event.at, event.session or ""))


def play_events(dice: Dice) -> Iterator[Row]:
    for number, event in enumerate(events(dice), start=1):
        # The last one is a number that a double cannot hold.
        event_id = 5_000_000_000 + number if number < EVENT_COUNT else 2**53 + 1
        yield (
            event_id,
            event.session,
            event.account_id,
            event.media_id,
            event.at,
            event.action,
            event.address,
            event.device,
        )


def media_content() -> Iterator[Row]:
    for media_id, title, media_type, genre, released, minutes in MEDIA:
        release_date = None if released is None else date.fromisoformat(released)
        yield media_id, title, media_type, genre, release_date, minutes


def tickets() -> Iterator[Row]:
    for ticket_id, email, agent, subject, status, created, changed, _ in TICKETS:
        last_updated_at = None if changed is None else moment(changed)
        yield ticket_id, email, agent, subject, status, moment(created), last_updated_at


def ticket_tag_link() -> Iterator[Row]:
    for ticket in TICKETS:
        for tag_id in ticket[-1]:
            yield ticket[0], tag_id


def literal(value: Value) -> str:
    match value:
        case None:
            return "NULL"
        case datetime():
            return f"'{value.isoformat(sep=' ')}'"
        case date() | uuid.UUID():
            return f"'{value}'"
        case str():
            return text_literal(value)
        case _:
            return str(value)


def text_literal(value: str) -> str:
    """A standard string where every character is itself, else PostgreSQL's escape string."""
    quoted = value.replace("'", "''")
    if quoted.isascii() and quoted.isprintable() and "\\" not in quoted:
        return f"'{quoted}'"
    return "E'" + "".join(map(escaped, quoted)) + "'"


def escaped(character: str) -> str:
    named = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}
    if character in named:
        return named[character]
    if character.isascii() and character.isprintable():
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def insert(table: Table) -> str:
    rows = ",\n".join("    (" + ", ".join(map(literal, row)) + ")" for row in table.rows)
    columns = ", ".join(table.columns)
    return f"INSERT INTO {table.name}\n    ({columns})\nVALUES\n{rows}\nON CONFLICT DO NOTHING;\n"


def write(database: str, tables: Iterable[Table]) -> None:
    head = (
        f"-- Sample data of {database}, written by make_sample_data.py. Safe to run again.\n"
        "-- E'...' strings hold what plain ones cannot show: control characters, backslashes and\n"
        "-- letters beyond ASCII.\n"
    )
    path = Path(__file__).parent / f"{database}_sample_data.sql"
    text = "\n".join([head, *map(insert, tables)])
    path.write_text(text, encoding="ascii", newline="\n")


def main() -> None:
    dice = Dice(SEED)
    write(
        "profiles_db",
        (
            Table(
                "accounts",
                ("account_id", "email", "hashed_password", "full_name", "created_at"),
                tuple(accounts(dice)),
            ),
            Table("plans", ("plan_id", "plan_name", "monthly_fee", "max_devices"), PLANS),
            Table(
                "payment_methods",
                (
                    "payment_method_id",
                    "account_id",
                    "card_fingerprint",
                    "card_type",
                    "card_last_four",
                ),
                tuple(payment_methods(dice)),
            ),
            Table(
                "subscriptions",
                ("subscription_id", "account_id", "plan_id", "status", "starts_at", "renews_at"),
                tuple(subscriptions(dice)),
            ),
        ),
    )
    write(
        "streaming_db",
        (
            Table(
                "media_content",
                (
                    "media_id",
                    "title",
                    "media_type",
                    "genre",
                    "release_date",
                    "duration_minutes",
                ),
                tuple(media_content()),
            ),
            Table(
                "play_events",
                (
                    "event_id",
                    "session_id",
                    "account_id_from_token",
                    "media_id",
                    "event_timestamp",
                    "action",
                    "ip_address",
                    "device_fingerprint",
                ),
                tuple(play_events(dice)),
            ),
        ),
    )
    write(
        "support_db",
        (
            Table("ticket_tags", ("tag_id", "tag_name"), TAGS),
            Table(
                "tickets",
                (
                    "ticket_id",
                    "customer_email",
                    "agent_id",
                    "subject",
                    "status",
                    "created_at",
                    "last_updated_at",
                ),
                tuple(tickets()),
            ),
            Table("ticket_tag_link", ("ticket_id", "tag_id"), tuple(ticket_tag_link())),
        ),
    )


if __name__ == "__main__":
    main()
