"""How many requests reach Neo4j at a time after it has started."""

from __future__ import annotations

import asyncio

import pytest

from c360_graph.serve.limits import FIRST, Admission
from c360_graph.serve.values import Problem


class Neo4j:
    """Answers a request when it is told to."""

    def __init__(self, admission: Admission) -> None:
        self.admission = admission
        self.at_once = 0
        self.may_answer = asyncio.Semaphore(0)

    async def ask(self, *, fails: bool = False) -> None:
        async with self.admission.admitted():
            self.at_once += 1
            await self.may_answer.acquire()
            self.at_once -= 1
            if fails:
                raise ValueError

    async def answers(self, count: int) -> None:
        for _ in range(count):
            self.may_answer.release()
        await settled()


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def test_few_requests_are_admitted_at_first_and_more_with_each_that_was_answered() -> None:
    async def seen() -> list[int]:
        neo4j = Neo4j(Admission(most=5))
        async with asyncio.TaskGroup() as requests:
            for _ in range(20):
                requests.create_task(neo4j.ask())
            await settled()
            found = [neo4j.at_once]
            for _ in range(3):
                await neo4j.answers(neo4j.at_once)
                found.append(neo4j.at_once)
            await neo4j.answers(20)
        return found

    assert asyncio.run(seen()) == [FIRST, 4, 5, 5]


def test_requests_that_fail_admit_no_more_and_leave_their_places() -> None:
    async def seen() -> int:
        neo4j = Neo4j(Admission(most=5))
        failing = [asyncio.create_task(neo4j.ask(fails=True)) for _ in range(7)]
        await settled()
        await neo4j.answers(7)
        await asyncio.gather(*failing, return_exceptions=True)
        more = [asyncio.create_task(neo4j.ask()) for _ in range(7)]
        await settled()
        found = neo4j.at_once
        await neo4j.answers(7)
        await asyncio.gather(*more)
        return found

    assert asyncio.run(seen()) == FIRST


def test_a_request_whose_turn_does_not_come_is_told_to_come_back() -> None:
    async def seen() -> None:
        neo4j = Neo4j(Admission(most=5, patience_seconds=0.01))
        waiting = [asyncio.create_task(neo4j.ask()) for _ in range(FIRST)]
        await settled()
        try:
            await neo4j.ask()
        finally:
            await neo4j.answers(FIRST)
            await asyncio.gather(*waiting)

    with pytest.raises(Problem) as problem:
        asyncio.run(seen())
    assert (problem.value.status, problem.value.headers["Retry-After"]) == (503, "2")


def test_after_a_restart_it_begins_anew_whatever_is_under_way() -> None:
    async def seen() -> list[int]:
        neo4j = Neo4j(Admission(most=5))
        async with asyncio.TaskGroup() as requests:
            for _ in range(4):
                requests.create_task(neo4j.ask())
            await settled()
            await neo4j.answers(4)
            for _ in range(6):
                requests.create_task(neo4j.ask())
            await settled()
            found = [neo4j.at_once]
            neo4j.admission.begin_anew()
            for _ in range(6):
                requests.create_task(neo4j.ask())
            await settled()
            found.append(neo4j.at_once)
            await neo4j.answers(12)
        return found

    assert asyncio.run(seen()) == [5, 5 + FIRST]
