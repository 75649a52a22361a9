"""What the tests of links share."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from collectors.links import Link, LinkOptions, make_link


@pytest.fixture
def connect() -> Iterator[Callable[..., Any]]:
    """connect(options) -> a connected link, closed at the test's end."""
    links: list[Link] = []

    def make(options: LinkOptions) -> Link:
        link = make_link(options)
        links.append(link)
        link.connect()
        return link

    yield make
    for link in links:
        link.close()


@pytest.fixture(params=["paramiko", "openssh"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def number() -> str:
    """A number that no other process has as an argument: seconds for a sleep that is then looked for."""
    return str(random.randint(10**7, 10**8))
