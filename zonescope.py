"""The command line: starts the parts and ends them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import webbrowser
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import structlog
import typer

if TYPE_CHECKING:
    from collectors.base import OS
    from collectors.inventory import Inventory
    from collectors.links.base import Link

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Watch Solaris zones and ZFS hosts over SSH: live, last night, next year.",
)

STORE = Path("zonescope-data")
"""Where the history goes when nobody says."""

HostsFile = Annotated[Path, typer.Argument(help="hosts.toml: which hosts, how to reach them", dir_okay=False)]
StoreFolder = Annotated[Path, typer.Option("--store", help="folder of the history", file_okay=False)]
Port = Annotated[int, typer.Option(help="port of the dashboard; 0 takes a free one")]
Address = Annotated[str, typer.Option(help="address the dashboard listens on")]


def _stop_on_signals(also_stdin: bool) -> threading.Event:
    """An event that SIGINT, SIGTERM, SIGHUP or (for a child of `demo`) the end of standard input sets.

    What has not ended 1.8 s later is ended hard: Ctrl-C promises two seconds.
    """
    stop = threading.Event()

    def end(*_: Any) -> None:
        if not stop.is_set():
            stop.set()
            timer = threading.Timer(1.8, os._exit, (130,))
            timer.daemon = True
            timer.start()

    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, end)
    if also_stdin:
        _when_stdin_ends(end)
    return stop


def _when_stdin_ends(call: Callable[[], object]) -> None:
    """Call once standard input has ended. Reads the descriptor itself: a thread that waits inside of sys.stdin holds
    a lock that the interpreter wants at its end, and aborts it."""

    def watch() -> None:
        while os.read(0, 4096):
            pass
        call()

    threading.Thread(target=watch, name="stdin", daemon=True).start()


def _log(verbose: bool) -> None:
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(10 if verbose else 20),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def _inventory(path: Path) -> Inventory:
    """The checked inventory; a bad one ends the program with its error and status 2."""
    from collectors.inventory import InventoryError, load
    from collectors.sources import load as sources

    try:
        return load(path, sources())
    except InventoryError as e:
        typer.echo(f"zonescope: {e}", err=True)
        raise typer.Exit(2) from None


@app.command()
def collect(
    hosts: HostsFile,
    store: StoreFolder = STORE,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="log more")] = False,
    keep_recordings: Annotated[float, typer.Option(min=0.001, help="GiB of recordings kept (record = true)")] = 2.0,
    child: Annotated[bool, typer.Option(hidden=True)] = False,
) -> None:
    """Collect from every host into the history, until Ctrl-C."""
    from collectors.dtrace.asker import Asker
    from collectors.engine import Engine, pairs_fact
    from collectors.memory import few_arenas
    from collectors.recorder import FOLDER, Recorder
    from collectors.sources import load
    from frames.requests import Requests
    from frames.store import StoreError, Writer

    few_arenas()
    _log(verbose)
    inventory = _inventory(hosts)
    stop = _stop_on_signals(child)
    try:
        writer = Writer(store)
    except StoreError as e:
        typer.echo(f"zonescope: {e}", err=True)
        raise typer.Exit(1) from None
    recorder = None
    if any(host.record for host in inventory.hosts.values()):
        recorder = Recorder(store / FOLDER, keep_bytes=round(keep_recordings * 2**30))
    engine = Engine(
        inventory,
        writer,
        load(),
        tap=recorder.channel if recorder else None,
        each_beat=[Asker(Requests(store)), *([recorder] if recorder else [])],
    )
    engine.add("host_facts", **pairs_fact(inventory))
    try:
        engine.run(stop)
    finally:
        if recorder:
            recorder.close()
        writer.close()


def _speed(text: str) -> float | None:
    """Times real time; None for "max"."""
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0.01 <= speed <= 100_000:
        raise typer.BadParameter(f"{text!r} is neither max nor a number of times, such as 1 or 10")
    return speed


def _time(text: str | None) -> float | None:
    """Epoch seconds of an ISO time, UTC where it names no zone."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no time such as 2026-11-23T21:30") from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


@app.command()
def replay(
    recordings: Annotated[list[Path], typer.Argument(help="recordings, or folders of them")],
    store: StoreFolder = Path("zonescope-replay"),
    speed: Annotated[str, typer.Option(help="1 as it was, 10 ten times as fast, max as fast as it goes")] = "max",
    only: Annotated[list[str] | None, typer.Option("--host", help="play only this host")] = None,
    at: Annotated[str | None, typer.Option(help="begin at this time, e.g. 2026-11-23T21:30 (UTC)")] = None,
    now: Annotated[bool, typer.Option("--now", help="move all times to the present; with --speed 1, live")] = False,
) -> None:
    """Play what `record = true` kept into a history, through the same parsers (docs/recording.md)."""
    from collectors.replay import OverlapError, Player, RecordingError, iso
    from collectors.sources import load
    from frames.store import SpoolError, Store, StoreError, Writer

    _log(False)
    factor, begin = _speed(speed), _time(at)
    stop = _stop_on_signals(False)
    try:
        player = Player(recordings, load(), speed=factor, hosts=only or (), at=begin, now=now)
        with Store(store) as held:
            player.refuse_overlap(held)
        with Writer(store) as writer:
            played = player.play(writer, stop)
            if played.rest is None:
                writer.commit()
            elif now:
                typer.echo("stopped", err=True)
            else:
                typer.echo(f"stopped; to go on: the same command with --at {iso(played.rest)}", err=True)
    except (RecordingError, OverlapError, StoreError, SpoolError) as e:
        typer.echo(f"zonescope: {e}", err=True)
        raise typer.Exit(1) from None
    for path in played.torn:
        typer.echo(f"{path}: its end is torn; played to there", err=True)
    for path, n in played.damaged.items():
        typer.echo(f"{path}: damaged in {n} place{'s' if n > 1 else ''}, left out; the rest is played", err=True)
    for complaint in played.complaints:
        typer.echo(complaint, err=True)
    if played.errors > len(played.complaints):
        typer.echo(f"… and {played.errors - len(played.complaints)} more lines that could not be read", err=True)
    first, last = (datetime.fromtimestamp(t, UTC).strftime("%Y-%m-%d %H:%M:%S") for t in (played.first, played.last))
    typer.echo(f"{', '.join(played.hosts)}: {first} to {last} UTC, {played.lines} lines from {played.files} files")
    for table, n in sorted(played.rows.items()):
        typer.echo(f"  {n:>9}  {table}")
    if played.lost:
        typer.echo(f"  {played.lost} lines had not been recorded")
    typer.echo(f"to look at it: zonescope serve --store {store}")
    if played.rest is not None:
        raise typer.Exit(130)


@app.command()
def parse(
    source: Annotated[str, typer.Argument(help="source whose parser reads it, e.g. zpool_status")],
    text: Annotated[typer.FileText, typer.Argument(help="saved output; - reads standard input", errors="replace")],
    system: Annotated[str | None, typer.Option("--os", help="solaris10, solaris11, illumos, freebsd or linux")] = None,
    variant: Annotated[str | None, typer.Option(help="the source's variant; left out: whichever reads it")] = None,
    interval: Annotated[float, typer.Option(min=0.001, help="seconds between its reports")] = 1.0,
    table: Annotated[str | None, typer.Option(help="only this table")] = None,
    formats: Annotated[list[str] | None, typer.Option("--format", help="dtrace: a format of its printa()")] = None,
    values: Annotated[int, typer.Option(min=1, help="dtrace: aggregations in each printa()")] = 1,
    facts: Annotated[
        list[str] | None, typer.Option("--fact", help="what the host is: ncpu=8, page_size=8192, memory=…")
    ] = None,
) -> None:
    """What a parser makes of a saved output, as CSV; a line that it cannot read is told, and status is 1.

    Output that names no time counts from 1970. CPU that a tool prints in percent of all CPUs needs --fact ncpu=N.
    """
    from collectors.base import SYSTEMS
    from collectors.saved import csv, read
    from collectors.sources import load

    sources = load()
    if source not in sources:
        raise typer.BadParameter(f"no source {source!r}; there are {', '.join(sorted(sources))}")
    if system not in (None, *SYSTEMS):
        raise typer.BadParameter(f"no system {system!r}; there are {', '.join(SYSTEMS)}")
    try:
        saved = read(
            sources[source],
            text.read(),
            os=system,  # type: ignore[arg-type]
            variant=variant,
            interval=interval,
            formats=formats or (),
            facts=dict(fact.split("=", 1) for fact in facts or () if "=" in fact),
            values=values,
        )
    except ValueError as e:
        raise typer.BadParameter(str(e)) from None
    for complaint in saved.complaints:
        typer.echo(complaint, err=True)
    typer.echo(f"read as {source}/{saved.variant} of {saved.os}: {saved.rows} rows", err=True)
    for name, frame in saved.frames.items():
        if table in (None, name):
            typer.echo(f"# {name}")
            typer.echo(csv(frame), nl=False)
    raise typer.Exit(1 if saved.complaints or not saved.rows else 0)


@app.command()
def serve(
    store: StoreFolder = STORE,
    address: Address = "127.0.0.1",
    port: Port = 8050,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="log more")] = False,
    child: Annotated[bool, typer.Option(hidden=True)] = False,
) -> None:
    """Serve the dashboard of a history, until Ctrl-C."""
    from dashboard.serve import serve as run

    _log(verbose)
    if child:
        _when_stdin_ends(lambda: os.kill(os.getpid(), signal.SIGTERM))
    try:
        run(store, address, port, say=lambda text: print(text, flush=True))
    except OSError as e:
        typer.echo(f"zonescope: {e.strerror or e}", err=True)
        raise typer.Exit(1) from None


@app.command()
def check(
    hosts: HostsFile,
    only: Annotated[list[str] | None, typer.Option("--host", help="check only this host")] = None,
) -> None:
    """Connect to each host; say what it is, which sources work there, and the fix for each that does not."""
    from collectors.engine import survey
    from collectors.links import LinkError, make_link
    from collectors.probe import UnknownSystem, title
    from collectors.sources import load

    _log(False)
    inventory = _inventory(hosts)
    unknown = sorted(set(only or ()) - set(inventory.hosts))
    if unknown:
        typer.echo(f"zonescope: {hosts}: hosts.{unknown[0]}: no such host", err=True)
        raise typer.Exit(2)

    def said_by(link: Link, source: str, os: OS) -> str:
        """The last words of the probe that decided, for people."""
        variants = load()[source].variants_for(os)
        if not variants:
            return ""
        _, out, err = link.run(f"( {variants[-1].probe} ) </dev/null")
        words = (err.strip() or out.strip()).splitlines()
        return f": {words[-1].strip()[:200]}" if words else ""

    def one(name: str) -> tuple[bool, str]:
        host = inventory.hosts[name]
        try:
            link = make_link(host.link_options(name))
            try:
                link.connect()
                facts, offset = survey(link, host, load())
                said = {m.source: said_by(link, m.source, facts.os) for m in facts.missing}
            finally:
                link.close()
        except LinkError as e:
            return False, f"{name}: not reachable: {e.why}" + (f"\n  fix: {e.fix}" if e.fix else "")
        except UnknownSystem as e:
            return False, f"{name}: {e}"
        lines = [f"{name}: {title(facts.facts)} ({facts.os})"]
        if offset:
            lines.append(f"  clock: {abs(offset):.0f} s {'ahead' if offset > 0 else 'behind'}; fix: run NTP there")
        lines += [f"  ok       {source} ({variant.name})" for source, variant in facts.chosen.items()]
        told = {*facts.chosen, *(m.source for m in facts.missing)}
        if "dtrace" in host.sources and "dtrace" not in told:
            lines.append(
                '  off      dtrace: the standing question of disk latency needs dtrace = ["disk_io"] in hosts.toml'
            )
        for missing in facts.missing:
            lines.append(f"  missing  {missing.source}: {missing.why}{said[missing.source]}")
            if missing.fix:
                lines.append(f"           fix: {missing.fix}")
        return not facts.missing, "\n".join(lines)

    names = [n for n in inventory.hosts if not only or n in only]
    with ThreadPoolExecutor(10) as pool:
        results = list(pool.map(one, names))
    for _, text in results:
        typer.echo(text)
    raise typer.Exit(0 if all(ok for ok, _ in results) else 1)


@app.command()
def demo(
    scenario: Annotated[str, typer.Option(help="quiet, migration, incident, night or estate")] = "migration",
    seed: Annotated[int, typer.Option(help="the same seed tells the same story")] = 1,
    address: Address = "127.0.0.1",
    port: Port = 8050,
    folder: Annotated[Path | None, typer.Option(help="keep hosts, keys and history here")] = None,
    past: Annotated[bool, typer.Option(help="open on a past of days, not on an empty history")] = True,
    open_browser: Annotated[bool, typer.Option("--open/--no-open", help="open a browser")] = True,
) -> None:
    """A simulated fleet behind real SSH servers, a collector and a dashboard in one go, until Ctrl-C."""
    from fleet.scenario import SCENARIOS

    if scenario not in SCENARIOS:
        typer.echo(f"zonescope: no scenario {scenario!r}; there are {', '.join(SCENARIOS)}", err=True)
        raise typer.Exit(2)
    with tempfile.TemporaryDirectory(prefix="zonescope-", ignore_cleanup_errors=True) as temporary:
        home = folder or Path(temporary)
        home.mkdir(parents=True, exist_ok=True)
        stop = _stop_on_signals(False)
        _demo(home, scenario, seed, address, port, past, open_browser, stop)


def _demo(
    home: Path,
    scenario: str,
    seed: int,
    address: str,
    port: int,
    past: bool,
    open_browser: bool,
    stop: threading.Event,
) -> None:
    children: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str, stdout: int | None = None) -> subprocess.Popen[bytes]:
        # A child ends with its standard input, so whatever kills this process ends all of them.
        child = subprocess.Popen(
            [sys.executable, "-m", *arguments], stdin=subprocess.PIPE, stdout=stdout, start_new_session=True
        )
        children.append(child)
        return child

    def wait_for(path: Path, what: str, child: subprocess.Popen[bytes], seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while not path.exists() and not stop.is_set():
            if child.poll() is not None or time.monotonic() > deadline:
                typer.echo(f"zonescope: the {what} did not start (status {child.poll()})", err=True)
                raise typer.Exit(1)
            stop.wait(0.05)

    store = home / "history"
    hosts = home / "hosts.toml"
    hosts.unlink(missing_ok=True)
    try:
        servers = start("fleet", "--folder", str(home), "--scenario", scenario, "--seed", str(seed))
        if past and not store.exists():
            typer.echo("writing a past of days, so that the demo opens on more than a minute …")
            writing = start("fleet.past", "--store", str(store), "--scenario", scenario, "--seed", str(seed))
            while writing.poll() is None and not stop.is_set():
                stop.wait(0.05)
            if writing.poll():
                typer.echo("zonescope: the past could not be written", err=True)
                raise typer.Exit(1)
        wait_for(hosts, "fleet", servers)
        if stop.is_set():
            return
        start("zonescope", "collect", str(hosts), "--store", str(store), "--child")
        options = ("--store", str(store), "--address", address, "--port", str(port), "--child")
        dashboard = start("zonescope", "serve", *options, stdout=subprocess.PIPE)
        assert dashboard.stdout
        said = dashboard.stdout.readline().decode().strip()
        if not said:
            raise typer.Exit(1)
        typer.echo(f"{said}  (a simulated fleet, scenario {scenario}; Ctrl-C ends it)")
        if open_browser and (os.environ.get("DISPLAY") or sys.platform == "darwin"):
            webbrowser.open(said.split()[-1])
        while not stop.is_set():
            for child in children:
                if child.poll() not in (None, 0):
                    typer.echo(f"zonescope: {' '.join(map(str, child.args))} ended ({child.poll()})", err=True)  # type: ignore[union-attr]
                    raise typer.Exit(1)
            stop.wait(0.2)
    finally:
        for child in children:
            if child.stdin:
                child.stdin.close()
        deadline = time.monotonic() + 1.5
        for child in children:
            try:
                child.wait(max(0.05, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()


if __name__ == "__main__":
    app()
