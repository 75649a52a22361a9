"""A page of every panel kind from `dashboard.harness`, in headless Chromium."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

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
