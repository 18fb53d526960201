"""`c360 dev` on servers of the tests, and a browser in front of it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from playwright.sync_api import Page, Response, expect, sync_playwright

from c360_graph.sandbox.state import free_port, last_lines
from c360_graph_tests.conftest import REPOSITORY

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WIDTH, HEIGHT = 1400, 1000

_START_SECONDS = 120.0
_END_SECONDS = 30.0
# Of a page that is slow since everything else on the machine is busy.
_PAGE_MILLISECONDS = 60_000
_RUN_MILLISECONDS = 180_000
_ENDED = re.compile(r"^(Success|Failure|Canceled)$")


@dataclass(frozen=True, kw_only=True)
class DagsterUi:
    """A page of the browser, and where Dagster serves."""

    page: Page
    url: str

    def open(self, path: str) -> Page:
        """Show a page of the UI."""
        self.page.goto(f"{self.url}/{path}")
        return self.page

    def lineage(self, *groups: str) -> Page:
        """The asset graph with these groups unfolded."""
        unfolded = ",".join(f"global@global:{group}" for group in groups)
        page = self.open(f"asset-groups?expanded={unfolded}")
        page.get_by_text("Materialize all").wait_for()
        return page

    def launch(self, button: str) -> str:
        """Click a button that starts a run, and wait for the run's end as its page says it."""
        with self.page.expect_response(_has_launched):
            self.page.locator("button", has_text=re.compile(f"^{button}$")).click()
        page = self.open("runs")
        run = page.locator("a[href^='/runs/']").first.get_attribute("href")
        self.open((run or "").lstrip("/"))
        status = page.get_by_text(_ENDED).first
        status.wait_for(timeout=_RUN_MILLISECONDS)
        return status.inner_text()


def _has_launched(response: Response) -> bool:
    asked = response.request.post_data or ""
    return "/graphql" in response.url and "mutation Launch" in asked


@contextmanager
def dagster_ui(folder: Path) -> Iterator[DagsterUi]:
    """Serve from an empty folder until the block ends."""
    folder.mkdir()
    for name in ("dagster.yaml", "workspace.yaml"):
        shutil.copy(REPOSITORY / name, folder)
    with browser_page() as page, _served(folder) as url:
        yield DagsterUi(page=page, url=url)


@contextmanager
def browser_page() -> Iterator[Page]:
    """A page of the browser that the system has; playwright's own is not fetched."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.fail(
            "These tests need a browser: apt-get install chromium, or leave them out by"
            " pytest -m 'not browser'.",
            pytrace=False,
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        try:
            # A context, so that a test may open a page beside this one.
            context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT})
            context.set_default_timeout(_PAGE_MILLISECONDS)
            expect.set_options(timeout=_PAGE_MILLISECONDS)
            yield context.new_page()
        finally:
            browser.close()


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    port, log = free_port(), folder / "dev.log"
    command = [sys.executable, "-c", "from c360_graph.cli import app; app()", "dev"]
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [*command, "--port", str(port)],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_until_served(url, process, log)
            yield url
        finally:
            process.terminate()
            try:
                process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_until_served(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urlopen(f"{url}/server_info", timeout=5):  # noqa: S310
                return
        except (URLError, OSError):
            time.sleep(0.2)
    pytest.fail(f"c360 dev does not serve.\n{last_lines(file=log)}", pytrace=False)
