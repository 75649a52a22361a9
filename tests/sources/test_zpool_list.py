"""zpool list: headings that came and went, pools named like sections, rows of vdevs."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from collectors.base import ParseError, parse_text
from collectors.sources.zpool_list import SOURCE

HEADINGS = SOURCE.variants[-1]
GIB = 2**30


@pytest.mark.parametrize(
    ("heading", "row", "expected"),
    [
        (
            "NAME       SIZE   USED  AVAIL    CAP  HEALTH    ALTROOT",
            "old pool  80.0G  20.0G  60.0G    25%  DEGRADED  /mnt/a b",
            {"pool": "old pool", "size": 80 * GIB, "alloc": 20 * GIB, "dedup": None, "health": "DEGRADED"},
        ),
        (
            "NAME   SIZE  ALLOC  FREE  CAP   DEDUP  HEALTH     ALTROOT",
            "tank   278G  4.97G  273G   1%  12.34x  SUSPENDED  -",
            {"size": 278 * GIB, "frag": None, "dedup": 12.34, "health": "SUSPENDED"},
        ),
        (
            "NAME   SIZE  ALLOC   FREE  EXPANDSZ   FRAG    CAP  DEDUP  HEALTH  ALTROOT",
            "tank   256G  2,50G   253G       16G    12%     1%  1.00x  ONLINE  -",
            {"alloc": 2.5 * GIB, "expandsz": 16 * GIB, "frag": 0.12, "checkpoint": None},
        ),
        (
            "NAME    SIZE  ALLOC  FREE  CKPOINT  EXPANDSZ  FRAG  CAP  DEDUP  NEWCOL  HEALTH  ALTROOT",
            "tank   16.0E   8.0E  8.0E     1.5G         -    0%  50%  1.00x     17K  ONLINE  -",
            {"size": 16 * 2**60, "checkpoint": 1.5 * GIB, "frag": 0},
        ),
        (
            "NAME  SIZE  ALLOC  FREE  CAP  DEDUP  HEALTH   ALTROOT",
            "tank     -      -     -    -      -  UNAVAIL  -",
            {"size": None, "alloc": None, "dedup": None, "health": "UNAVAIL"},
        ),
    ],
)
def test_columns_are_read_by_their_headings(heading: str, row: str, expected: dict[str, Any]) -> None:
    got = parse_text(HEADINGS, f"{heading}\n{row}\n")["pool_capacity"].iloc[0]
    for column, value in expected.items():
        assert pd.isna(got[column]) if value is None else got[column] == pytest.approx(value), column


def test_vdevs_are_passed_over_and_a_pool_named_logs_is_not() -> None:
    text = """\
NAME         SIZE  ALLOC   FREE  CKPOINT  EXPANDSZ   FRAG    CAP  DEDUP    HEALTH  ALTROOT
logs        19.9G  8.43G  11.4G        -         -    33%    42%  1.00x    ONLINE  -
  mirror-0  19.9G  8.43G  11.4G        -         -    33%  42.3%      -    ONLINE
    sda         -      -      -        -         -      -      -      -    ONLINE
logs            -      -      -        -         -      -      -      -         -
  sdb          1G     1M  1023M        -         -     0%  0.09%      -    ONLINE
cache           -      -      -        -         -      -      -      -         -
  sdc          1G     1M  1023M        -         -     0%  0.09%      -    ONLINE
spare           -      -      -        -         -      -      -      -         -
  sdd           -      -      -        -         -      -      -      -     AVAIL
"""
    assert parse_text(HEADINGS, text)["pool_capacity"]["pool"].tolist() == ["logs"]


PASTED = {
    "words and a shell around it": """\
I have this:
```
root@host:~# zpool list
NAME   SIZE  ALLOC   FREE  CAP  DEDUP    HEALTH  ALTROOT
tank   5,5T   154G  5,13T   2%  1.00x  DEGRADED  -
root@host:~# uname -a
SunOS host 5.11 joyent_20240101T000000Z i86pc i386 i86pc
```
Is that right?
""",
    "what an agent asks for": "tank\tDEGRADED\t5.5T\t154G\t5.13T\t-\t2\t1.00x\n",
    "-H": "tank\t5.5T\t154G\t5.13T\t2%\t1.00x\tDEGRADED\t-\n",
    "-H without its tabs": "# zpool list -H\ntank    5.5T    154G    5.13T   2%      1.00x   DEGRADED        -\n",
    "-H of columns that the command names": "$ zpool list -H -o name,health,allocated,size\ntank DEGRADED 154G 5.5T\n",
    "-v without its indentation": """\
NAME SIZE ALLOC FREE CKPOINT EXPANDSZ FRAG CAP DEDUP HEALTH ALTROOT
tank 5.5T 154G 5.13T - - - 2% 1.00x DEGRADED -
mirror-0 5.5T 154G 5.13T - - 0% 2.1% - DEGRADED
sda - - - - 64M - - - ONLINE
sdb - - - - - - - - UNAVAIL
""",
}


@pytest.mark.parametrize("how", PASTED)
def test_texts_that_people_paste(how: str) -> None:
    got = parse_text(HEADINGS, PASTED[how])["pool_capacity"]
    assert got["pool"].tolist() == ["tank"]
    assert got["size"].tolist() == pytest.approx([5.5 * 2**40])
    assert got["alloc"].tolist() == pytest.approx([154 * GIB])
    assert got["health"].tolist() == ["DEGRADED"]


def test_no_pools_are_no_rows() -> None:
    assert parse_text(HEADINGS, "no pools available\n") == {}


def test_an_error_names_line_and_column() -> None:
    with pytest.raises(ParseError) as e:
        parse_text(HEADINGS, "NAME  SIZE  ALLOC  FREE  CAP  HEALTH  ALTROOT\nno row at all\n")
    assert (e.value.line_no, e.value.column) == (2, 1)
