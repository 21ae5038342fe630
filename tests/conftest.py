"""Fixtures that several test files share: a folder in memory; a server, a browser, a page."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from page_helpers import CHROMIUM, DESK, HOME, WAIT_MS, serving


@pytest.fixture
def memory_path():
    """A folder in memory where there is one: databases that sync every change are faster there."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    with serving(folder, HOME or folder) as (_, at):
        yield at


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        arguments = ["--no-sandbox", "--disable-background-networking"]
        opened = started.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield opened
        opened.close()


@pytest.fixture
def visit(browser, address):
    """Opens the page in a fresh browser profile; checks at the end that nothing went wrong."""
    contexts, problems, requests = [], [], []

    def open_page(viewport=DESK, path="/", **options):
        context = browser.new_context(viewport=viewport, locale="zh-CN", **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(WAIT_MS)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
        page.on("dialog", lambda dialog: problems.append(f"dialog: {dialog.message}"))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(address + path)
        page.wait_for_selector(".welcome, .turn")
        return page

    yield open_page
    hacked = [p.evaluate("window.hacked") for c in contexts for p in c.pages]
    # A page that is left, reloaded or closed ends its open requests, which it may still report.
    problems = [p for p in problems if not p.startswith("AbortError: signal is aborted")]
    for context in contexts:
        context.close()
    outside = [url for url in requests if not url.startswith((address, "data:", "blob:"))]
    assert outside == []
    assert problems == []
    assert set(hacked) <= {None}
