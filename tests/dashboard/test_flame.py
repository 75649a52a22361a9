"""Flame graphs: stacks folded into a tree, two windows side by side, what a search holds."""

from __future__ import annotations

import json

import pytest

from dashboard import flame

READ = "unix`bcopy+0x1a\nzfs`arc_read+0x2c1\nzfs`zfs_read+0x5\nunix`sys_syscall32+0xff"
POLL = "genunix`poll_common+0x8\nunix`sys_syscall32+0x101"
ROWS = [(["imapd", READ], 30.0), (["imapd", POLL], 10.0), (["lmtpd", READ], 20.0)]


def test_a_stack_is_outermost_first_and_calls_of_one_function_are_one_box() -> None:
    assert flame.frames_of(READ) == ["unix`sys_syscall32", "zfs`zfs_read", "zfs`arc_read", "unix`bcopy"]
    tree = flame.fold(ROWS)
    assert list(tree.children["imapd"].children) == ["unix`sys_syscall32"]
    assert tree.children["imapd"].children["unix`sys_syscall32"].value == 40


def test_every_box_holds_what_is_above_it_and_siblings_are_in_alphabetical_order() -> None:
    name, value, before, children = flame.wire(flame.fold(reversed(ROWS)))
    assert (name, value, before) == ("all", 60, 0)
    assert [c[:2] for c in children] == [["imapd", 40], ["lmtpd", 20]]

    def check(box: list) -> None:
        assert [c[0] for c in box[3]] == sorted(c[0] for c in box[3])
        assert sum(c[1] for c in box[3]) <= box[1]
        for c in box[3]:
            check(c)

    check(flame.wire(flame.fold(ROWS)))


def test_no_samples_and_samples_without_a_stack() -> None:
    assert flame.wire(flame.fold([])) == ["all", 0, 0, []]
    assert flame.wire(flame.fold([(["sched", ""], 4.0), ([], 0.0)])) == ["all", 4, 0, [["sched", 4, 0, []]]]


def test_two_windows_keep_what_vanished_and_what_is_new() -> None:
    tree = flame.fold([(["imapd", POLL], 10.0)], before=[(["lmtpd", POLL], 20.0), (["imapd", POLL], 20.0)])
    imapd, lmtpd = tree.children["imapd"], tree.children["lmtpd"]
    assert (imapd.value, imapd.before) == (10, 20)
    assert (lmtpd.value, lmtpd.before) == (0, 20)
    assert flame.change(imapd, tree) == pytest.approx(0.5), "all of now, half of before"
    assert flame.change(lmtpd, tree) == pytest.approx(-0.5)
    assert flame.change(imapd, tree, equal=False) == pytest.approx(1 - 2.0), "in samples it shrank"


def test_a_search_counts_what_is_nested_once() -> None:
    tree = flame.fold(ROWS)
    assert flame.matched(tree, {"unix`bcopy": True}) == 50
    assert flame.matched(tree, {"unix`bcopy": True, "zfs`arc_read": True, "imapd": True}) == 60
    assert flame.matched(tree, {"nothing": True}) == 0


def test_a_wide_tree_loses_its_narrowest_boxes_and_no_time() -> None:
    rows = [(["imapd", f"main`f{i}+0x1"], float(i)) for i in range(1, 101)]
    tree = flame.trim(flame.fold(rows), most=20)
    assert tree.size() <= 21
    assert tree.value == sum(range(1, 101))
    assert "main`f100" in tree.children["imapd"].children
    assert "main`f1" not in tree.children["imapd"].children


def test_a_runaway_recursion_is_cut_where_a_page_can_still_read_it() -> None:
    stack = "\n".join(f"a.out`recurse{i}+0x10" for i in range(5000))
    sent = json.dumps(flame.wire(flame.trim(flame.fold([(["a.out", stack], 3.0)]))))
    box, deep = json.loads(sent), 0
    while box[3]:
        [box], deep = box[3], deep + 1
        assert box[1] == 3
    assert box[0] == f"… {5001 - flame.DEEP} frames more"
    assert deep == flame.DEEP + 1
