"""A neighbourhood told in order of time; pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from c360_graph.answers import shown
from c360_graph.customer.neighbourhood import Group, Item, Neighbourhood, Thing

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
    """A kind of neighbour of which the newest ones alone were read, so many of `total`."""

    relationship_type: str
    label: str
    told: int
    total: int

    def __str__(self) -> str:
        return (
            f"Of {self.label} by {self.relationship_type} the newest {self.told:,} of {self.total:,}"
            " alone are told of and counted."
        )


def caption(thing: Thing) -> str:
    """How people know a thing: by its name, title or the like, else by its key."""
    for word in _TELLING:
        for name, value in thing.properties.items():
            if word in name.lower() and isinstance(value, str) and value:
                return value
    return _key(thing) or thing.label


def steps(around: Neighbourhood) -> list[Step]:
    """Every moment of the node and of its neighbours that were read, the earliest first."""
    told = list(_steps_of(Item(thing=around.centre), around.centre))
    for group in around.groups:
        for item in group.items:
            told += _steps_of(item, around.centre)
    return sorted(told, key=lambda step: (_instant(step.moment), step.what, step.item))


def repeats(around: Neighbourhood) -> list[Repeat]:
    """Texts that at least two neighbours of a group have of those that were read.

    The most frequent go first.
    """
    found: list[Repeat] = []
    for group in around.groups:
        for name in group.properties:
            found += _repeats_of(group, name, around.centre)
    return sorted(found, key=lambda r: (r.label, r.property, -r.times, r.value))


def cuts(around: Neighbourhood) -> list[Cut]:
    """What steps and repeats know nothing of."""
    return [
        Cut(
            relationship_type=group.relationship_type,
            label=group.label,
            told=len(group.items),
            total=group.total,
        )
        for group in around.groups
        if len(group.items) < group.total
    ]


def group_table(group: Group, centre: Thing) -> tuple[tuple[str, ...], tuple[tuple[Any, ...], ...]]:
    """Columns and rows of a group, the newest first: properties, then what each names.

    A property that does no more than refer to the centre is left out.
    """
    known = [*centre.properties.values(), None]
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


def related_text(item: Item) -> str:
    """What an item names, such as `Plan Premium`."""
    return ", ".join(f"{thing.label} {caption(thing)}" for _, thing in item.related)


def _steps_of(item: Item, centre: Thing) -> Iterator[Step]:
    thing = item.thing
    for name, value in thing.properties.items():
        if isinstance(value, date):
            yield Step(
                moment=value,
                what=f"{thing.label} {name.replace('_', ' ')}",
                item=_key(thing) or caption(thing),
                detail=_detail(item, centre),
                related=related_text(item),
            )


def _detail(item: Item, centre: Thing) -> str:
    """The item's texts but for its key and for references to what is shown anyway."""
    shown_anyway = {
        value
        for thing in (centre, *(thing for _, thing in item.related))
        for value in thing.properties.values()
        if isinstance(value, str) and thing is not item.thing
    }
    return ", ".join(
        f"{name.replace('_', ' ')} {value}"
        for name, value in item.thing.properties.items()
        if isinstance(value, str) and name not in item.thing.key and value not in shown_anyway
    )


def _repeats_of(group: Group, name: str, centre: Thing) -> Iterator[Repeat]:
    held: dict[str, list[Thing]] = {}
    for item in group.items:
        value = item.thing.properties.get(name)
        shown_anyway = [
            thing.properties for thing in (centre, *(thing for _, thing in item.related))
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
