"""imapsync's progress and the activity of mail services; key figures are beside the recorded texts."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from collectors.base import Batch, Context, ParseError, Variant
from collectors.sources import imapsync, mail_activity

LOG = """Host1 Nb messages:             100 messages
Host1 Total size:         2097152 bytes (2.000 MiB)
msg INBOX/7 {10311} copied to INBOX/3  1.13 msgs/s  65.034 KiB/s {done} MiB copied ETA: Monday  20 s  50/100 msgs left
"""


def follow(variant: Variant, ctx: Context, want: int) -> list[Batch]:
    """The first batches of the real command on this machine."""
    stream = subprocess.Popen(
        ["/bin/sh", "-c", variant.command(ctx)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    parser, batches = variant.parser(ctx), []
    try:
        assert stream.stdout
        for line in stream.stdout:
            batches += parser.feed(line.rstrip("\n"), time.time())
            if len(batches) >= want:
                break
    finally:
        os.killpg(stream.pid, 15)
        stream.wait()
    return batches


def test_the_logs_of_the_last_day_are_found_and_read(tmp_path: Path) -> None:
    (tmp_path / "2026_11_23_20_31_02_417_anna_anna.txt").write_text(LOG.replace("{done}", "1.000"))
    old = tmp_path / "2026_11_01_20_31_02_417_old_old.txt"
    old.write_text(LOG)
    os.utime(old, (time.time() - 5 * 86400,) * 2)
    [batch] = follow(
        imapsync.SOURCE.variants[0], Context("h", "linux", 5.0, {"option:imapsync_log": f"{tmp_path}/*.txt"}), 1
    )
    assert batch.columns["stream"] == ["anna_anna"]
    assert batch.columns["done"] == [2**20]
    assert (batch.columns["total"], batch.columns["items_done"]) == ([2**21], [50])


def test_a_log_that_says_nothing_new_for_a_minute_is_a_stalled_copy() -> None:
    parser = imapsync.Imapsync(Context("h", "linux", 5.0))
    states = []
    for round_ in range(16):
        text = LOG.replace("{done}", "1.000" if round_ < 15 else "1.500")
        for line in ["==> a.txt", *text.splitlines()]:
            parser.feed(line, 0.0)
        [batch] = parser.feed("", 0.0)
        states.append((batch.columns["state"][0], batch.columns["rate"][0]))
    assert [s for s, _ in states] == ["running"] * 12 + ["stalled"] * 3 + ["running"]
    assert states[13][1] == 0.0
    assert states[15][1] == pytest.approx(0.5 * 2**20 / 5)


def test_a_log_line_before_any_file_is_refused() -> None:
    parser = imapsync.Imapsync(Context("h", "linux", 5.0))
    parser.feed("Detected 0 errors", 0.0)
    with pytest.raises(ParseError, match="line 1"):
        parser.feed("", 0.0)


def test_logins_are_counted_from_the_log_as_it_grows(tmp_path: Path) -> None:
    log = tmp_path / "zones" / "mail3" / "root" / "mail.log"
    log.parent.mkdir(parents=True)
    log.write_text("Nov 23 20:30:00 m imap[1]: login: before [10.0.0.1] x plaintext User logged in\n")
    variant = next(v for v in mail_activity.SOURCE.variants if "linux" in v.systems)
    ctx = Context("h", "linux", 5.0, {"option:mail_log": str(log)})
    stream = subprocess.Popen(
        ["/bin/sh", "-c", variant.command(ctx)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    parser = variant.parser(ctx)
    try:
        assert stream.stdout
        rounds, rows = 0, []
        for line in stream.stdout:
            rows += parser.feed(line.rstrip("\n"), time.time())
            if line == "end\n":
                rounds += 1
                if rounds == 1:
                    with log.open("a") as f:
                        f.write("Nov 23 20:31:00 m imap[2]: login: pc [10.0.0.1] anna plaintext User logged in\n" * 10)
                if rounds == 2:
                    break
    finally:
        os.killpg(stream.pid, 15)
        stream.wait()
    columns = rows[-1].columns
    i = list(zip(columns["zone"], columns["service"], strict=True)).index(("mail3", "imapd"))
    assert columns["requests"][i] == pytest.approx(2.0, rel=0.1)


def test_a_linux_service_in_a_container_belongs_to_it() -> None:
    parser = mail_activity.Activity(Context("h", "linux", 5.0))
    parser.feed("ps nginx 0::/lxc.payload.proxy/system.slice/nginx.service", 0.0)
    parser.feed("ps imapd 0::/system.slice/cyrus.service", 0.0)
    [batch] = parser.feed("end", 0.0)
    assert batch.columns["zone"] == ["proxy", "global"]
