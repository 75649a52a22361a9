"""The live tail: every second once and in order, for the punctual, the late, the slow, and over a restart."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

import pytest

from frames.store import Writer
from frames.tail import Follower, Second, TailError, addresses, default_address, sockets
from tests.frames.samples import numbered


async def take(follower: Follower, count: int, backlog: float = 600.0) -> list[Second]:
    out: list[Second] = []

    async def run() -> None:
        async for second in follower.follow(backlog):
            out.append(second)
            if len(out) == count:
                return

    await asyncio.wait_for(run(), 30)
    return out


def test_a_late_joiner_gets_the_backlog_and_then_what_comes(tmp_path: Path) -> None:
    now = int(time.time())

    async def run(writer: Writer) -> None:
        follower = Follower(addresses(tmp_path))
        for i in range(5):
            writer.append(now - 5 + i, numbered(i, now - 5 + i))
        assert [s.seq for s in await follower.backlog(60)] == [1, 2, 3, 4, 5]
        assert [s.second for s in await follower.backlog(0)] == []

        async def more() -> None:
            for i in range(5, 8):
                await asyncio.sleep(0.05)
                writer.append(now + i, numbered(i, now + i))

        got, _ = await asyncio.gather(take(follower, 8), more())
        assert [s.seq for s in got] == list(range(1, 9))
        assert got[6].frames["arcstats"].equals(numbered(6, now + 6)["arcstats"])
        assert set(got[0].frames) == set(numbered(0, 0))
        assert got[0].owner == "collector"
        follower.close()

    with Writer(tmp_path, commit_every=3600) as writer:
        asyncio.run(run(writer))


def test_what_a_slow_follower_missed_is_fetched(tmp_path: Path) -> None:
    """More than the sockets hold, while the follower's task does not read."""
    now = int(time.time())  # not the module's: minutes lie between a collection and a test

    async def run(writer: Writer) -> list[Second]:
        follower = Follower(addresses(tmp_path))
        got: list[Second] = []

        async def more() -> None:
            """Seconds that follow: the first may be lost as well, while the sockets are still full."""
            while True:
                await asyncio.sleep(0.2)
                writer.append(now, numbered(400, now))

        async for second in follower.follow(600):
            got.append(second)
            if len(got) == 1:
                for i in range(400):
                    writer.append(now, numbered(i, now))
                later = asyncio.create_task(more())
            if second.seq >= 402:
                break
        later.cancel()
        follower.close()
        return got

    with Writer(tmp_path, commit_every=3600) as writer:
        writer.append(now, numbered(0, now))
        got = asyncio.run(asyncio.wait_for(run(writer), 60))
    assert len(got) >= 402
    assert [s.seq for s in got] == list(range(1, len(got) + 1))


def test_a_follower_outlives_its_collector(tmp_path: Path) -> None:
    now = int(time.time())

    async def run() -> None:
        follower = Follower(default_address(tmp_path))  # before anybody listens there
        seqs: list[int] = []

        async def follow() -> None:
            async for second in follower.follow():
                seqs.append(second.seq)

        task = asyncio.create_task(follow())
        last = 0
        for _ in range(2):
            with Writer(tmp_path, commit_every=3600) as writer:
                until = time.monotonic() + 30
                while last not in seqs or not last:
                    assert time.monotonic() < until
                    last = await asyncio.to_thread(writer.append, now, numbered(last, now))
                    await asyncio.sleep(0.05)
            last = 0
        task.cancel()
        assert seqs == sorted(set(seqs))
        follower.close()

    asyncio.run(run())


def test_what_a_collector_said_before_the_follower_reached_it_is_fetched(tmp_path: Path) -> None:
    """A dashboard that waits for its collector: the first second holds what is said once (hosts, pairs)."""
    now = int(time.time())
    address = default_address(tmp_path)

    async def run() -> list[Second]:
        follower = Follower(address)
        taking = asyncio.create_task(take(follower, 4))
        await asyncio.sleep(2.2)  # it has asked in vain
        with Writer(tmp_path, commit_every=3600, tail=address) as writer:
            for i in range(3):
                writer.append(now + i, numbered(i, now + i))
            while not taking.done():
                await asyncio.sleep(0.2)
                writer.append(now + 3, numbered(3, now + 3))
        follower.close()
        return await taking

    assert [s.seq for s in asyncio.run(run())] == [1, 2, 3, 4]


def test_addresses_fit_a_socket_and_are_found_in_the_folder(tmp_path: Path) -> None:
    deep = tmp_path / ("long" * 25)
    with Writer(deep, commit_every=3600):
        (address,) = addresses(deep)
        assert all(len(part.removeprefix("ipc://").encode()) <= 107 for part in sockets(address))
        assert address.startswith(f"ipc://{tempfile.gettempdir()}/zonescope-")
    assert addresses(tmp_path / "nothing") == []
    assert sockets("tcp://127.0.0.1:7411") == ("tcp://127.0.0.1:7411", "tcp://127.0.0.1:7412")
    with pytest.raises(TailError, match="neither ipc://path nor tcp://host:port"):
        sockets("http://x")
    with pytest.raises(TailError, match="nowhere"):
        Writer(tmp_path / "other", tail="ipc:///nowhere/at/all")
    with Writer(tmp_path / "other", commit_every=3600) as again:  # the failure left no lock behind
        assert again.append(int(time.time()), {}) == 1
