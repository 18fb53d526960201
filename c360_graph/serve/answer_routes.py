"""The routes of the answers."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response

from c360_graph.graph.connection import Graph
from c360_graph.questions import Answer, Question
from c360_graph.serve import openapi
from c360_graph.serve.answering import (
    ARROW,
    CSV,
    answer,
    chosen_format,
    depends_on_the_time,
    personal_names,
    refuse_for,
    written,
)
from c360_graph.serve.openapi import problems, validators
from c360_graph.serve.reading import REBUILDING, Reader
from c360_graph.serve.service import STATES, Reply, Route, Service
from c360_graph.serve.values import Problem, json_bytes, unavailable

MOMENT_SECONDS = 60.0
"""How long an answer that depends on the time of day is kept."""


def add_answers(router: APIRouter, service: Service) -> None:
    """The list of the questions, and the answer to each."""

    async def listed(request: Request) -> Response:
        async def operation(reader: Reader) -> Reply:
            answers = [_listed(q) for q in answers_for(service, reader)]
            return Reply(body=json_bytes({"answers": answers}), rows=len(answers))

        return await service.respond(request, Route(name="/v1/answers"), operation)

    async def one(
        request: Request,
        name: Annotated[str, Path(max_length=200, description="The name of a question.")],
    ) -> Response:
        try:
            media = chosen_format(request.headers.get("accept"))
        except Problem as problem:
            return problem.response()
        given = dict(request.query_params)

        async def operation(reader: Reader) -> Reply:
            question = service.known_question(name)
            if question is None:
                raise Problem(404, "There is no such answer. /v1/answers lists those there are.")
            refuse_for(reader.client, question, reader.served)
            found = await ask_whole(service, reader, question, given)
            body = await asyncio.to_thread(written, found, media)
            return Reply(body=body, rows=len(found.rows), media=media)

        known = service.known_question(name)
        moves = known is not None and depends_on_the_time(known, given)
        route = Route(
            name="/v1/answers/{name}",
            media=media,
            is_kept=True,
            lasts=MOMENT_SECONDS if moves else None,
        )
        return await service.respond(request, route, operation)

    _add_routes(router, listed, one)


async def ask_whole(
    service: Service, reader: Reader, question: Question, given: dict[str, str]
) -> Answer:
    """The answer of a graph that was whole all the while.

    Raises:
        Problem: 503, a load began meanwhile; 422, a parameter is wrong; 404, the graph lacks what it needs.
        GraphError: the server refuses, is away, or took too long.
    """
    hidden = set() if reader.client.unmasked else personal_names(reader.served)
    manifest, interruptions = service.watch.current.manifest, service.watch.interruptions
    if service.watch.current.loads != reader.loads:
        raise unavailable(REBUILDING)

    def work(graph: Graph) -> Answer:
        return answer(
            graph,
            question,
            given,
            timeout_seconds=service.settings.c360_serve_timeout_seconds,
            manifest=manifest,
            hidden=hidden,
        )

    async with service.asking:
        found = await asyncio.to_thread(service.question_graph.use, work)
    await service.watch.look()
    now = service.watch.current
    if now.state == "unreachable":
        raise unavailable(STATES[now.state])
    is_same = now.loads == reader.loads and now.manifest == manifest
    if service.watch.interruptions != interruptions or not is_same:
        raise unavailable(REBUILDING)
    return found


def answers_for(service: Service, reader: Reader) -> list[Question]:
    """The questions that a client may ask."""
    permitted = []
    for question in service.fitting_questions():
        try:
            refuse_for(reader.client, question, reader.served)
        except Problem:
            continue
        permitted.append(question)
    return permitted


def _listed(question: Question) -> dict[str, Any]:
    return {
        "name": question.name,
        "title": question.title,
        "description": question.description,
        "parameters": dict(question.parameters),
    }


def _add_routes(router: APIRouter, listed: Any, one: Any) -> None:
    done = {"description": "The client has it already."}
    router.add_api_route(
        "/v1/answers",
        listed,
        summary="The questions that the client may ask.",
        response_model=None,
        responses={
            200: {"model": openapi.AnswersDocument, **validators()},
            304: done,
            **problems(),
        },
        operation_id="answers",
    )
    router.add_api_route(
        "/v1/answers/{name}",
        one,
        summary="An answer. Its parameters are those of the question.",
        response_model=None,
        responses={
            200: {
                "model": openapi.AnswerDocument,
                "content": {
                    CSV: {"schema": {"type": "string"}},
                    ARROW: {"schema": {"type": "string"}},
                },
                **validators(),
            },
            304: done,
            **problems(403, 404, 406, 422),
        },
        operation_id="answer",
    )
