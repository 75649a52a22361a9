"""open_files: files that the kernel holds open, against its limit.

Copy this module to add a source; docs/adding-a-source.md walks through it. It is tested like any other.
Formats: Linux /proc/sys/fs/file-nr ("open free limit", proc(5)); kstat -p of Solaris and illumos.
"""

from __future__ import annotations

from collectors.base import Batch, Source, Variant
from collectors.reports import Reports
from frames.schemas import declare, gauge

OPEN_FILES = declare(
    "open_files",
    "files open in the kernel",
    gauge("open", "1", "files open"),
    gauge("limit", "1", "most files that may be open; NA: no limit"),
)


class OpenFiles(Reports):
    """One row per report. `Reports` gathers lines to reports and knows stamps; this reads one report."""

    source = "open_files"

    def report(self, lines: list[str], stamp: float | None) -> list[Batch]:
        words = lines[0].split()
        limit: float | None = None
        try:
            if words[0].startswith("unix:"):  # unix:0:file_cache:buf_inuse  1234
                opened = float(words[1])
            else:
                opened, limit = float(words[0]), float(words[2])
        except (IndexError, ValueError) as e:
            raise self.bad(0, lines[0], "neither file-nr nor a kstat") from e
        return [Batch(OPEN_FILES.name, {"open": [opened], "limit": [limit]}, stamp)]


SOURCE = Source(
    name="open_files",
    meaning="files open in the kernel",
    tables=("open_files",),
    interval=5.0,
    variants=(
        Variant(
            name="procfs",
            systems=("linux",),
            command=lambda ctx: f"while date +%s && cat /proc/sys/fs/file-nr && echo; do sleep {ctx.interval:g}; done",
            parser=OpenFiles,
            probe="test -r /proc/sys/fs/file-nr",
            fix="mount /proc",
        ),
        Variant(
            name="kstat",
            systems=("solaris10", "solaris11", "illumos"),
            command=lambda ctx: f"kstat -T u -p unix:0:file_cache:buf_inuse {max(1, round(ctx.interval))}",
            parser=OpenFiles,
            probe="kstat -p unix:0:file_cache:buf_inuse | grep file_cache",
            fix="give the user kstat(1M), which every user may run",
        ),
    ),
)
