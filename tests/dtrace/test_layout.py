"""The default layout: recorded output beside what it must parse to, and every file by an independent reading."""

from __future__ import annotations

import re
import time
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from collectors.dtrace import layout
from collectors.dtrace.drops import drops
from frames.schemas import bounds
from tests.corpus import corpus, name, read
from tests.dtrace import printer
from tests.dtrace.printer import Stack, Text

RECORDED = Path(__file__).parent.parent / "recorded" / "dtrace"


def plain(row: layout.Row) -> Any:
    """[keys, value] of a scalar; [keys, {lower bound: count}] without empty buckets of a histogram."""
    if row.counts is None:
        return [row.keys, row.value]
    assert row.bounds
    low = bounds(row.bounds)
    assert len(low) == len(row.counts)
    return [row.keys, {low[i]: n for i, n in enumerate(row.counts) if n}]


@pytest.mark.parametrize("path", sorted(RECORDED.glob("*.yml")), ids=lambda p: p.stem)
def test_recorded(path: Path) -> None:
    assert [plain(r) for r in layout.parse(read(path.with_suffix(".txt"))).rows] == yaml.safe_load(path.read_text())


# -- an independent reading: columns of the text, no structure -----------------------------------------------------

DISTRIBUTION = re.compile(r"^ *value +-+ Distribution", re.M)
BUCKET = re.compile(r"^ *(?:abs\(\) )?(?:<|>|<=|>=)? *-?\d+ [ @█-▏]*\|[ @█-▏]*(-?\d+) *$", re.M)


def buckets(text: str) -> list[int]:
    return [int(n) for n in BUCKET.findall(text)]


def values(text: str) -> list[int]:
    """Numbers that end a line in the value column, and the counts of agghist and aggpack rows."""
    found, table = [], False
    lines = text.split("\n")
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if re.search(r" key +-+ D| min \.-+\.", line):
            table = True
        elif table and "|" in line:
            found.append(int(line.split()[-1]))
        else:
            table = False
            last = (line.split(" ") or [""])[-1]
            width = max(17, len(last) + 1)
            aligned = re.fullmatch(r"-?\d+", last) and len(line) >= width and line[-width:].strip() == last
            if aligned and "|" not in line and not line.startswith("@@ ") and not DISTRIBUTION.match(following):
                found.append(int(last))
    return found


def check(text: str) -> layout.Answer:
    answer = layout.parse(text)
    histograms = [r for r in answer.rows if r.counts is not None]
    assert len(histograms) == len(DISTRIBUTION.findall(text))
    assert sum(sum(r.counts or []) for r in histograms) == sum(buckets(text))
    assert sum(sum(map(abs, r.counts or [])) for r in histograms) == sum(map(abs, buckets(text)))
    scalars = [r.value for r in answer.rows if r.counts is None]
    assert [v for v in scalars if v is not None] == [v for v in values(text) if v not in (2**63 - 1, -(2**63))]
    answer.frame("q", "h", 0.0)
    if "0123456789abcdef" not in text:
        # No key is made up: each stands in the text.
        assert all(part in text for r in answer.rows for key in r.keys for part in key.split("\n"))
    return answer


@pytest.mark.parametrize("path", sorted(RECORDED.glob("*.txt")), ids=lambda p: p.stem)
def test_every_recording_agrees_with_an_independent_reading(path: Path) -> None:
    check(read(path))


@pytest.mark.corpus
@pytest.mark.parametrize("path", [*corpus("dtrace-agg"), *corpus("dtrace-stacks")], ids=name)
def test_every_file_of_the_corpus_agrees_with_an_independent_reading(path: Path) -> None:
    answer = check(read(path))
    if "tst.denormalizeonly" in path.name:
        assert [plain(r) for r in answer.rows] == [[[str(i)], 3000 + 400 * i] for i in range(5)]
    if "stacks" in str(path):
        stacks = [r for r in answer.rows if "\n" in r.keys[-1]]
        assert sum(len(r.keys[-1].split("\n")) for r in stacks) > 0.95 * read(path).count("`")


def test_a_stream_counts_the_same_events_twice() -> None:
    """dt_stream_clear counts and quantizes one probe, 19 times a second on each CPU: the two must agree."""
    text = read(RECORDED / "dt_stream_clear.txt")
    intervals = re.split(r"^@@ \d+$", text, flags=re.M)[1:]
    assert len(intervals) == 9
    for interval in intervals:
        rows = layout.parse(interval).rows
        counted = sum(r.value or 0 for r in rows if r.counts is None)
        quantized = sum(sum(r.counts) for r in rows if r.counts is not None)
        assert counted == quantized > 0


def test_reads_and_calls_of_one_run() -> None:
    text = read(RECORDED / "guest-fbt-zfs-read-latency.txt")
    reads, latency = layout.parse(text).rows
    assert (reads.keys, reads.value, latency.keys, sum(latency.counts or [])) == (
        ["reads"],
        1145,
        ["zfs_read ns"],
        1144,
    )


def test_a_joined_printa_must_be_told() -> None:
    line = "  a b                                                       1                1               -5\n"
    (alone,) = layout.parse(line).rows
    assert (alone.keys, alone.value) == (["a b", "1", "1"], -5)
    joined = layout.parse(line, values=2).rows
    assert [(r.keys, r.value) for r in joined] == [(["a b", "1"], 1), (["a b", "1"], -5)]


def test_two_stacks_as_keys_and_an_empty_one() -> None:
    text = (
        "\n  imapd                                             \n"
        "              genunix`read+0x1\n\n              libc.so.1`_read+0x7\n                3\n"
        "  nfsd                                              \n"
        "              genunix`write+0x1\n\n                5\n"
    )
    assert [plain(r) for r in layout.parse(text).rows] == [
        [["imapd", "genunix`read+0x1", "libc.so.1`_read+0x7"], 3],
        [["nfsd", "genunix`write+0x1", ""], 5],
    ]


@pytest.mark.parametrize("above", ["", "\nprofile:\n", printer.printa([([Text("x")], [1])])])
def test_an_empty_stack_before_the_first_of_two(above: str) -> None:
    read, write = Stack(("libc.so.1`_read+0x7",)), Stack(("libc.so.1`_write+0x7",))
    kernel = Stack(("genunix`read+0x1", "unix`sys_syscall+0x10e"))
    text = printer.printa([([Stack(()), read], [3]), ([kernel, write], [5]), ([Stack(()), write], [7])])
    answer = layout.parse(above + text)
    assert [plain(r) for r in answer.rows if r.keys != ["x"]] == [
        [["", read.frames[0]], 3],
        [["\n".join(kernel.frames), write.frames[0]], 5],
        [["", write.frames[0]], 7],
    ]


@pytest.mark.parametrize("value", [16, 17, 6])
def test_stacks_moved_to_the_column_of_keys(value: int) -> None:
    frames = "  genunix`read+0x1\n  unix`sys_syscall+0x10e\n"
    answer = layout.parse(f"{frames}{12:{value}d}\n\n{frames}{9:{value}d}\n")
    assert [plain(r) for r in answer.rows] == [[["genunix`read+0x1\nunix`sys_syscall+0x10e"], n] for n in (12, 9)]
    assert not answer.text
    # What is padded there is a symbol, the key of a histogram.
    (row,) = layout.parse(f"  {'genunix`read':<50}\n{HISTOGRAM}").rows
    assert plain(row) == [["genunix`read"], {4: 6}]


def test_addresses_are_frames() -> None:
    frames = ["0xfee1dead", "80507654", "java/lang/Thread.run()V*"]
    text = "\n" + "".join(f"{'':14}{frame}\n" for frame in frames) + f" {12:16d}\n"
    assert [plain(r) for r in layout.parse(text).rows] == [[["\n".join(frames)], 12]]


def test_a_histogram_that_somebody_cut() -> None:
    head = "  sshd\n           value  ------------- Distribution ------------- count\n"
    low = "               1 |                                         0\n               2 |@@@   7\n"
    high = "            1024 |@@@@@  9\n            2048 |                                         0\n"
    assert [plain(r) for r in layout.parse(f"{head}{low}[...]\n{high}").rows] == [[["sshd"], {2: 7, 1024: 9}]]
    broken = layout.parse(f"{head}{high}{low}")
    assert not broken.rows
    assert broken.complaints == ["line 2, column 1: not a histogram: the buckets do not rise: [1024, 2048, 1, 2]"]


@pytest.mark.parametrize("path", sorted(RECORDED.glob("*.stderr")), ids=lambda p: p.stem)
def test_drops_on_stderr(path: Path) -> None:
    text = read(path)
    assert sum(map(drops, text.splitlines())) == sum(int(n) for n in re.findall(r"(\d+) (?:\w+ )*drops", text))


@pytest.mark.parametrize(
    ("line", "n"),
    [
        ("dtrace: 1 drop on CPU 0", 1),
        ("dtrace: 7 speculative drops; no space available in speculation buffer", 7),
        ("dtrace: [DTRACEDROP_DYNDIRTY] 3 dynamic variable drops with non-empty dirty list", 3),
        ("dtrace: 2 failed speculations (no speculative buffer space available)", 2),
        ("dtrace: 5 dynamic variable drops", 5),
        ("dtrace: 6 jstack()/ustack() string table overflows", 6),
        ("dtrace: 1 error in ERROR probe enabling", 1),
        ("dtrace: processing aborted: Abort due to systemic unresponsiveness", 0),
        ("dtrace: description 'profile-997' matched 2 probes", 0),
    ],
)
def test_words_of_drops(line: str, n: int) -> None:
    assert drops(line) == n


KEY = st.text(st.characters(codec="ascii", min_codepoint=33, max_codepoint=126), min_size=1, max_size=50)
COLUMN = st.one_of(
    KEY.filter(lambda s: not s.lstrip("-").isdigit()),
    st.integers(-(2**31), 2**31 - 1),
)


@given(st.lists(st.lists(COLUMN, min_size=1, max_size=4), max_size=4), st.integers(-(2**62), 2**62))
def test_keys_of_any_shape_come_back(rows: list[list[str | int]], value: int) -> None:
    text = "\n"
    for columns in rows:
        text += "".join(f" {c:8d}" if isinstance(c, int) else f"  {c:<50}" for c in columns) + f" {value:16d}\n"
    assert [(r.keys, r.value) for r in layout.parse(text).rows] == [([str(c) for c in cs], value) for cs in rows]


@given(st.text(st.sampled_from(" \n|@0123456789-<>=`abc:"), max_size=400))
def test_no_text_breaks_it(text: str) -> None:
    layout.parse(text)


def test_probe_columns_between() -> None:
    text = (
        "CPU     ID                    FUNCTION:NAME\n"
        "  0      1                           :BEGIN   hi                                         1\n"
        "x\n\n        1                1\n\n"
        "  3  64091                        :tick-60s \n"
        "  io:::start                                                        5\n"
        "        1  syscall::read:entry                                               7\n\n"
        "  0      2                             :END \n"
        "  imapd                                             \n"
        "              genunix`read+0x1\n                9\n"
    )
    answer = layout.parse(text)
    assert [plain(r) for r in answer.rows] == [
        [["1"], 1],
        [["io:::start"], 5],
        [["1", "syscall::read:entry"], 7],
        [["imapd", "genunix`read+0x1"], 9],
    ]
    assert [line.split()[-1] for line in answer.text] == ["FUNCTION:NAME", "1", "x", ":tick-60s", ":END"]


def test_flow_indent() -> None:
    text = (
        "CPU FUNCTION                                 \n"
        "  0  -> read                                                  5\n"
        "  0    | read:entry                            6\n"
        "  0  <= read                                                                        7\n\n"
        "  read                                                              2\n"
    )
    answer = layout.parse(text)
    assert [plain(r) for r in answer.rows] == [[["read"], 2]]
    assert len(answer.text) == 4


def test_annotations_of_a_helper_belong_to_the_stack() -> None:
    text = (
        "\n\n              libperl.so`Perl_pp_print+0x195\n"
        "                [ \n                  t/helper/01-helper.t:\n                ]\n"
        "              0xfe1f0a34\n                3\n"
    )
    (row,) = layout.parse(text).rows
    assert (row.keys[0].split("\n"), row.value) == (
        ["libperl.so`Perl_pp_print+0x195", "[", "t/helper/01-helper.t:", "]", "0xfe1f0a34"],
        3,
    )


def test_an_aborted_program_marks_the_frame() -> None:
    answer = layout.parse(f"\n{3:17d}\n", stderr="dtrace: processing aborted: Abort due to systemic unresponsiveness\n")
    assert (answer.drops, answer.faults, list(answer.frame("q", "h", 0.0)["drops"])) == (0, 1, [1.0])


def test_stderr_marks_the_frame() -> None:
    said = "dtrace: description 'tick-1s' matched 1 probe\ndtrace: 4 aggregation drops on CPU 1\n"
    said += "dtrace: error on enabled probe ID 2 (ID 7: io:::start): invalid address (0x8) in action #1\n"
    said += "dtrace: buffer size lowered to 2m\n"
    answer = layout.parse("\n                3\n", stderr=said)
    assert (answer.drops, answer.faults, len(answer.complaints)) == (4, 1, 3)
    assert list(answer.frame("q", "h", 0.0)["drops"]) == [5.0]


@pytest.mark.parametrize("blanks", [1, 3, 4, 8])
def test_a_text_that_was_indented(blanks: int) -> None:
    texts = [
        "\n  imapd                                             \n              genunix`read+0x1\n                3\n"
        "  nfsd                                              \n              unix`x\n            12345\n",
        "\n  a b                                                       5\n"
        "           value  ------------- Distribution ------------- count    \n"
        "               1 |                                         0        \n"
        "               2 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@ 7        \n"
        "               4 |                                         0        \n\n",
        "\n  uname                                                             1\n     1109  svc.startd"
        "                                                        2\n",
    ]
    texts += [read(RECORDED / "dt_keys_typed.txt").partition("\n")[2]]
    for text in texts:
        moved = indent(text, " " * blanks)
        assert [plain(r) for r in layout.parse(moved).rows] == [plain(r) for r in layout.parse(text).rows]


def test_a_wide_integer_key_below_a_value_is_no_stack() -> None:
    text = "\n              300  a                                                                 1\n"
    text += "              425  " + f"{'b' * 60}" + f" {7:16d}\n"
    assert [plain(r) for r in layout.parse(text).rows] == [[["300", "a"], 1], [["425", "b" * 60], 7]]


HISTOGRAM = (
    "           value  ------------- Distribution ------------- count    \n"
    "               2 |                                         0        \n"
    "               4 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@ 6        \n"
    "               8 |                                         0        \n"
)


@pytest.mark.parametrize(
    "above",
    [
        "^C\n",
        "^C\n\n",
        "# dtrace -s waits.d\n^C\n\n",
        "root@store2:~# ./waits.d 10\n\n",
        "[root@store2 /var/tmp]# ./waits.d 10\n\n",
        "store2% dtrace -qs waits.d\n\n",
        "Waits of the last hour:\n\n```\n",
        "<pre>\n",
        "[...]\n",
        "dtrace -n 'io:::wait-start { @ =\n  quantize(args[0]->b_bcount); }'\n\n",
        "  1   3312                 biowait:wait-start imapd 8192\n\n",
        "The disks of both stores were asked, and all\nwaits of an hour were these:\n\n",
        "Both stores were asked.\n",
        "Both stores were asked.\n\n",
    ],
)
def test_what_stands_around_an_output_is_no_key(above: str) -> None:
    (row,) = layout.parse(above + HISTOGRAM).rows
    assert plain(row) == [[], {4: 6}]
    stack = "              zfs`zio_wait+0x5a\n              genunix`read+0x1\n               11\n"
    (row,) = layout.parse(above.rstrip("\n") + "\n" + stack).rows
    assert plain(row)[0][-1] == "zfs`zio_wait+0x5a\ngenunix`read+0x1"
    assert plain(row)[1] == 11


@pytest.mark.parametrize(
    "above", ["Waits (us):\n", "Waits (us):\n\n", "    2190  imapd -c 4\\0\n\n", "  $5\n", "store2:/mail\n\n"]
)
def test_a_heading_of_a_script_is_the_key(above: str) -> None:
    (row,) = layout.parse(above + HISTOGRAM).rows
    assert " ".join(row.keys).split() == above.split()


def test_a_key_like_what_dtrace_says() -> None:
    keys = ["dtrace: 3 drops on CPU 0", "^C", "# dtrace -n x", "imapd"]
    text = "\n" + "".join(f"  {key:<50}{n:17d}\n" for n, key in enumerate(keys))
    assert [plain(r) for r in layout.parse(text).rows] == [[[key], n] for n, key in enumerate(keys)]


def test_a_key_like_a_prompt_in_its_own_column() -> None:
    text = f"\n  {'# of waits':<50}\n{HISTOGRAM}\n  {'^C':<50}\n{HISTOGRAM}"
    assert [r.keys for r in layout.parse(text).rows] == [["# of waits"], ["^C"]]


@pytest.mark.parametrize(
    "value", ["             7301", "               7301", "           7301", "       7301     ", " 7301"]
)
def test_values_of_stacks_in_a_column_that_somebody_moved(value: str) -> None:
    left = " " if value == " 7301" else " " * 11
    frames = ["imapd`index_sync+0x1c7   ", "<< internal >>", "imapd`main+0x2b"]
    stack = "".join(f"{left}{frame}\n" for frame in frames)
    answer = layout.parse(f"```\n{stack}{value}\n\n{stack}{value}\n```\n")
    assert [plain(r) for r in answer.rows] == [[["\n".join(f.strip() for f in frames)], 7301]] * 2
    assert answer.text == ["```", "```"]


def test_a_heading_with_a_module_in_it_is_no_frame() -> None:
    text = f"Bytes by caller:\n   imapd`index_sync, bytes in all = 4711\n{HISTOGRAM}\n   imapd`f, n = 12\n{HISTOGRAM}"
    answer = layout.parse(text)
    assert [r.keys for r in answer.rows] == [["imapd`index_sync, bytes in all = 4711"], ["imapd`f, n = 12"]]
    assert answer.text == ["Bytes by caller:"]
    frame = "imapd`std::map<int, char>::find(int const&, bool)+0x1c"
    (row,) = layout.parse(f"\n              {frame}\n                3\n").rows
    assert row.keys == [frame]


def test_prose_with_code_in_it_is_no_stack() -> None:
    text = f"`imapd` and `nfsd` read most:\n\n  {'nfsd':<50} {12:16d}\n"
    answer = layout.parse(text)
    assert [plain(r) for r in answer.rows] == [[["nfsd"], 12]]
    assert answer.text == ["`imapd` and `nfsd` read most:"]


def test_rows_that_somebody_moved_by_one_column() -> None:
    rows = [(f"mail_{kind}", "(&(folder=*)(seen=true))", 500, n) for kind, n in (("avg", 117), ("max", 1295))]
    text = "".join(f"   {a:<50}  {b:<50} {c:8d} {d:16d}\n" for a, b, c, d in rows)
    found = layout.parse(f"1. the first run:\n\n   ```\n{text}   ```\n").rows
    assert [plain(r) for r in found] == [[[a, b, str(c)], d] for a, b, c, d in rows]


def test_rows_of_a_format_with_a_wide_column() -> None:
    text = "   Top files (bytes):\n      PATHNAME                  BYTES\n"
    text += "".join(f"      {path:<64} {n}\n" for path, n in (("/mail/a b", 4096), ("/mail/index", 2842624)))
    assert [plain(r) for r in layout.parse(text).rows] == [[["/mail/a b"], 4096], [["/mail/index"], 2842624]]


def test_a_session_behind_tabs() -> None:
    said = "dtrace: script './waits.d' matched 2 probes\n^C\n\n"
    text = indent(f"{said}  imapd\n{HISTOGRAM}\n  nfsd\n{HISTOGRAM}", "\t")
    assert [plain(r) for r in layout.parse(f"The waits:\n\n{text}").rows] == [[["imapd"], {4: 6}], [["nfsd"], {4: 6}]]


@pytest.mark.parametrize("mark", ["> ", ">", ">> ", "> > "])
def test_a_quotation(mark: str) -> None:
    session = f"The waits by program:\n\n  imapd\n{HISTOGRAM}\n  nfsd{' ' * 46}{12:17d}\n"
    quoted = "".join(f"{mark}{line}\n".replace("> \n", ">\n") for line in session.split("\n"))
    answer = layout.parse(f"Somebody wrote:\n{quoted}\nAnd that is so.\n")
    assert [plain(r) for r in answer.rows] == [[["imapd"], {4: 6}], [["nfsd"], 12]]
    assert answer.text[-1] == "And that is so."


def test_dtrace_speaks_within_an_indented_session() -> None:
    text = "    dtrace: pid 4711 has exited\n    \n" + indent(HISTOGRAM, "    ")
    answer = layout.parse(f"It took:\n\n{text}")
    assert [plain(r) for r in answer.rows] == [[[], {4: 6}]]
    assert answer.complaints == ["dtrace: pid 4711 has exited"]


def test_columns_that_somebody_shifted() -> None:
    for text, keys in (
        (f" {'nfsd':<50}{46569:9d}", ["nfsd", "46569"]),
        (f"       42  {'netcfgd':<32}", ["42", "netcfgd"]),
        (
            f"       97  {'imapd`sync+0x1c7':<54}  {'imapd`sync':<50}  {'imapd':<50}",
            ["97", "imapd`sync+0x1c7", "imapd`sync", "imapd"],
        ),
    ):
        assert [plain(r) for r in layout.parse(f"\n{text} {12:16d}\nso far\n").rows] == [[keys, 12]]
        assert [plain(r) for r in layout.parse(f"\n{text.rstrip()}\n{HISTOGRAM}").rows] == [[keys, {4: 6}]]


def test_a_session_that_a_page_indents() -> None:
    typed = "# dtrace -n 'io:::start { @ = count(); }'\ndtrace: description 'io:::start ' matched 6 probes\n^C\n\n"
    typed += f"{36:17d}\n"
    for by in ("    ", "\t"):
        page = f"Counted:\n\n{indent(typed, by)}\nAnd that was all.\n"
        answer = layout.parse(page)
        assert [plain(r) for r in answer.rows] == [[[], 36]]
        assert answer.complaints == ["dtrace: description 'io:::start ' matched 6 probes"]
        assert answer.text[-1] == "And that was all."
    rows = indent(f"  {'imapd':<50}{3:17d}\n{1109:9d}  {'lmtpd':<50}{5:17d}\n", "\t")
    assert [plain(r) for r in layout.parse(rows).rows] == [[["imapd"], 3], [["1109", "lmtpd"], 5]]


def test_blanks_that_somebody_cut_off_before_it() -> None:
    typed = f"\n  {'imapd':<50}{3:17d}\n{1109:9d}  {'lmtpd':<50}{5:17d}\n{7:9d}{-5:17d}\n"
    cut = "".join(line.lstrip(" ") + "\n" for line in typed.split("\n"))
    assert [plain(r) for r in layout.parse(cut).rows] == [[["imapd"], 3], [["1109", "lmtpd"], 5], [["7"], -5]]
    joined = f"\n  {'imapd':<50}\n{HISTOGRAM}{4:17d}\n  {'nfsd':<50}\n{HISTOGRAM}{6:17d}\n"
    for by in (1, 2, 8):
        cut = "".join(line[min(by, len(line) - len(line.lstrip())) :] for line in joined.splitlines(keepends=True))
        found = [plain(r) for r in layout.parse(cut, values=2).rows]
        assert found == [[["imapd"], {4: 6}], [["imapd"], 4], [["nfsd"], {4: 6}], [["nfsd"], 6]]
    # A table of a script's own by process, whose histograms stand to the left.
    moved = HISTOGRAM.replace("    ", "", 1)
    assert layout.parse(f" PID  CMD\n4711  imapd -c 4\n\n{moved}").rows[0].keys == ["4711", "imapd -c 4"]


def test_a_heading_with_blanks_in_it_is_one_key() -> None:
    heading = "2026 Nov  4 19:15:41,  load: 0.03,  disk_r:   3599 KB,  disk_w:      0 KB"
    for above in ("", "```\n"):
        (row,) = layout.parse(f"{above}   {heading}\n\n{HISTOGRAM}").rows
        assert row.keys == [heading]


def test_a_tag_after_the_last_row_is_no_stack() -> None:
    for row in (f"{4500:17d}", f"{9:9d}{7:17d}", f"  {'imapd':<50}{7:17d}"):
        (alone,), (within,) = layout.parse(f"\n{row}\n").rows, layout.parse(f"<pre>\n{row}\n</pre>\n").rows
        assert alone == within


@pytest.mark.parametrize(
    "line", [" " * 16_000, " 1" * 8_000, "  " + "a " * 7_990, "`" * 50_000, "@ " * 25_000, "  a`" + "b  " * 16_000]
)
def test_long_lines_take_no_time(line: str) -> None:
    began = time.process_time()
    layout.parse(f"{line}\n{line}\n{5:17d}\n{line}{5:17d}\n{HISTOGRAM}{line}\n")
    assert time.process_time() - began < 5


def test_symbols_to_the_right_are_keys_and_no_stack() -> None:
    names = ["kernel`free+0xd3", "kernel`kmem_alloc_contig_domainset+0x19a", "zfs.ko`arc_reap_cb_check+0x16"]
    text = "".join(f"{name:>40} {n:16d}\n" for n, name in enumerate(names))
    assert [plain(r) for r in layout.parse(text).rows] == [[[name], n] for n, name in enumerate(names)]
