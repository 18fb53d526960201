"""300 people in a CRM and a shop, as people and shops write them down, and who is who.

E-mail addresses and phone numbers come in many spellings, some with typing errors, some are missing. Couples
share a landline, a last name and an address, and some sons have their father's name. People move and marry,
and call themselves Toni in the shop. Clerks who have no address of a customer write that of the firm or zeros.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

PEOPLE, SEED = 300, 13
FIRST = (
    "Anna", "Björn", "Chloé", "Dörte", "Emil", "Fatma", "Günther", "Hélène", "Igor", "José", "Katharina",
    "Lukas", "Margarete", "Niklas", "Olga", "Peter", "Quentin", "Rosalie", "Sebastian", "Theresa",
    "Ulrich", "Valerie", "Wilhelm", "Xenia", "Yusuf", "Zoë", "Alexander", "Benjamin", "Christine",
    "Elisabeth",
)  # fmt: skip
CALLED = {
    "Anna": "Anni", "Günther": "Günni", "José": "Pepe", "Katharina": "Kathi", "Margarete": "Gretel",
    "Sebastian": "Basti", "Theresa": "Resi", "Ulrich": "Uli", "Wilhelm": "Willi", "Alexander": "Alex",
    "Benjamin": "Ben", "Christine": "Tina", "Elisabeth": "Lisa",
}  # fmt: skip
LAST = (
    "Müller", "Núñez", "Weiß", "Kowalski", "Øster", "Schmidt", "Yılmaz", "O'Neill", "Schneider", "Fischer",
    "Weber", "Meyer", "Wagner", "Becker", "Schulz", "Hoffmann", "Schäfer", "Koch", "Bauer", "Richter",
    "Klein", "Wolf", "Schröder", "Neumann", "Schwarz", "Zimmermann", "Braun", "Krüger", "Hofmann",
    "Hartmann", "Lange", "Werner",
)  # fmt: skip
CITIES = (
    ("10115", "Berlin"), ("10437", "Berlin"), ("12043", "Berlin"), ("20095", "Hamburg"),
    ("22765", "Hamburg"), ("50667", "Köln"), ("50823", "Köln"), ("60311", "Frankfurt"),
    ("70173", "Stuttgart"), ("80331", "München"), ("80799", "München"), ("81667", "München"),
    ("01067", "Dresden"), ("04109", "Leipzig"), ("28195", "Bremen"), ("30159", "Hannover"),
    ("40213", "Düsseldorf"), ("90402", "Nürnberg"), ("99084", "Erfurt"), ("79098", "Freiburg"),
)  # fmt: skip
PROVIDERS = (
    "mail.example",
    "post.example",
    "web.example",
    "office.example",
    "fast.example",
    "free.example",
)
NOBODYS_EMAIL, NOBODYS_PHONE = "info@firma.example", "000"

Record = tuple[
    int, str, str, str | None, str | None, str | None, str | None, str | None, str | None
]
"""Key, first name, last name, e-mail, mobile, landline, date of birth, postcode, city."""


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
    born: date
    home: tuple[str, str]
    email: str
    lives_alone: bool

    @property
    def mobile(self) -> str:
        return f"+49151{23_000_000 + 7_919 * self.number}"

    @property
    def landline(self) -> str | None:
        """Of a couple."""
        return None if self.lives_alone else f"+4930{5_550_000 + 37 * (self.number // 2)}"


def dirty_people() -> DirtyPeople:
    """The same ones each time."""
    random = Random(SEED)
    found: dict[str, list[Record]] = {"people": [], "accounts": []}
    truth: dict[tuple[str, int], int] = {}
    for person in _people(random):
        for table, copies in (
            ("people", 1 + (random.random() < 0.1)),
            ("accounts", random.choices((0, 1, 2), (20, 65, 15))[0]),
        ):
            for _ in range(copies):
                key = 1_000 + len(found[table])
                found[table].append((key, *_written(person, random)))
                truth[table, key] = person.number
    return DirtyPeople(
        people=tuple(found["people"]), accounts=tuple(found["accounts"]), truth=truth
    )


def _people(random: Random) -> Iterator[_Person]:
    """Couples; the second of every fifteenth is a son with his father's name."""
    taken: set[str] = set()
    for couple in range(PEOPLE // 2):
        last, home = random.choice(LAST), random.choice(CITIES)
        father = couple % 15 == 0
        born = date(1950, 1, 1) + timedelta(days=random.randrange(16_000))
        first = random.choice(FIRST)
        for number in (2 * couple, 2 * couple + 1):
            email = _address(first, last, born, taken, random)
            yield _Person(number, first, last, born, home, email, father)
            if father:
                born += timedelta(days=random.randrange(7_500, 13_000))
            else:
                born += timedelta(days=random.randrange(-2_500, 2_500))
                first = random.choice([other for other in FIRST if other != first])


def _address(first: str, last: str, born: date, taken: set[str], random: Random) -> str:
    """As people choose their own; nobody else has it."""
    first, last = ("".join(c for c in name.lower() if c.isascii()) for name in (first, last))
    names = (
        f"{first}.{last}",
        f"{first[0]}.{last}",
        f"{last}{born:%y}",
        f"{first}{born:%Y}",
        f"{last}.{first}",
    )
    while True:
        email = f"{random.choice(names)}@{random.choice(PROVIDERS)}"
        if email in taken:
            email = email.replace("@", f"{random.randrange(1_000, 10_000)}@")
        if email not in taken:
            taken.add(email)
            return email


def _written(
    person: _Person, random: Random
) -> tuple[str, str, str | None, str | None, str | None, str | None, str | None, str | None]:
    def some(share: float, value: str | None, *spellings: Callable[[str], str]) -> str | None:
        if random.random() >= share or value is None:
            return None
        spelling = random.choice((None, *spellings))
        return spelling(value) if spelling else value

    def seldom(share: float) -> bool:
        return random.random() < share

    email = some(0.92, person.email, str.upper, str.title, lambda e: f"  {e}", lambda e: f"{e} ")
    mobile = some(0.8, person.mobile, _spaced, _national, _slashed)
    landline = some(0.5, person.landline, _spaced, _national)
    if email and seldom(0.08):
        email = _mistyped(email, random)
    if mobile and seldom(0.06):
        mobile = _transposed(mobile, random)
    if email is None and seldom(0.7):
        email = NOBODYS_EMAIL
    if mobile is None and seldom(0.5):
        mobile = NOBODYS_PHONE
    first = CALLED.get(person.first, person.first) if seldom(0.15) else person.first
    last = random.choice(LAST) if seldom(0.04) else person.last
    if seldom(0.05):
        last = _mistyped(last, random)
    case = random.choice((str, str, str.upper, lambda name: f" {name}"))
    postcode, city = random.choice(CITIES) if seldom(0.1) else person.home
    return (
        case(first), case(last), email, mobile, landline, some(0.85, _born(person, random)),
        some(0.9, postcode), some(0.95, city, str.upper),
    )  # fmt: skip


def _born(person: _Person, random: Random) -> str:
    born = person.born
    if random.random() < 0.04 and born.day <= 12:
        return f"{born.year}-{born.day:02}-{born.month:02}"
    if random.random() < 0.02:
        return f"{born.year}-01-01"
    return born.isoformat()


def _mistyped(text: str, random: Random) -> str:
    """Two neighbours changed places, or a letter is missing."""
    place = random.randrange(1, len(text) - 2)
    rest = text[place + 1] + text[place] + text[place + 2 :]
    return text[:place] + (rest if random.random() < 0.5 else text[place + 1 :])


def _transposed(number: str, random: Random) -> str:
    """Two of the last digits changed places."""
    place = random.randrange(len(number) - 4, len(number) - 1)
    return number[:place] + number[place + 1] + number[place] + number[place + 2 :]


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
