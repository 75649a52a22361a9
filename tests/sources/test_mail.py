"""imapsync's progress and the activity of mail services; key figures are beside the recorded texts."""

from __future__ import annotations

import os
import subprocess
import time
from math import isnan
from pathlib import Path
from typing import Any

import pytest

from collectors.base import Batch, Context, ParseError, Variant, parse_text
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
    for line in ("==> a.txt", "", "Detected 0 errors"):
        parser.feed(line, 0.0)
    with pytest.raises(ParseError, match="line 3"):
        parser.feed("", 0.0)


def read_log(*lines: str) -> dict[str, Any]:
    """The row of a log alone."""
    frame = parse_text(imapsync.SOURCE.variants[0], "\n".join(lines))["transfers"]
    assert len(frame) == 1
    return dict(frame.iloc[0])


MSG = "msg {}/62414 {{10311}}       copied to {}/6111       1.13 msgs/s  65.034 KiB/s {}"
LEFT = "ETA: {}  20954 s  23772/26581 msgs left"


@pytest.mark.parametrize(
    ("folder", "copied", "date", "done"),
    [
        ("INBOX", "38.291 MiB copied", "Sunday 30 July 2023-07-30 21:21:31 -0700 PDT", 38.291 * 2**20),
        ("INBOX.Entw&APw-rfe", "0.500 KiB copied", "Wed Jul  3 14:55:27 2019", 512),
        ("[Gmail]/All Mail", "1.004 GiB copied", "lunes 31 octubre 2022-10-31 14:34:06 -0300 -03", 1.004 * 2**30),
        ("a {9} copied to b 3 s 1/2 msgs left", "7 B copied", "木曜日 18 1月 2024-01-18 00:47:11 +0900 JST", 7),
        ("x" * 5000, "38.291 MiB copied", "Di 3 Jan 2023-01-03 09:00:00 +0100 CET", 38.291 * 2**20),
    ],
)
def test_a_message_copied_in_any_folder_and_language(folder: str, copied: str, date: str, done: float) -> None:
    row = read_log(f"{MSG.format(folder, folder, copied)} {LEFT.format(date)}")
    assert row["done"] == pytest.approx(done)
    assert (row["items_done"], row["items_total"], row["eta"]) == (26581 - 23772, 26581, 20954)


def test_a_message_without_time_left_and_a_folder_that_was_there_already() -> None:
    row = read_log("Host1 Total size:  1728042983 bytes (1.609 GiB)", MSG.format("INBOX", "INBOX", "38.291 MiB copied"))
    assert (row["total"], row["done"]) == (1728042983, pytest.approx(38.291 * 2**20))
    assert isnan(row["eta"])
    row = read_log(
        "++++ Looping on each one of 9 folders to sync",
        "ETA: Wednesday 17 January 2024-01-17 20:34:22 +0800 CST  0 s  5061/5061 msgs left",
        "Folder     1/9 [INBOX]                             -> [INBOX]                            ",
        "ETA: Thursday 18 January 2024-01-18 00:47:11 +0800 CST  15166 s  5029/5061 msgs left",
    )
    assert (row["items_done"], row["items_total"], row["eta"], row["state"]) == (32, 5061, 15166, "running")


STATISTICS = """++++ Statistics
Transfer started on                     : Sun Jan 23 17:02:47 2022
Messages transferred                    : {0}
Messages skipped                        : 3
Messages found in host1 not in host2    : 1 messages
Total bytes transferred                 : {1}
Total bytes skipped                     : 7
Reconnections to host1                  : 2
Detected {2} errors
{3}
Exiting with return value {4}"""


@pytest.mark.parametrize(
    ("end", "state", "errors", "text"),
    [
        (("128", "145182 (141.779 KiB)", 0, "The sync looks good, all 131 …", "0 (EX_OK: …)"), "done", 0, "(EX_OK: …)"),
        (("127", "144000", 1, "", "11 (EXIT_ERR_APPEND) 1/50 nb_errors/max_errors"), "failed", 1, "EXIT_ERR_APPEND"),
        (("9", "9 (0 KiB)", 3, "", "113 (ERR_OVERQUOTA) 3/50 nb_errors/max_errors PID 7"), "failed", 3, "OVERQUOTA"),
        (("0 (could be 34 without --dry mode)", "0 (0.000 KiB)", 0, "", "0 (EX_OK)"), "done", 0, "EX_OK"),
        (("9", "9", 0, "", "6 (EXIT_BY_SIGNAL)"), "failed", 0, "EXIT_BY_SIGNAL"),
    ],
)
def test_final_statistics(end: tuple[Any, ...], state: str, errors: int, text: str) -> None:
    row = read_log(*STATISTICS.format(*end).split("\n"))
    assert (row["state"], row["errors"]) == (state, errors)
    assert row["items_done"] == int(end[0].split()[0]) + 3, "those that were skipped are done with too"
    assert row["done"] == int(end[1].split()[0])
    assert text in row["text"]
    assert isnan(row["eta"])


def test_the_oldest_releases() -> None:
    row = read_log(
        "++++ Calculating sizes ++++",
        "From Folder [INBOX]                             Size:    145182 Messages:    75",
        "Total size: 145182",
        "Nb messages: 75",
        "To   Folder [INBOX]                             Size:      9999 Messages:     9",
        "Total size: 9999",
        "Nb messages: 9",
        "Messages transferred  : 66",
        "Total bytes transferred: 135183",
        "Detected 0 errors",
    )
    assert [row[c] for c in ("total", "items_total", "done", "items_done")] == [145182, 75, 135183, 66]
    assert row["state"] == "done", "they do not say how they exit"
    assert read_log("Messages transferred  : 66", "Detected 2 errors")["state"] == "failed"


def test_releases_without_sums_are_counted_where_all_of_the_log_is_there() -> None:
    log = [
        "From imap server [servera] port [993] user [usera]",
        "To   imap server [serverb] port [993] user [userb]",
        "++++ Calculating sizes ++++",
        "From Folder [INBOX]                             Size:   4122535 Messages:   252",
        "+ NO msg #2053 [9+vsr:512] in INBOX",
        "+ Copying msg #2053:512 to folder INBOX",
        "Copied msg id [2053] to folder INBOX msg id [2053]",
        "+ Copying msg #2054:7095 to folder INBOX",
        "Copied msg id [2054] to folder INBOX msg id [2054]",
        "+ Copying msg #2055:9 to folder INBOX",
    ]
    row = read_log(*log)
    assert (row["stream"], row["peer"]) == ("usera@servera → userb@serverb", "serverb")
    assert (row["items_done"], row["done"], row["errors"], row["state"]) == (2, 7607, 0, "running")
    assert isnan(read_log(*(f"> {line}" for line in ["Nb messages: 9", *log[4:]]))["done"]), (
        "a part says nothing of all"
    )


def test_a_second_run_is_done_with_what_was_there_already() -> None:
    last = "ETA: Tuesday 24 November 2026-11-24 02:00:00 +0100 CET  0 s  0/75 msgs left"
    row = read_log(
        last, "Messages transferred : 2", "Messages skipped : 73", "Detected 0 errors", "Exiting with return value 0"
    )
    assert (row["items_done"], row["items_total"], row["state"]) == (75, 75, "done")
    assert read_log(last, "Messages skipped : 73")["items_done"] == 75, "a tail that begins between the two"


def test_of_several_logs_of_an_account_the_newest_counts_and_its_errors_only(tmp_path: Path) -> None:
    for name, done, errors in (
        ("2026_11_23_08_00_00_001_anna", "9.000", 5),
        ("2026_11_23_20_31_02_417_anna", "1.000", 0),
    ):
        (tmp_path / f"{name}.txt").write_text(
            f"{LOG.replace('{done}', done)}{f'Err 1/{errors}: x' if errors else ''}\n"
        )
    (tmp_path / "bob smith.log").write_text(LOG.replace("{done}", "2.000"))
    (tmp_path / "2026_11_23_20_31_02_417_anna.txt.1.gz").write_text("no log")
    ctx = Context("h", "linux", 0.2, {"option:imapsync_log": f"{tmp_path}/*.txt {tmp_path}/*.log"})
    [first, second] = follow(imapsync.SOURCE.variants[0], ctx, 2)
    for batch in (first, second):
        assert batch.columns["stream"] == ["anna", "bob smith"]
        assert batch.columns["done"] == [2**20, 2**21]
        assert batch.columns["errors"] == [0, 0]


FAULTS = """- msg INBOX/3 {33423} could not append ( Subject:[Hotel], Size:[33423] ) to folder INBOX: NO
- msg INBOX/4 {9} couldn't append  (Subject:[x]) to folder INBOX: 319 BAD Command Argument Error. 11
- msg INBOX/5 {0} S[22184] F[\\Seen] I[30-Dec-2025 01:56:35 +0000] could not be fetched: NO
Host1 Folder INBOX/a: Could not select: 310 NO SELECT error getting mails in folder
Could not create folder [Acme ] from [INBOX.Acme ]: 699 NO [ALREADYEXISTS]
Host2: failure: lost connection for host2 [new]: NO not connected
"""


@pytest.mark.parametrize("variant", imapsync.SOURCE.variants, ids=lambda v: v.name)
def test_a_log_is_read_as_it_grows(tmp_path: Path, variant: Variant) -> None:
    log = tmp_path / "2026_11_23_20_31_02_417_anna_anna.txt"
    head = "Host1: IMAP server [old] port [143] user [anna]\nHost2: IMAP server [new] port [143] user [anna]\n"
    log.write_text(f"Transfer started at Monday\n{head}{FAULTS}{LOG.replace('{done}', '1.000')}")
    ctx = Context("h", "linux", 0.3, {"option:imapsync_log": f"{tmp_path}/*.txt"})
    stream = subprocess.Popen(
        ["/bin/sh", "-c", variant.command(ctx)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    parser, rows = variant.parser(ctx), []
    try:
        assert stream.stdout
        for line in stream.stdout:
            for batch in parser.feed(line.rstrip("\n"), time.time()):
                rows.append({name: values[0] for name, values in batch.columns.items()})
                if len(rows) == 1:
                    with log.open("a") as f:
                        f.write(f"{FAULTS}{LOG.replace('{done}', '1.500').splitlines()[-1]}\nDetected 12 err")
                        f.flush()
                elif len(rows) == 2:
                    with log.open("a") as f:
                        f.write("ors\nExiting with return value 114 (EXIT_ERR_APPEND) 12/50 nb_errors/max_errors\n")
            if rows and rows[-1]["state"] == "failed":
                break
    finally:
        os.killpg(stream.pid, 15)
        stream.wait()
    assert {(r["stream"], r["peer"]) for r in rows} == {("anna@old", "new")}
    assert [r["done"] for r in (rows[0], rows[-1])] == [2**20, 1.5 * 2**20]
    assert rows[-1]["errors"] == 12
    if variant.name == "log":
        assert rows[0]["errors"] == 6
        assert rows[-1]["text"].endswith("errors: append 4, create 2, fetch 2, lost connection 2, select 2")


def test_errors_are_counted_by_kind_where_they_happen() -> None:
    row = read_log("Here is imapsync 2.229 on host x", *FAULTS.splitlines(), MSG.format("a", "a", "1.000 MiB copied"))
    assert (row["errors"], row["state"], row["rate"]) == (6, "running", pytest.approx(65.034 * 1024))
    assert isnan(read_log(MSG.format("a", "a", "1.000 MiB copied"))["errors"]), "its beginning is not there"


def test_logs_that_tail_printed_are_a_row_each() -> None:
    text = f"==> LOG/a.txt <==\n{LOG.replace('{done}', '1.000')}\n\n==> LOG/b.txt <==\n{LOG.replace('{done}', '2.000')}"
    frame = parse_text(imapsync.SOURCE.variants[0], text)["transfers"]
    assert dict(zip(frame["stream"], frame["done"], strict=True)) == {"a": 2**20, "b": 2**21}


def test_an_interrupted_copy_is_not_done_unless_it_goes_on() -> None:
    end = ["Got a SIGINT!", "Messages transferred : 2", "Detected 0 errors"]
    assert read_log(*end)["state"] == "failed"
    assert read_log(end[0], MSG.format("a", "a", "1.000 MiB copied"), *end[1:])["state"] == "done"


def test_a_login_that_fails_is_the_end_unless_another_way_is_found() -> None:
    failure = "Failure: error login on [old] with user [anna] auth [CRAM-MD5]: NO"
    assert read_log(failure)["state"] == "failed"
    assert read_log(failure, MSG.format("a", "a", "1.000 MiB copied"))["state"] == "running"


def test_another_run_of_an_account_is_no_fall_of_a_counter() -> None:
    parser = imapsync.Imapsync(Context("h", "linux", 5.0))
    rows = []
    for at, (file, done, err) in enumerate(
        [("1", "8.000", 2), ("1", "9.000", 2), ("2", "0.500", 0), ("2", "1.500", 0)]
    ):
        for line in [
            f"==> 2026_11_23_20_31_02_41{file}_anna.txt",
            f"+ {err} errors so far: {err} append",
            *LOG.replace("{done}", done).split("\n"),
        ]:
            rows += parser.feed(line, 100.0 + 10 * at)
    got = [(b.columns["rate"][0], b.columns["errors"][0]) for b in rows]
    assert got[1] == (2**20 / 10, 2)
    assert isnan(got[2][0])
    assert got[2][1] == 0
    assert got[3] == (2**20 / 10, 0)


def test_logins_are_counted_from_the_log_as_it_grows(tmp_path: Path) -> None:
    log = tmp_path / "zones" / "mail3" / "root" / "mail.log"
    log.parent.mkdir(parents=True)
    log.write_text("Nov 23 20:30:00 m imap[1]: login: before [10.0.0.1] x plaintext User logged in\n")
    variant = next(v for v in mail_activity.SOURCE.variants if "linux" in v.systems)
    ctx = Context("h", "linux", 0.5, {"option:mail_log": str(log)})
    stream = subprocess.Popen(
        ["/bin/sh", "-c", variant.command(ctx)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    parser, ends, counted = variant.parser(ctx), [], [0.0]
    login = "Nov 23 20:31:00 m imap[2]: {}: pc [10.0.0.1] anna plaintext User logged in\n"
    reached = written = False
    try:
        assert stream.stdout
        while round(sum(counted)) < 10:
            line = stream.stdout.readline()
            assert line, "the stream ended"
            at = time.time()
            batches = parser.feed(line.rstrip("\n"), at)
            reached |= "badlogin:" in line
            if line != "end\n":
                continue
            ends.append(at)
            for batch in batches:
                keys = list(zip(batch.columns["zone"], batch.columns["service"], strict=True))
                if len(ends) > 1 and ("mail3", "imapd") in keys:
                    rate = batch.columns["requests"][keys.index(("mail3", "imapd"))]
                    counted.append(rate * (ends[-1] - ends[-2]))
            if not written:  # tail needs a moment to reach the file's end: what is written before is not counted
                with log.open("a") as f:
                    f.write(login.format("login") * 10 if reached else login.format("badlogin"))
                written = reached
    finally:
        os.killpg(stream.pid, 15)
        stream.wait()
    assert sum(counted) == pytest.approx(10), "and not what was there before"


def test_a_linux_service_in_a_container_belongs_to_it() -> None:
    parser = mail_activity.Activity(Context("h", "linux", 5.0))
    parser.feed("ps nginx 0::/lxc.payload.proxy/system.slice/nginx.service", 0.0)
    parser.feed("ps imapd 0::/system.slice/cyrus.service", 0.0)
    [batch] = parser.feed("end", 0.0)
    assert batch.columns["zone"] == ["proxy", "global"]


def rounds(variant: str, lines: list[str], at: float = 100.0) -> list[dict[tuple[str, str], dict[str, Any]]]:
    """Rows of each round by zone and service; rounds are five seconds apart."""
    parser = next(v for v in mail_activity.SOURCE.variants if v.name == variant).parser(Context("h", "linux", 5.0))
    out = []
    for line in lines:
        for b in parser.feed(line, at):
            names = list(b.columns)
            rows = [dict(zip(names, row, strict=True)) for row in zip(*b.columns.values(), strict=True)]
            out.append({(row["zone"], row["service"]): row for row in rows})
        at += 5 if line == "end" else 0
    return out


def test_cyrus_says_which_of_its_processes_serve_a_client() -> None:
    ps = ["ps imapd mail3"] * 5 + ["ps imapd mail4"] * 3 + ["ps lmtpd mail3"] * 2
    proc = ["proc /zones/mail3/root/var/imap/proc 3 imap", "proc /zones/mail3/root/var/imap/proc 1 imaps"]
    idle = ["proc /zones/mail3/root/var/imap/proc 0 -"]
    first, second = rounds("ps-zone", [*ps, *proc, *idle, "end", *ps, *idle, "end"])
    assert {key: row["connections"] for key, row in first.items()} == {
        ("mail3", "imapd"): 4,
        ("mail3", "lmtpd"): 0,
        ("mail4", "imapd"): 3,
    }, "where nobody says, each process counts"
    assert second["mail3", "imapd"]["connections"] == 0


@pytest.mark.parametrize(
    ("said", "key", "good", "bad"),
    [
        ("imap[7]: [ID 921384 local6.notice] login: pc [10.0.0.1] anna plaintext User logged in", "imapd", 1, 0),
        ("imapd[7]: login: pc[10.0.0.1] anna plaintext", "imapd", 1, 0),
        ("cyrus/imaps[7]: login: pc [10.0.0.1] anna PLAIN+TLS User logged in SESSIONID=<x>", "imapd", 1, 0),
        ("cyrus/imap-local[7]: badlogin: pc [::1] PLAIN (anna) [SASL(-13): authentication failure]", "imapd", 0, 1),
        ("pop3s[7]: login: pc [10.0.0.1] anna APOP User logged in", "pop3d", 1, 0),
        ("lmtpunix[7]: login: localhost [local] postman EXTERNAL User logged in", "lmtpd", 1, 0),
        ("sieve[7]: badlogin: pc [10.0.0.1] PLAIN authentication failure", "timsieved", 0, 1),
    ],
)
def test_logins_of_every_release(said: str, key: str, good: int, bad: int) -> None:
    log = "log /zones/mail3/root/var/log/mail"
    *_, last = rounds(
        "ps-zone", [log, "end", f"{log} Nov 23 20:31:02 mail3 {said}", f"{log} other login: words", "end"]
    )
    row = last["mail3", key]
    assert (row["requests"], row["errors"]) == (good / 5, bad / 5)


def test_nginx_logs_the_logins_and_errors_of_its_mail_proxy() -> None:
    log = "log /zones/proxy/root/var/log/nginx/error.log 2026/11/29 08:36:32"
    client = 'client: 127.0.0.1, server: 127.0.0.1:143, login: "anna"'
    status = ["Active connections: 6", "server accepts handled requests", " 9 9 20", "Reading: 0 Writing: 1 Waiting: 5"]
    *_, last = rounds(
        "ps-zone",
        [
            *("ps nginx proxy", *status, f"{log} [info] 3#3: *9 client logged in, {client}", "end"),
            *("ps nginx proxy", *status, f"{log} [info] 3#3: *4 client logged in, {client}, upstream: 10.0.0.1:143"),
            f"{log} [info] 3#3: *1 proxied session done, {client}",
            f'{log} [error] 3402#3402: *5 upstream sent invalid response: "NO" while reading response, {client}',
            f"{log} [error] 3402#0: *6 auth http server 127.0.0.1:9000 timed out while in http auth state, client: x",
            "end",
        ],
    )
    row = last["proxy", "nginx"]
    assert (row["connections"], row["accepts"], row["requests"], row["errors"]) == (6, 0, 1 / 5, 2 / 5)


def test_jails_by_number_get_their_names_and_apache_is_no_mail_service() -> None:
    [row] = rounds("ps-jid", ["jail 3 mail", "ps imapd 3", "ps imapd 0", "ps nginx 4", "ps httpd 0", "end"])
    assert set(row) == {("mail", "imapd"), ("global", "imapd"), ("4", "nginx")}


@pytest.mark.parametrize("shell", ["/bin/sh", "/bin/bash"])
def test_a_log_is_followed_over_its_rotation_and_cyrus_folder_is_counted(tmp_path: Path, shell: str) -> None:
    login = "Nov 23 20:31:00 m imap[2]: login: pc [10.0.0.1] {} plaintext User logged in\n"
    log, proc = tmp_path / "mail.log", tmp_path / "zones" / "mail3" / "root" / "proc"
    proc.mkdir(parents=True)
    for pid in ("101", "102"):
        (proc / pid).write_text(f"imap\tpc [10.0.0.1]\tuser{pid}\tuser.{pid}\t\n")
    (proc / "103").write_text("pc [10.0.0.1]\tuser103\tuser.103\n")  # Cyrus 2.x
    log.write_text(login.format("before"))
    facts = {"option:mail_log": str(log), "option:cyrus_proc": f"{tmp_path}/zones/*/root/proc"}
    variant = next(v for v in mail_activity.SOURCE.variants if "linux" in v.systems)
    stream = subprocess.Popen(
        [shell, "-c", variant.command(Context("h", "linux", 0.3, facts))],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    seen: list[str] = []
    try:
        assert stream.stdout
        step = 0
        for line in stream.stdout:
            seen.append(line.rstrip("\n"))
            if step == 0 and line == f"log {log}\n":  # tail needs a moment to reach the file's end
                with log.open("a") as f:
                    f.write(login.format("reach"))
            elif step == 0 and " reach " in line:
                with log.open("a") as f:
                    f.write(login.format("anna"))
                step = 1
            elif step == 1 and " anna " in line:
                log.rename(tmp_path / "mail.log.0")
                log.write_text(login.format("bob"))
                step = 2
            elif step == 2 and " bob " in line:
                break
    finally:
        os.killpg(stream.pid, 15)
        stream.wait()
    names = [line.split()[10] for line in seen if "login:" in line]
    assert [name for name in names if name != "reach"] == ["anna", "bob"]
    counts = sorted({line for line in seen if line.startswith("proc ")})
    assert counts == [f"proc {proc} 0 -", f"proc {proc} 3 imap"]
