"""A page as a whole, and what data can never do to it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c360_graph.report.page import Edge, Headline, Node, Page, Picture, Section, render, table_of

MADE_AT = datetime(2025, 11, 3, 7, 8, 9, tzinfo=UTC)
SMALL_BODY = (
    "<body>\n<header>\n<h1>Customer 360</h1>\n"
    '<p class="subtitle">1 of 2 questions answered</p>\n'
    '<p class="subtitle" id="made">Made 2025-11-03 07:08 UTC</p>\n</header>\n<main>\n'
    '<p class="headline" id="headline-1"><strong>5</strong>'
    " <span>users &lt;b&gt;share&lt;/b&gt; a card</span></p>\n"
    '<dl class="figures">\n<div><dt>Nodes</dt><dd>1,234</dd></div>\n</dl>\n'
    '<section class="answer" id="plans">\n<h2>Plans &amp; fees</h2>\n'
    '<p class="description">One row for each.</p>\n'
    '<div class="table" tabindex="0">\n<table>\n<thead><tr>'
    '<th class="short">plan name</th><th class="number">fee</th></tr></thead>\n<tbody>\n'
    '<tr><td class="short">&lt;script&gt;x&lt;/script&gt;</td>'
    '<td class="number">1.5</td></tr>\n'
    '<tr><td class="short"></td><td class="number"></td></tr>\n'
    "</tbody>\n</table>\n</div>\n"
    '<p class="note">and 20 more rows</p>\n</section>\n'
    '<section class="answer" id="ships">\n<h2>Ships</h2>\n'
    '<p class="note">Skipped.</p>\n</section>\n</main>\n'
    "<footer>This file holds customers' data: store it where"
    " only authorized people can read it.</footer>\n</body>\n</html>"
)
HOSTILE = '</script><script>alert(\'x\')</script><!-- & " onload="y" {{ 7*7 }}'


def test_a_small_page_is_written_whole() -> None:
    page = Page(
        title="Customer 360",
        subtitle="1 of 2 questions answered",
        made_at=MADE_AT,
        rules="abc",
        headlines=(Headline(number="5", words="users <b>share</b> a card"),),
        figures=(("Nodes", "1,234"),),
        sections=(
            Section(
                name="plans",
                title="Plans & fees",
                description="One row for each.",
                table=table_of(
                    ("plan_name", "fee"), [("<script>x</script>", 1.5), (None, None)], row_count=70
                ),
            ),
            Section(name="ships", title="Ships", note="Skipped."),
        ),
    )
    html = render(page)
    body = html[html.index("<body>") :]
    assert body == SMALL_BODY
    assert '<meta name="c360-rules" content="abc">' in html
    assert _policy(html) == (
        "default-src 'none'; script-src 'none'; style-src 'unsafe-inline'; img-src data:;"
        " base-uri 'none'; form-action 'none'"
    )


def test_a_browser_runs_our_two_scripts_and_nothing_else() -> None:
    html = render(_page_with(HOSTILE))
    scripts = [text for kind, text in _scripts(html) if kind is None]
    assert len(scripts) == 2
    hashes = [
        "'sha256-" + base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() + "'"
        for s in scripts
    ]
    assert f"script-src {' '.join(hashes)};" in _policy(html)


@pytest.mark.parametrize("text", [HOSTILE, "]]>\u2028", "a\x00b", "&lt;"])
def test_data_reaches_the_picture_as_it_is(text: str) -> None:
    drawn = json.loads(next(t for kind, t in _scripts(render(_page_with(text))) if kind))
    assert drawn["pictures"][0]["nodes"][0] == {
        "id": "n1",
        "kind": text,
        "caption": text,
        "details": [[text, text]],
    }


@settings(max_examples=25, deadline=None)
@given(st.text())
def test_no_text_of_the_data_makes_an_element(text: str) -> None:
    assert _elements(render(_page_of(text))) == _elements(render(_page_of("")))


def _page_of(text: str) -> Page:
    return Page(
        title=text,
        subtitle=text,
        made_at=MADE_AT,
        headlines=(Headline(number=text, words=text),),
        sections=(
            Section(name="s", title=text, note=f"n{text}", table=table_of((text,), [(text,)])),
        ),
    )


def _page_with(text: str) -> Page:
    nodes = (Node(id="n1", kind=text, caption=text, details=((text, text),)),)
    picture = Picture(
        name="ring",
        title=text,
        description=text,
        nodes=nodes,
        edges=(Edge(source="n1", target="n1", kind=text),),
    )
    return Page(title=text, subtitle=text, made_at=MADE_AT, pictures=(picture,))


def _policy(html: str) -> str:
    found = re.search(r'Content-Security-Policy" content="([^"]*)"', html)
    assert found
    return found[1].replace("&#39;", "'")


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.scripts: list[tuple[str | None, str]] = []
        self._kind: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        if tag == "script":
            self.scripts.append((dict(attrs).get("type"), ""))

    def handle_data(self, data: str) -> None:
        if self.cdata_elem == "script":
            kind, text = self.scripts[-1]
            self.scripts[-1] = (kind, text + data)


def _read(html: str) -> _Reader:
    reader = _Reader()
    reader.feed(html)
    return reader


def _scripts(html: str) -> list[tuple[str | None, str]]:
    return _read(html).scripts


def _elements(html: str) -> list[str]:
    return _read(html).elements
