"""The routes of the page, with the same clients, scopes and records as the API, and its templates.

Values in a template are escaped, and cannot change the direction of the text beside them.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path as FilePath
from typing import Annotated, Any
from urllib.parse import parse_qs, quote, urlsplit

from fastapi import APIRouter, Path, Request, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from pydantic import AfterValidator

from c360_graph.customer.journey import cuts, repeats, steps
from c360_graph.questions import shown
from c360_graph.report.page import chart_of, table_of
from c360_graph.serve.answer_routes import answers_for, ask_whole
from c360_graph.serve.answering import refuse_for
from c360_graph.serve.clients import COOKIE
from c360_graph.serve.customers import (
    ANY,
    customer_view,
    find_customers,
    identifier_names,
    read_journey,
    read_neighbourhood,
    search,
)
from c360_graph.serve.graph_state import freshness
from c360_graph.serve.page.drawing import bars, draw, title_of
from c360_graph.serve.reading import Reader, read_node
from c360_graph.serve.schema import ServedLabel
from c360_graph.serve.service import Reply, Route, Service
from c360_graph.serve.values import Problem, whole_segment
from c360_graph.text import visible

_FOLDER = FilePath(__file__).parent
STYLE = (_FOLDER / "page.css").read_text(encoding="utf-8")

HTML = "text/html"
MOST_STEPS = 100
MOST_DRAWN = 80

Shown = Callable[[Reader], Awaitable[dict[str, Any]]]
_KEY = Annotated[str, AfterValidator(whole_segment), Path(max_length=2_000)]


def rendered(template: str, **values: Any) -> str:
    """A page of the folder `html`."""
    return _environment().get_template(f"{template}.html.jinja").render(**values)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER / "html"),
        autoescape=True,
        finalize=_visible,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["shown"] = shown
    environment.filters["moment"] = _moment
    return environment


def _visible(value: Any) -> Any:
    is_data = isinstance(value, str) and not isinstance(value, Markup)
    return visible(value) if is_data else value


def _moment(value: Any) -> str:
    return f"{value:%Y-%m-%d %H:%M}" if isinstance(value, datetime) else shown(value)


def page_router(service: Service) -> APIRouter:
    """Search, customers, other nodes, answers, and the key of who looks at them."""
    router = APIRouter(include_in_schema=False, redirect_slashes=False)
    _add_entry(router, service)
    _add_search(router, service)
    _add_nodes(router, service)
    _add_answers(router, service)
    return router


def _add_entry(router: APIRouter, service: Service) -> None:
    async def style(_: Request) -> Response:
        return Response(
            STYLE, media_type="text/css", headers={"Cache-Control": "max-age=3600, public"}
        )

    async def home(request: Request) -> Response:
        async def shown(reader: Reader) -> dict[str, Any]:
            snapshot = service.watch.current
            return {
                "answers": answers_for(service, reader),
                "parts": [
                    {
                        "label": label,
                        "nodes": snapshot.manifest.nodes.get(label),
                        "tables": [*snapshot.manifest.table_keys.get(label, ())],
                    }
                    for label in snapshot.manifest.labels
                    if reader.client.sees(label)
                ],
                "fresh": freshness(snapshot, reader.client),
            }

        return await _page(service, request, "home", "/", shown)

    async def log_in(request: Request) -> Response:
        _refuse_other_sites(request)
        key = (await _form(request)).get("key", "")
        try:
            service.clients.identify(key or None)
        except Problem:
            return _html("login", service, status=401, wrong=True)
        response = Response(status_code=303, headers={"Location": "/"})
        response.set_cookie(
            COOKIE, key, httponly=True, samesite="strict", secure=request.url.scheme == "https"
        )
        return response

    async def log_out(request: Request) -> Response:
        _refuse_other_sites(request)
        response = Response(status_code=303, headers={"Location": "/"})
        response.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return response

    router.add_api_route("/static/page.css", style, response_model=None)
    router.add_api_route("/", home, response_model=None)
    router.add_api_route("/login", log_in, methods=["POST"], response_model=None)
    router.add_api_route("/logout", log_out, methods=["POST"], response_model=None)


def _add_search(router: APIRouter, service: Service) -> None:
    async def found(request: Request) -> Response:
        _refuse_other_sites(request)
        # By POST, so that what was typed stands in no address, log or history.
        value = (await _form(request)).get("q", "").strip()[:1_000]
        only: list[str] = []

        async def shown(reader: Reader) -> dict[str, Any]:
            if not value:
                return {"found": []}
            key = service.settings.c360_hash_key
            asked = search(
                reader.served,
                ANY,
                value,
                hash_key=key.get_secret_value() if key else None,
                sees=reader.client.sees,
            )
            views = (await find_customers(reader, asked))["customers"]
            if len(views) == 1 and views[0]["key"] is not None:
                only.append(_href(reader.customer_label(), views[0]["key"], reader))
            return {"found": [_linked(reader, view) for view in views]}

        response = await _page(service, request, "found", "/search", shown)
        if only:
            return Response(status_code=303, headers={"Location": only[0]})
        return response

    router.add_api_route("/search", found, methods=["POST"], response_model=None)


def _add_nodes(router: APIRouter, service: Service) -> None:
    async def customer(request: Request, key: _KEY) -> Response:
        async def shown(reader: Reader) -> dict[str, Any]:
            label = reader.customer_label()
            view = await customer_view(reader, key)
            journey = await read_journey(reader, key)
            told = list(reversed(steps(journey)))
            return {
                **await _around(request, reader, label, key),
                "node": view,
                "title": title_of(view),
                "view": view,
                "possibly_same": [
                    {**other, "href": _href(label, other["key"], reader) if other["key"] else None}
                    for other in view["possibly_same"]
                ],
                "steps": told[:MOST_STEPS],
                "more_steps": max(0, len(told) - MOST_STEPS),
                "repeats": repeats(journey),
                "cuts": cuts(journey),
            }

        label = service.watch.current.served.customer or ""
        return await _page(
            service, request, "node", "/customers/{key}", shown, about=((label, key),)
        )

    async def node(request: Request, path: str, key: _KEY) -> Response:
        async def shown(reader: Reader) -> dict[str, Any]:
            label = _label(reader, path)
            found = await read_node(reader, label, key)
            return {
                **await _around(request, reader, label, key),
                "node": found,
                "title": title_of(found),
                "view": None,
            }

        known = service.watch.current.served.by_path.get(path)
        about = ((known.label, key),) if known else ()
        return await _page(service, request, "node", "/nodes/{label}/{key}", shown, about=about)

    router.add_api_route("/customers/{key}", customer, response_model=None)
    router.add_api_route("/nodes/{path}/{key}", node, response_model=None)


async def _around(request: Request, reader: Reader, label: ServedLabel, key: str) -> dict[str, Any]:
    hops = 2 if request.query_params.get("hops") == "2" else 1
    hidden = request.query_params.getlist("hide")
    around = await read_neighbourhood(reader, label, key, hops=hops, limit=MOST_DRAWN)
    hrefs = {
        one["id"]: _href(reader.served.labels[one["label"]], one["key"], reader)
        for one in around["nodes"]
        if one["key"] is not None
    }
    drawing = draw(around, hidden=hidden, hrefs=hrefs)
    toggles = {}
    for legend in drawing.legend:
        others = [name for name in hidden if name != legend.label]
        wanted = others if legend.is_hidden else [*others, legend.label]
        toggles[legend.label] = _query(hops, wanted)
    return {
        "drawing": drawing,
        "toggles": toggles,
        "hops": hops,
        "other_hops": _query(3 - hops, hidden),
        "neighbours": [
            {"node": one, "title": title_of(one), "href": hrefs.get(one["id"])}
            for one in around["nodes"][1:]
            if one["label"] not in hidden
        ],
    }


def _query(hops: int, hidden: list[str]) -> str:
    parts = [f"hops={hops}", *(f"hide={quote(name, safe='')}" for name in hidden)]
    return f"?{'&'.join(parts)}#graph"


def _add_answers(router: APIRouter, service: Service) -> None:
    async def answer(request: Request, name: str) -> Response:
        given = {k: v for k, v in request.query_params.items() if v.strip()}

        async def shown(reader: Reader) -> dict[str, Any]:
            question = service.known_question(name)
            if question is None:
                raise Problem(404, "There is no such answer.")
            refuse_for(reader.client, question, reader.served)
            found = await ask_whole(service, reader, question, given)
            chart = chart_of(found)
            table = table_of(found.columns, found.rows, row_count=found.row_count, most=200)
            return {
                "question": question,
                "given": given,
                "table": table,
                "links": [_links(reader, found.columns, row) for row in found.rows[:200]],
                "chart": chart,
                "bars": bars(chart) if chart else (),
            }

        return await _page(service, request, "answer", "/answers/{name}", shown)

    router.add_api_route("/answers/{name}", answer, response_model=None)


@dataclass(frozen=True, kw_only=True)
class Link:
    """What a cell of an answer leads to: a node's page, or searches for the values in it."""

    href: str | None = None
    searches: tuple[str, ...] = ()


def _links(reader: Reader, columns: tuple[str, ...], row: tuple[Any, ...]) -> list[Link]:
    by_key = {
        label.key[0]: label
        for label in reader.served.labels.values()
        if len(label.key) == 1
        and reader.client.sees(label.label)
        and (reader.client.unmasked or not label.has_personal_key)
    }
    identifiers = identifier_names(reader.served)
    return [
        _link(reader, by_key.get(column), column.removesuffix("s") in identifiers, value)
        for column, value in zip(columns, row, strict=True)
    ]


def _link(reader: Reader, label: ServedLabel | None, is_identifier: bool, value: Any) -> Link:
    if label is not None and isinstance(value, str | int) and not isinstance(value, bool):
        return Link(href=_href(label, str(value), reader))
    values = value if isinstance(value, tuple) else (value,)
    if is_identifier and all(isinstance(one, str) and one for one in values):
        return Link(searches=values)
    return Link()


async def _page(
    service: Service,
    request: Request,
    template: str,
    route: str,
    shown: Shown,
    *,
    about: tuple[tuple[str, str], ...] = (),
) -> Response:
    async def operation(reader: Reader) -> Reply:
        values = await shown(reader)
        body = rendered(
            template, service=service, can_leave=COOKIE in request.cookies, **values
        ).encode()
        return Reply(body=body, media=HTML)

    # Personal data is not kept by browsers.
    route_of = Route(name=f"page {route}", media=HTML, lasts=0.0, about=about)
    response = await service.respond(request, route_of, operation)
    if response.status_code < 400:
        return response
    if response.status_code == 401:
        return _html("login", service, status=401, wrong=COOKIE in request.cookies)
    problem = json.loads(bytes(response.body))
    headers = {k: v for k, v in response.headers.items() if k == "retry-after"}
    return _html("problem", service, status=response.status_code, headers=headers, problem=problem)


def _html(
    template: str,
    service: Service,
    *,
    status: int,
    headers: dict[str, str] | None = None,
    **values: Any,
) -> Response:
    text = rendered(template, service=service, can_leave=False, **values)
    return Response(
        text, status, media_type=HTML, headers={"Cache-Control": "no-store", **(headers or {})}
    )


async def _form(request: Request) -> dict[str, str]:
    fields = parse_qs((await request.body()).decode("utf-8", "replace"), max_num_fields=10)
    return {name: values[0] for name, values in fields.items()}


def _refuse_other_sites(request: Request) -> None:
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        if site not in ("same-origin", "none"):
            raise Problem(403, "The form is of another site.")
        return
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise Problem(403, "The form is of another site.")


def _label(reader: Reader, path: str) -> ServedLabel:
    label = reader.served.by_path.get(path)
    if label is None:
        raise Problem(404, "There is no such label.")
    return reader.label(label.label)


def _href(label: ServedLabel, key: str, reader: Reader) -> str:
    segment = quote(key, safe="")
    is_customer = label.label == reader.served.customer
    return f"/customers/{segment}" if is_customer else f"/nodes/{label.path}/{segment}"


def _linked(reader: Reader, view: dict[str, Any]) -> dict[str, Any]:
    key = view["key"]
    href = None if key is None else _href(reader.customer_label(), key, reader)
    return {"title": title_of(view), "href": href, "view": view}
