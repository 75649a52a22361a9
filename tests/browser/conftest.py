"""A page of every panel kind from `dashboard.harness`, in headless Chromium."""

from __future__ import annotations

import itertools
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from dashboard.live import Live, NoHistory
from frames.tail import Second
from tests.dashboard.serving import Dashboard

CHROMIUM = shutil.which("chromium")
ARGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
]


@pytest.fixture(scope="session")
def harness() -> Iterator[str]:
    """URL of the synthetic page."""
    with subprocess.Popen(
        [sys.executable, "-m", "dashboard.harness", "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    ) as process:
        assert process.stdout
        try:
            url = process.stdout.readline().strip().split()[-1]
            assert url.startswith("http"), url
            for _ in range(400):  # it says where before it listens
                with suppress(OSError), socket.create_connection((urlsplit(url).hostname, urlsplit(url).port)):
                    break
                time.sleep(0.05)
            yield url
        finally:
            process.terminate()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A page that a busy machine draws too late gets another chance."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.flaky(reruns=2))


# By module, not session: playwright's loop runs in the main thread while it is open, and no asyncio.run beside it.
@pytest.fixture(scope="module")
def chromium() -> Iterator[object]:
    if CHROMIUM is None:
        pytest.skip("no chromium here: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        yield browser
        browser.close()


@contextmanager
def fed(
    folder: Path, second: Callable[[int], dict[str, Any]], before: Mapping[str, Any] | None = None
) -> Iterator[str]:
    """URL of a dashboard without a history, whose ring holds all that a page asks for: `before`, then frames of a
    quarter of an hour, and a second more each second."""
    stop, seq, now = threading.Event(), itertools.count(1), int(time.time())
    live = Live(NoHistory())

    def feed(at: int, frames: Mapping[str, Any]) -> None:
        live.add(Second(next(seq), at, "test", frames))

    feed(now - 1100, before or {})
    for at in [*range(now - 1100, now - 60, 20), *range(now - 60, now)]:
        feed(at, second(at))

    def feeding() -> None:
        while not stop.wait(1.0 - time.time() % 1):
            feed(int(time.time()), second(int(time.time())))

    dashboard = Dashboard(folder, live=live, still=True)
    thread = threading.Thread(target=feeding, daemon=True)
    thread.start()
    yield dashboard.url
    stop.set()
    thread.join(5)
    dashboard.stop()


@pytest.fixture
def visit(chromium) -> Iterator[Callable[..., Any]]:
    """Opens a URL in a context of its own; no page says an error or opens a dialog."""
    contexts, errors = [], []

    def visited(url: str, width: int = 1600) -> Any:
        context = chromium.new_context(viewport={"width": width, "height": 1100}, color_scheme="dark")
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda e: errors.append(str(e)))
        page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        page.on("dialog", lambda d: errors.append(d.message))
        page.goto(url)
        return page

    yield visited
    for context in contexts:
        context.close()
    assert errors == []


class Page:
    """A loaded page; `open` again with other settings where a test needs them."""

    def __init__(self, chromium: object, url: str) -> None:
        self.chromium, self.url = chromium, url
        self.errors: list[str] = []
        self.contexts: list = []

    def open(self, path: str = "", *, width: int = 1600, height: int = 1100, script: str = "", ready: bool = True):
        context = self.chromium.new_context(viewport={"width": width, "height": height}, color_scheme="dark")
        self.contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda e: self.errors.append(str(e)))
        if script:
            page.add_init_script(script)
        page.goto(self.url + path)
        if ready:
            page.wait_for_function(DRAWN, timeout=30000)
        return page


DRAWN = """() => window.zs && zs.panels.size > 5 && ['p-h-heat', 'p-h-mirror', 'p-h-lines'].every((id) => {
  const d = zs.debug.panel(id);
  return d && d.drawn && d.geo && d.newest !== null;
})"""


@pytest.fixture
def site(chromium: object, harness: str) -> Iterator[Page]:
    page = Page(chromium, harness)
    yield page
    for context in page.contexts:
        context.close()
    assert page.errors == []
