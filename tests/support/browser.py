"""Pages in a headless Chromium: they may not complain in the console, nor ask anybody for anything.

`visit` opens a file; when the test ends, its page must have had no error and no request that leaves
the file. Without playwright or chromium the tests of pages are skipped. A module lasts as long as
its browser, since playwright keeps an event loop running in the thread.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

QUIET = (
    "--no-sandbox",  # which root has none of
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
)


@pytest.fixture(scope="module")
def browser():
    """A running Chromium."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("there is no chromium: apt-get install chromium")
    with api.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=path, args=list(QUIET))
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser) -> Callable[..., Any]:
    """`visit(path, fragment="", **options) -> page`; options are those of a browser context, such
    as `color_scheme="dark"` or `viewport={"width": 390, "height": 800}`."""
    contexts, complaints, requests, opened = [], [], [], set()

    def open_file(path: Path, fragment: str = "", **options: Any) -> Any:
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: said.type == "error" and complaints.append(said.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        opened.add(path.resolve().as_uri())
        page.goto(path.resolve().as_uri() + fragment)
        return page

    yield open_file
    for context in contexts:
        context.close()
    assert complaints == []
    elsewhere = {url.split("#")[0] for url in requests} - opened
    assert [url for url in elsewhere if not url.startswith(("data:", "blob:"))] == []
