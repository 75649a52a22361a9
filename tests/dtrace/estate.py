"""One host behind a real sshd, with a real dtrace or a stand-in, collected by the engine into a store, in process."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from collectors.base import Source
from collectors.dtrace.asker import Asker
from collectors.dtrace.door import Policy
from collectors.engine import Engine
from collectors.inventory import Host, Inventory
from frames.requests import Request, Requests
from frames.store import Store, Writer
from tests.sshd import Sshd, wait_for


def processes(name: str) -> list[psutil.Process]:
    """Whatever of the question's program still lives: wrappers, shells, dtrace.

    dtrace cuts its own copy of the program at the first slash, that of the comment's beginning.
    """
    mark = f"* zonescope {name} */"
    found = []
    for p in psutil.process_iter(["cmdline", "status"]):
        if p.info["status"] != psutil.STATUS_ZOMBIE and any(mark in word for word in p.info["cmdline"] or []):
            found.append(p)
    return found


def dtraces(name: str) -> list[psutil.Process]:
    """The dtrace itself, without what is around it."""
    return [p for p in processes(name) if "sh" not in p.name()]


def host(sshd: Sshd, **more: Any) -> Host:
    o = sshd.link_options("box")
    fields = ("address", "port", "user", "identity", "known_hosts", "ssh_config")
    return Host(**{f: getattr(o, f) for f in fields}, **{"sources": [], "dtrace": ["*"], **more})


class Estate:
    """`with Estate(folder, sshd) as estate:` collects until the block ends."""

    def __init__(
        self,
        folder: Path,
        sshd: Sshd,
        *,
        policy: Policy | None = None,
        sources: Mapping[str, Source] | None = None,
        **more: Any,
    ) -> None:
        self.folder = folder / "history"
        self.sshd = sshd
        self.writer = Writer(self.folder, commit_every=3600.0)
        self.requests = Requests(self.folder)
        self.asker = Asker(self.requests, policy)
        inventory = Inventory(hosts={"box": host(sshd, sources=list(sources or {}), **more)})
        self.engine = Engine(inventory, self.writer, sources or {}, each_beat=[self.asker])
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self.engine.run, args=(self._stop,))

    def __enter__(self) -> Estate:
        self._thread.start()
        wait_for(lambda: self.engine.hosts["box"].state == "up", "the host is up", 60)
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join(30)
        self.writer.close()

    def ask(self, question: str, who: str = "anna", **more: Any) -> str:
        return self.requests.ask("dtrace_start", {"hosts": ["box"], "question": question, **more}, who)

    def request(self, id_: str) -> Request:
        request = self.requests.get(id_)
        assert request
        return request

    def started(self, id_: str, seconds: float = 90.0) -> None:
        wait_for(lambda: self.request(id_).state not in ("asked", "taken"), "the question has started", seconds)
        assert self.request(id_).state == "running", self.request(id_).why

    def ended(self, id_: str, seconds: float = 60.0) -> str:
        """Why, in words."""
        wait_for(lambda: self.request(id_).state in ("ended", "refused"), "the question has ended", seconds)
        return self.request(id_).why

    def gone(self, question: str, seconds: float = 30.0) -> None:
        wait_for(lambda: not processes(question), "no process of it is left on the host", seconds)

    def store(self) -> Store:
        return Store(self.folder)

    def events(self) -> list[tuple[str, str]]:
        """(who, text) of D questions so far."""
        with self.store() as store:
            frame = store.events(time.time() - 3600, time.time() + 60, kind=["dtrace"])
        return list(zip(frame["who"], frame["text"], strict=True))


def tools(folder: Path, script: str) -> dict[str, str]:
    """The environment of a session whose `dtrace` is the shell script `script`."""
    folder.mkdir(exist_ok=True)
    path = folder / "dtrace"
    path.write_text(script)
    path.chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}
