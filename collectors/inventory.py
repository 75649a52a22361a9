"""hosts.toml: which hosts, how to reach them, what to collect there and what is allowed.

Every error names the file, the line and the key. See docs/hosts-file.md for the keys.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from collectors.base import OS
from collectors.links.base import LinkOptions

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")

DEFAULT_SOURCES = (
    "zpool_iostat",
    "zpool_status",
    "pool_capacity",
    "arcstats",
    "zone_usage",
    "disk_io",
    "host_load",
    "dataset_usage",
    "snapshots",
    "dtrace",
)


class InventoryError(ValueError):
    """hosts.toml cannot be used: `file`, `line` (1-based, 0 unknown), `key` (dotted) and `why`."""

    def __init__(self, file: Path, line: int, key: str, why: str) -> None:
        self.file, self.line, self.key, self.why = file, line, key, why
        at = f"{file}:{line}" if line else str(file)
        super().__init__(f"{at}: {key}: {why}" if key else f"{at}: {why}")


class Host(BaseModel):
    """One watched host. Empty text falls to [defaults], then to ~/.ssh/config."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    address: str = Field("", description="name or address to connect to; the host's own name where left out")
    port: int = Field(0, ge=0, le=65535, description="port of its SSH server")
    user: str = Field("", description="user to log in as")
    identity: str = Field("", description="private key file; agent and ~/.ssh keys are tried as well")
    jump: str = Field("", description="jump host, [user@]host[:port], several with commas")
    known_hosts: str = Field("", description="known_hosts file; ~/.ssh/known_hosts where left out")
    ssh_config: str = Field("", description="ssh_config file; ~/.ssh/config where left out")
    os: Literal["auto", OS] = Field("auto", description="its system; auto asks uname")
    link: Literal["auto", "paramiko", "openssh"] = Field("auto", description="which SSH client to use")
    allow_weak: bool = Field(False, description="allow the algorithms of Solaris 10's SunSSH 1.1 to this host")
    connect_timeout: float = Field(10.0, gt=0, le=120, description="seconds to wait for a connection")
    model: str = Field("", description="hardware in words, for people")
    sources: list[str] = Field(list(DEFAULT_SOURCES), description='what to collect, "*" for the usual')
    intervals: dict[str, float] = Field({}, description="seconds between samples, by source")
    dtrace: list[str] = Field([], description='metrics that D questions may ask here, "*" for all')
    record: bool = Field(False, description="keep the raw lines of every source")
    options: dict[str, str] = Field({}, description="options of sources, e.g. the path of a log")

    @field_validator("address", "user", "jump")
    @classmethod
    def _no_option(cls, value: str) -> str:
        if value.startswith("-"):  # ssh would take it for one of its options
            raise ValueError("must not begin with -")
        return value

    @field_validator("sources")
    @classmethod
    def _usual(cls, value: list[str]) -> list[str]:
        return list(dict.fromkeys(s for name in value for s in (DEFAULT_SOURCES if name == "*" else (name,))))

    @field_validator("intervals")
    @classmethod
    def _at_least(cls, value: dict[str, float]) -> dict[str, float]:
        for name, seconds in value.items():
            if not 0.1 <= seconds <= 86_400:
                raise ValueError(f"interval of {name} is {seconds}; it must be 0.1 to 86400 seconds")
        return value

    def link_options(self, name: str) -> LinkOptions:
        """The same in the words of a link."""
        return LinkOptions(
            host=name,
            address=self.address or name,
            port=self.port,
            user=self.user,
            identity=self.identity,
            jump=self.jump,
            known_hosts=self.known_hosts,
            ssh_config=self.ssh_config,
            kind=self.link,
            allow_weak=self.allow_weak,
            connect_timeout=self.connect_timeout,
        )


class Pair(BaseModel):
    """A source and a target of a migration, drawn side by side."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str = Field(description="host that data leave")
    target: str = Field(description="host that data reach")
    name: str = Field("", description="what to call the pair")
    source_pool: str = Field("", description="pool on the source")
    target_pool: str = Field("", description="pool on the target")
    datasets: list[str] = Field([], description="datasets that move; all below the source pool where left out")
    begin: datetime | None = Field(None, description="when its copies are planned to begin; UTC where no zone is named")
    end: datetime | None = Field(None, description="when they are planned to be complete")

    @field_validator("begin", "end")
    @classmethod
    def _zoned(cls, at: datetime | None) -> datetime | None:
        return at.replace(tzinfo=UTC) if at and at.tzinfo is None else at

    @model_validator(mode="after")
    def _planned(self) -> Pair:
        if self.source == self.target:
            raise ValueError(f"source and target are the same host, {self.source!r}")
        if self.begin and self.end and self.end <= self.begin:
            raise ValueError("the plan ends before it begins")
        return self


class Inventory(BaseModel):
    """All of hosts.toml, defaults already merged into each host."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    hosts: dict[str, Host] = Field(min_length=1)
    pairs: list[Pair] = Field([])


def load(path: Path, known_sources: Iterable[str] = ()) -> Inventory:
    """Read and check `path`. With `known_sources`, a source that is none of them is an error.

    Raises InventoryError naming file, line and key.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as e:
        raise InventoryError(path, 0, "", f"cannot be read: {e}") from e
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as e:
        m = re.search(r"line (\d+)", str(e))
        raise InventoryError(path, int(m[1]) if m else 0, "", f"is not TOML: {e}") from e

    defaults = raw.pop("defaults", {})
    hosts = raw.get("hosts", {})
    for name, value in (("defaults", defaults), ("hosts", hosts)):
        if not isinstance(value, dict):
            raise InventoryError(
                path, _line(text, (name,)), name, f"is a table: write [{name}], not {name} = {value!r}"
            )
    if isinstance(raw.get("pairs"), dict):
        raise InventoryError(path, _line(text, ("pairs",)), "pairs", "each pair is one of a list: write [[pairs]]")
    for name, host in hosts.items():
        if not NAME.fullmatch(name):
            raise InventoryError(
                path, _line(text, ("hosts", name)), f"hosts.{name}", "a host's name is letters, digits, . _ -"
            )
        if isinstance(host, dict):
            hosts[name] = {**defaults, **host}
    try:
        inventory = Inventory.model_validate(raw)
    except ValidationError as e:
        first = e.errors(include_url=False)[0]
        where = tuple(str(part) for part in first["loc"])
        if len(where) == 3 and where[0] == "hosts" and where[2] in defaults:
            where = ("defaults", where[2])
        raise InventoryError(path, _line(text, where), ".".join(where), _why(first, where)) from e
    for i, pair in enumerate(inventory.pairs):
        for end in ("source", "target"):
            if getattr(pair, end) not in inventory.hosts:
                where = ("pairs", str(i), end)
                raise InventoryError(
                    path, _line(text, where), ".".join(where), f"{getattr(pair, end)!r} is no host of this file"
                )
    known = set(known_sources)
    if known:
        for name, entry in inventory.hosts.items():
            for source in [*entry.sources, *entry.intervals]:
                if source not in known:
                    key = ("hosts", name, "sources" if source in entry.sources else "intervals")
                    near = difflib.get_close_matches(source, known, 1)
                    hint = f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(sorted(known))}"
                    raise InventoryError(path, _line(text, key), ".".join(key), f"no source {source!r}{hint}")
    return inventory


def _why(error: Any, where: tuple[str, ...]) -> str:
    if error["type"] == "extra_forbidden":
        models: dict[str, type[BaseModel]] = {"hosts": Host, "pairs": Pair, "defaults": Host}
        model = models.get(where[0], Inventory)
        near = difflib.get_close_matches(where[-1], model.model_fields, 1)
        return "no such key" + (f"; did you mean {near[0]!r}?" if near else "")
    if error["type"] == "missing":
        return "is missing"
    return str(error["msg"]).removeprefix("Value error, ") + (
        f" (it is {error['input']!r})" if isinstance(error["input"], (str, int, float, bool)) else ""
    )


def _line(text: str, where: tuple[str, ...]) -> int:
    """Line of the key `where` in `text`, or of the nearest table around it; 0 where none is found.

    tomllib keeps no positions; headings and keys are found by their shape, which is enough for a message.
    """
    table: list[str] = []
    seen: dict[str, int] = {}
    best, best_len = 0, 0
    for number, line in enumerate(text.splitlines(), 1):
        heading = re.match(r"\s*(\[\[?)\s*([^\]]+?)\s*\]", line)
        if heading:
            table = [part.strip("\"' ") for part in heading[2].split(".")]
            if heading[1] == "[[":
                name = ".".join(table)
                table.append(str(seen.setdefault(name, 0)))
                seen[name] += 1
            path = table
        else:
            assignment = re.match(r"\s*([\w.\"'-]+)\s*=", line)
            if not assignment:
                continue
            path = [*table, *(part.strip("\"' ") for part in assignment[1].split("."))]
        common = 0
        for a, b in zip(path, where, strict=False):
            if a != b:
                break
            common += 1
        if common > best_len and common == min(len(path), len(where)):
            best, best_len = number, common
    return best
