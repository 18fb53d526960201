"""300 people in a CRM and a shop, as people and shops write them down, and who is who.

E-mail addresses and phone numbers come in many spellings, some with typing errors, some are missing. Couples
share a landline and a last name. Clerks who have no address of a customer write that of the firm or zeros.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

PEOPLE, SEED = 300, 13
FIRST = ("Anna", "Björn", "Chloé", "Dörte", "Emil", "Fatma", "Günther", "Hélène", "Igor", "José")
LAST = ("Müller", "Núñez", "Weiß", "Kowalski", "Øster", "Schmidt", "Yılmaz", "O'Neill")
NOBODYS_EMAIL, NOBODYS_PHONE = "info@firma.example", "000"

Record = tuple[int, str, str | None, str | None, str | None]
"""Key, name, e-mail, mobile, landline."""


@dataclass(frozen=True, kw_only=True)
class DirtyPeople:
    """The records of both databases; `truth` has the person of each, by table and key."""

    people: tuple[Record, ...]
    accounts: tuple[Record, ...]
    truth: dict[tuple[str, int], int]

    def insert_people(self) -> str:
        """SQL for the CRM."""
        return f"INSERT INTO people VALUES {', '.join(map(_row, self.people))};"

    def insert_accounts(self) -> str:
        """SQL for the shop."""
        return f"INSERT INTO accounts VALUES {', '.join(map(_row, self.accounts))};"


@dataclass(frozen=True)
class _Person:
    number: int
    first: str
    last: str

    @property
    def email(self) -> str:
        letters = "".join(c for c in f"{self.first}.{self.last}".lower() if c.isascii())
        return f"{letters}{self.number}@mail.example"

    @property
    def mobile(self) -> str:
        return f"+49151{23_000_000 + 7_919 * self.number}"

    @property
    def landline(self) -> str:
        """Of a couple."""
        return f"+4930{5_550_000 + 37 * (self.number // 2)}"


def dirty_people() -> DirtyPeople:
    """The same ones each time."""
    random = Random(SEED)
    found: dict[str, list[Record]] = {"people": [], "accounts": []}
    truth: dict[tuple[str, int], int] = {}
    for number in range(PEOPLE):
        couple = LAST[number // 2 % len(LAST)]
        person = _Person(number, FIRST[(number * 7 + number // 20) % len(FIRST)], couple)
        for table, copies in (
            ("people", 1 + (random.random() < 0.1)),
            ("accounts", random.choices((0, 1, 2), (20, 65, 15))[0]),
        ):
            for _ in range(copies):
                key = 1_000 + len(found[table])
                found[table].append((key, *_written(person, random)))
                truth[table, key] = number
    return DirtyPeople(
        people=tuple(found["people"]), accounts=tuple(found["accounts"]), truth=truth
    )


def _written(person: _Person, random: Random) -> tuple[str, str | None, str | None, str | None]:
    def some(share: float, value: str, *spellings: Callable[[str], str]) -> str | None:
        if random.random() >= share:
            return None
        spelling = random.choice((None, *spellings))
        return spelling(value) if spelling else value

    email = some(0.92, person.email, str.upper, str.title, lambda e: f"  {e}", lambda e: f"{e} ")
    mobile = some(0.8, person.mobile, _spaced, _national, _slashed)
    landline = some(0.5, person.landline, _spaced, _national)
    if email and random.random() < 0.03:
        email = email.replace("mail", "mial").replace("MAIL", "MIAL")
    if email is None and random.random() < 0.7:
        email = NOBODYS_EMAIL
    if mobile is None and random.random() < 0.5:
        mobile = NOBODYS_PHONE
    name = f"{person.first} {person.last}"
    return random.choice((name, name.upper(), f" {name}")), email, mobile, landline


def _spaced(number: str) -> str:
    return f"{number[:3]} {number[3:6]} {number[6:9]} {number[9:]}"


def _national(number: str) -> str:
    return f"0{number[3:]}"


def _slashed(number: str) -> str:
    return f"0{number[3:6]}/{number[6:]}"


def _row(record: Record) -> str:
    return f"({', '.join(_literals(record))})"


def _literals(record: Record) -> Iterator[str]:
    for value in record:
        if value is None:
            yield "NULL"
        else:
            yield str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"
