"""The routes of the API, with an OpenAPI document that names what this graph has."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, create_model
from starlette.exceptions import HTTPException

from c360_graph.serve import openapi
from c360_graph.serve.answer_routes import add_answers
from c360_graph.serve.customers import (
    ANY,
    MOST_NODES,
    customer_view,
    find_customers,
    identifier_names,
    journey_data,
    read_journey,
    read_neighbourhood,
    search,
)
from c360_graph.serve.graph_state import add_changes, freshness, served_schema
from c360_graph.serve.openapi import DESCRIPTION, completed, problems, validators
from c360_graph.serve.page.routes import page_router
from c360_graph.serve.reading import MOST_LISTED, OPERATORS, Filter, Reader, read_node, read_page
from c360_graph.serve.schema import ServedGraph, ServedLabel
from c360_graph.serve.service import Reply, Route, Service
from c360_graph.serve.values import FILTERED, ORDERED, Problem, json_bytes, whole_segment

Handler = Callable[..., Awaitable[Response]]

_KEY = Annotated[
    str,
    AfterValidator(whole_segment),
    Path(
        max_length=2_000,
        description="The key of the node: its one value, or a JSON array of texts.",
    ),
]


def create_app(service: Service, served: ServedGraph) -> FastAPI:
    """The API of a graph."""
    app = FastAPI(
        title="Customer 360",
        version="1",
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    app.router.redirect_slashes = False
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(Exception, _failed)
    # Not one of its own that is included, by which a request goes for as long as by all the rest of FastAPI.
    router = app.router
    _add_facts(router, service)
    add_answers(router, service)
    add_changes(router, service)
    around = openapi.neighbourhood_model(served)
    if served.customer is not None:
        _add_customers(router, service, served, around)
    for label in served.labels.values():
        _add_label(router, service, label, around)
    app.include_router(page_router(service))
    _add_document(app, service)
    return app


def _add_document(app: FastAPI, service: Service) -> None:
    made: list[bytes] = []

    async def described(request: Request) -> Response:
        async def operation(_: Reader) -> Reply:
            if not made:
                document = await asyncio.to_thread(app.openapi)
                made.append(json_bytes(completed(document)))
            return Reply(body=made[0])

        return await service.respond(
            request, Route(name="/v1/openapi.json", needs_graph=False), operation
        )

    app.add_api_route("/v1/openapi.json", described, include_in_schema=False)


def _add_facts(router: APIRouter, service: Service) -> None:
    async def schema(request: Request) -> Response:
        async def operation(reader: Reader) -> Reply:
            return Reply(body=json_bytes(served_schema(reader)))

        return await service.respond(request, Route(name="/v1/schema"), operation)

    async def fresh(request: Request) -> Response:
        async def operation(reader: Reader) -> Reply:
            return Reply(body=json_bytes(freshness(service.watch.current, reader.client)))

        return await service.respond(
            request, Route(name="/v1/freshness", needs_graph=False), operation
        )

    _add(router, "/schema", schema, openapi.SchemaDocument, "What is served to the client.")
    _add(
        router,
        "/freshness",
        fresh,
        openapi.FreshnessDocument,
        "What the graph was made from, and how far it is behind.",
        has_validators=False,
    )


def _add(
    router: APIRouter,
    path: str,
    handler: Handler,
    model: Any,
    summary: str,
    *,
    has_validators: bool = True,
    statuses: tuple[int, ...] = (),
) -> None:
    responses: dict[int | str, dict[str, Any]] = {
        200: {"model": model, **(validators() if has_validators else {})},
        **problems(*statuses),
    }
    if has_validators:
        responses[304] = {"description": "The client has it already."}
    router.add_api_route(
        f"/v1{path}",
        handler,
        methods=["GET"],
        summary=summary,
        responses=responses,
        response_model=None,
        operation_id=path.strip("/").replace("/", "_").replace("{", "").replace("}", ""),
    )


def _add_customers(
    router: APIRouter, service: Service, served: ServedGraph, around: type[BaseModel]
) -> None:
    customer = served.labels[served.customer or ""]
    view = openapi.view_model(openapi.node_model(customer))
    names = identifier_names(served)
    parameters = _search_parameters(names)

    async def found(request: Request, given: Any) -> Response:
        asked = {
            name: value
            for name, value in given.model_dump(by_alias=True).items()
            if value is not None
        }

        async def operation(reader: Reader) -> Reply:
            if len(asked) != 1:
                raise Problem(422, f"Give exactly one of {', '.join((ANY, *names))}.")
            ((name, value),) = asked.items()
            asked_for = search(
                reader.served, name, value, hash_key=_hash_key(service), sees=reader.client.sees
            )
            data = await find_customers(reader, asked_for)
            about = tuple(
                (customer.label, one["key"]) for one in data["customers"] if one["key"] is not None
            )
            return Reply(body=json_bytes(data), rows=len(data["customers"]), about=about)

        return await service.respond(request, Route(name="/v1/customers"), operation)

    _with_query(found, "given", parameters)
    _add(
        router,
        "/customers",
        found,
        openapi.found_model(view),
        "The customers that a value identifies, as it is, normalised or hashed.",
        statuses=(403, 422),
    )
    _add_customer_parts(router, service, customer, view, around)


def _add_customer_parts(
    router: APIRouter,
    service: Service,
    customer: ServedLabel,
    view: type[BaseModel],
    around: type[BaseModel],
) -> None:
    async def one(request: Request, key: _KEY) -> Response:
        async def operation(reader: Reader) -> Reply:
            return Reply(body=json_bytes(await customer_view(reader, key)))

        return await service.respond(
            request, Route(name="/v1/customers/{key}", about=((customer.label, key),)), operation
        )

    async def journey(request: Request, key: _KEY) -> Response:
        async def operation(reader: Reader) -> Reply:
            data = journey_data(await read_journey(reader, key))
            return Reply(body=json_bytes(data), rows=len(data["steps"]))

        return await service.respond(
            request,
            Route(name="/v1/customers/{key}/journey", about=((customer.label, key),)),
            operation,
        )

    _add(
        router,
        "/customers/{key}",
        one,
        view,
        "A customer's profile and activity.",
        statuses=(403, 404, 422),
    )
    _add(
        router,
        "/customers/{key}/journey",
        journey,
        openapi.JourneyDocument,
        "What happened, the earliest first.",
        statuses=(403, 404, 422),
    )
    _add_neighbourhood(router, service, customer, "/customers/{key}/neighbourhood", around)


def _add_neighbourhood(
    router: APIRouter, service: Service, label: ServedLabel, path: str, model: type[BaseModel]
) -> None:
    async def neighbourhood(
        request: Request,
        key: _KEY,
        hops: Annotated[int, Query(ge=1, le=3)] = 2,
        limit: Annotated[int, Query(ge=1, le=MOST_NODES)] = 200,
    ) -> Response:
        async def operation(reader: Reader) -> Reply:
            of = reader.label(label.label)
            data = await read_neighbourhood(reader, of, key, hops=hops, limit=limit)
            return Reply(body=json_bytes(data), rows=len(data["nodes"]))

        return await service.respond(
            request, Route(name=f"/v1{path}", about=((label.label, key),)), operation
        )

    _add(
        router,
        path,
        neighbourhood,
        model,
        "Nodes and relationships around a node, for drawing.",
        statuses=(403, 404, 422),
    )


def _add_label(
    router: APIRouter, service: Service, label: ServedLabel, around: type[BaseModel]
) -> None:
    node = openapi.node_model(label)
    if label.key:
        _add_node(router, service, label, node, around)
    parameters = _filter_parameters(label)

    async def page(request: Request, given: Any) -> Response:
        asked = given.model_dump(by_alias=True)
        limit, cursor = asked.pop("limit"), asked.pop("cursor")
        filters = [
            Filter(property=prop.name, suffix=suffix, value=value)
            for prop in label.properties
            for suffix in OPERATORS
            if (value := asked.get(f"{prop.name}{suffix}")) is not None
        ]

        async def operation(reader: Reader) -> Reply:
            data = await read_page(
                reader, reader.label(label.label), filters, limit=limit, cursor=cursor
            )
            return Reply(body=json_bytes(data), rows=len(data["nodes"]))

        return await service.respond(request, Route(name=f"/v1/{label.path}"), operation)

    _with_query(page, "given", parameters)
    _add(
        router,
        f"/{label.path}",
        page,
        openapi.page_model(label, node),
        f"Nodes of {label.label}, page by page in the order of their key.",
        statuses=(400, 403, 422),
    )


def _add_node(
    router: APIRouter,
    service: Service,
    label: ServedLabel,
    node: type[BaseModel],
    around: type[BaseModel],
) -> None:
    path = f"/{label.path}/{{key}}"

    async def one(request: Request, key: _KEY) -> Response:
        async def operation(reader: Reader) -> Reply:
            return Reply(body=json_bytes(await read_node(reader, reader.label(label.label), key)))

        return await service.respond(
            request, Route(name=f"/v1{path}", about=((label.label, key),)), operation
        )

    _add(router, path, one, node, f"A node of {label.label}.", statuses=(403, 404, 422))
    _add_neighbourhood(router, service, label, f"{path}/neighbourhood", around)


def _search_parameters(names: tuple[str, ...]) -> type[BaseModel]:
    fields: dict[str, Any] = {
        f"parameter_{index}": (
            str | None,
            Field(default=None, alias=name, min_length=1, max_length=1_000, description=text),
        )
        for index, (name, text) in enumerate(
            ((ANY, "Any identifier."), *((name, f"The property {name}.") for name in names))
        )
    }
    return create_model("Identifiers", __config__=ConfigDict(extra="forbid"), **fields)


def _filter_parameters(label: ServedLabel) -> type[BaseModel]:
    fields: dict[str, Any] = {
        "limit": (int, Field(default=100, ge=1, le=MOST_LISTED)),
        "cursor": (
            str | None,
            Field(default=None, description="`next` of the page before; the filters are the same."),
        ),
    }
    for index, prop in enumerate(label.properties):
        for suffix, operator in OPERATORS.items():
            name = f"{prop.name}{suffix}"
            if prop.type in (ORDERED if suffix else FILTERED) and name not in ("limit", "cursor"):
                fields[f"filter_{index}_{operator}"] = (
                    str | None,
                    Field(
                        default=None,
                        alias=name,
                        max_length=1_000,
                        description=f"{prop.name} {operator} this value, of the type {prop.type}.",
                    ),
                )
    return create_model(f"Filters_{label.path}", __config__=ConfigDict(extra="forbid"), **fields)


def _with_query(handler: Handler, name: str, model: type[BaseModel]) -> None:
    """Say that a handler's parameter is the query as a model that is made for this graph."""
    signature = inspect.signature(handler)
    parameters = [
        parameter.replace(annotation=Annotated[model, Query()])
        if parameter.name == name
        else parameter
        for parameter in signature.parameters.values()
    ]
    handler.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]


def _hash_key(service: Service) -> str | None:
    key = service.settings.c360_hash_key
    return key.get_secret_value() if key else None


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    wrong = tuple(
        {
            "parameter": ".".join(str(part) for part in one["loc"][1:])[:200],
            "detail": str(one["msg"])[:300],
        }
        for one in error.errors()[:20]
    )
    return Problem(422, "A parameter is wrong or unknown.", errors=wrong).response()


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = {k: v for k, v in (error.headers or {}).items() if k.lower() == "allow"}
    detail = "See /v1/openapi.json for what there is." if error.status_code == 404 else ""
    return Problem(error.status_code, detail, headers=headers).response()


async def _problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return error.response()


async def _failed(_: Request, __: Exception) -> Response:
    # Whoever runs the server finds it in the log.
    return Problem(500, "").response()
