"""A neighbourhood told in order of time; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from c360_graph.customer.neighbourhood import Group, Item, Neighbourhood, Thing
from c360_graph.questions import shown

MOST_REPEATS = 5
"""Values of a property that are told, the most frequent ones."""

_TELLING = ("name", "title", "subject", "email")
"""Words in the names of properties by which people know a thing."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """Something that happened: `what` is the label and the property that holds the moment."""

    moment: datetime | date
    what: str
    item: str
    detail: str
    related: str


@dataclass(frozen=True, kw_only=True)
class Repeat:
    """A value that several neighbours have in common, such as a device or an address."""

    label: str
    property: str
    value: str
    times: int
    first: datetime | date | None
    last: datetime | date | None


@dataclass(frozen=True, kw_only=True)
class Cut:
    """A kind of neighbour of which only some were read, so many of `total`."""

    relationship_type: str
    label: str
    told: int
    total: int
    newest: bool = True

    def __str__(self) -> str:
        which = "the newest " if self.newest else ""
        return (
            f"Of {self.label} by {self.relationship_type}, only {which}{self.told:,} are shown and counted,"
            f" and {self.total - self.told:,} more are not."
        )


def caption(thing: Thing) -> str:
    """How people know a thing: by its name, title or the like, else by its key."""
    return _name(thing) or _key(thing) or thing.label


def steps(around: Neighbourhood) -> list[Step]:
    """Every moment of the node and of its neighbours that were read, the earliest first."""
    told = list(_steps_of(Item(thing=around.centre), (around.centre,)))
    for group in around.groups:
        known = _known(around, group)
        for item in group.items:
            told += _steps_of(item, known)
    return sorted(told, key=lambda step: (_instant(step.moment), step.what, step.item))


def repeats(around: Neighbourhood) -> list[Repeat]:
    """Texts that at least two neighbours of a group have of those that were read.

    The most frequent go first.
    """
    found: list[Repeat] = []
    for group in around.groups:
        for name in group.properties:
            found += _repeats_of(group, name, _known(around, group))
    return sorted(found, key=lambda r: (r.label, r.property, -r.times, r.value))


def cuts(around: Neighbourhood) -> list[Cut]:
    """What steps and repeats know nothing of."""
    return [
        Cut(
            relationship_type=group.relationship_type,
            label=group.label,
            told=len(group.items),
            total=group.total,
            newest=group.newest,
        )
        for group in around.groups
        if len(group.items) < group.total
    ]


def name_of(around: Neighbourhood) -> str:
    """How people know the centre: by its name or that of one of its records, else by its key.

    The records of an entity stand after its key, as in `7, Ann`.
    """
    names = [name for thing in around.records if (name := _name(thing)) is not None]
    return ", ".join(dict.fromkeys((caption(around.centre), *names[:1])))


def group_title(group: Group, centre: Thing) -> str:
    """What a group is called: `Order by PLACED`, and where it was reached from if not from the centre."""
    start = "" if group.start == centre.label else f" of {group.start}"
    return f"{group.label} by {group.relationship_type}{start}"


def group_table(
    group: Group, around: Neighbourhood
) -> tuple[tuple[str, ...], tuple[tuple[Any, ...], ...]]:
    """Columns and rows of a group, the newest first: properties, then what each names.

    A property that does no more than refer to the centre or its records is left out.
    """
    known = [None, *(v for thing in _known(around, group) for v in thing.properties.values())]
    columns = tuple(
        name
        for name in group.properties
        if any(item.thing.properties.get(name) not in known for item in group.items)
    )
    names = any(item.related for item in group.items)
    rows = tuple(
        (
            *(item.thing.properties.get(name) for name in columns),
            *([related_text(item)] if names else []),
        )
        for item in group.items
    )
    return (*columns, *(["related"] if names else [])), rows


def similar_table(around: Neighbourhood) -> tuple[tuple[str, ...], tuple[tuple[Any, ...], ...]]:
    """Columns and rows of the entities that may be the same: what each is known by, and the score."""
    columns = around.centre.key
    rows = tuple(
        (*(other.thing.properties.get(name) for name in columns), other.score)
        for other in around.possibly_same
    )
    return (*columns, "score"), rows


def related_text(item: Item) -> str:
    """What an item names, such as `Plan Premium`."""
    more = [f"and {item.more:,} more"] if item.more else []
    return ", ".join((*(f"{thing.label} {caption(thing)}" for _, thing in item.related), *more))


def _name(thing: Thing) -> str | None:
    for word in _TELLING:
        for name, value in thing.properties.items():
            if word in name.lower() and isinstance(value, str) and value:
                return value
    return None


def _known(around: Neighbourhood, group: Group) -> tuple[Thing, ...]:
    """What is shown before a group, so that its values need not be told again."""
    return (around.centre, *(around.records if group.hop else ()))


def _steps_of(item: Item, known: Sequence[Thing]) -> Iterator[Step]:
    thing = item.thing
    for name, value in thing.properties.items():
        if isinstance(value, date):
            yield Step(
                moment=value,
                what=f"{thing.label} {name.replace('_', ' ')}",
                item=_key(thing) or caption(thing),
                detail=_detail(item, known),
                related=related_text(item),
            )


def _detail(item: Item, known: Sequence[Thing]) -> str:
    """The item's texts but for its key and for references to what is shown anyway."""
    shown_anyway = {
        value
        for thing in (*known, *(thing for _, thing in item.related))
        for value in thing.properties.values()
        if isinstance(value, str) and thing is not item.thing
    }
    return ", ".join(
        f"{name.replace('_', ' ')} {value}"
        for name, value in item.thing.properties.items()
        if isinstance(value, str) and name not in item.thing.key and value not in shown_anyway
    )


def _repeats_of(group: Group, name: str, known: Sequence[Thing]) -> Iterator[Repeat]:
    held: dict[str, list[Thing]] = {}
    for item in group.items:
        value = item.thing.properties.get(name)
        shown_anyway = [
            thing.properties for thing in (*known, *(thing for _, thing in item.related))
        ]
        if isinstance(value, str) and not any(value in p.values() for p in shown_anyway):
            held.setdefault(value, []).append(item.thing)
    frequent = sorted(held.items(), key=lambda one: -len(one[1]))[:MOST_REPEATS]
    for value, things in frequent:
        if len(things) > 1:
            moments = sorted((m for thing in things for m in _moments(thing)), key=_instant)
            yield Repeat(
                label=group.label,
                property=name,
                value=value,
                times=len(things),
                first=moments[0] if moments else None,
                last=moments[-1] if moments else None,
            )


def _moments(thing: Thing) -> list[datetime | date]:
    return [value for value in thing.properties.values() if isinstance(value, date)]


def _instant(moment: datetime | date) -> datetime:
    """A date as its midnight, a local time as if it were UTC, so that all can be ordered."""
    if not isinstance(moment, datetime):
        return datetime(moment.year, moment.month, moment.day, tzinfo=UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _key(thing: Thing) -> str:
    return ", ".join(shown(thing.properties.get(name)) for name in thing.key)
