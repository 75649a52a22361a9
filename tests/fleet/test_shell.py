"""As much of a shell as commands over SSH need."""

import asyncio

import pytest

from fleet.commands import execute
from fleet.shell import IO, ShellError, parse
from tests.fleet.kit import machine, run


@pytest.fixture(scope="module")
def m():
    return machine("ms2")


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo a  b 'c  d' \"e  f\"", "a b c  d e  f\n"),
        ("x=1; y=$x$x; echo $y ${y}2 \"$y\" '$y'", "11 112 11 $y\n"),
        ("echo `echo one; echo two`", "one two\n"),
        ('echo "`echo one; echo two`"', "one\ntwo\n"),
        ("echo $(uname -s) $((2 + 3))", "SunOS 5\n"),
        ("false && echo no || echo yes", "yes\n"),
        ("if test 3 -gt 2; then echo more; elif true; then echo x; else echo less; fi", "more\n"),
        ("for i in a b c; do echo $i; done | tail -1", "c\n"),
        ("n=0; while test $n -lt 3; do n=`expr $n + 1`; done; echo $n", "3\n"),
        ("case linux-x86 in sun*) echo s;; linux*|bsd) echo l;; esac", "l\n"),
        ("(x=2; exit 3); echo $? [$x]", "3 []\n"),
        ("nosuch 2>/dev/null; echo $?", "127\n"),
        ("echo out; echo err >&2", "out\n"),
        ("printf '%s-%s\\n' a b c d", "a-b\nc-d\n"),
        ("psrinfo | wc -l", "       4\n"),
        ("kstat -p zfs:0:arcstats:c_max | awk '{print $2}'", "10737418240\n"),
        ("prtconf | sed -n 's/^Memory size: *\\([0-9]*\\).*/\\1/p'", "16384\n"),
        ("sed -n '/[^ ]/{p;q;}' /etc/release | cut -c1-1 | wc -l", "       1\n"),
        ("zoneadm list -cp | awk -F: '$1 > 9 && /:run/ { n++; s = s $2 } END { print n, s }'", "4 imap2web2pop2dns2\n"),
        ("echo 3 4 | awk '{ a[$1] = $2; for (k in a) printf \"%s=%d\\n\", k, a[k] * 2 }'", "3=8\n"),
        ("(echo b; echo a; echo b) | sort -u | tr ab AB", "A\nB\n"),
        ("grep -c mail /etc/zones/mail3.xml; grep -q nothing /etc/release; echo $?", "1\n1\n"),
        ("cd /etc/zones && echo mail[34].xml", "mail3.xml mail4.xml\n"),
        ("echo ' x ' | while read l; do echo \"$l\" || exit 1; done", "x\n"),
        ("sleep 0.01 & wait $!; echo done", "done\n"),
        ("type zpool >/dev/null && echo there; type nosuch >/dev/null || echo not", "there\nnot\n"),
    ],
)  # fmt: skip
def test_scripts(m, script, said):
    assert run(m, script)[1] == said


@pytest.mark.parametrize(
    "script", ["echo 'open", "if true; then echo x", "echo a | ", "for i in a; echo", ") x", "echo `x"]
)
def test_what_is_no_script_ends_with_status_2(m, script):
    status, _, err = run(m, script)
    assert (status, "syntax error" in err) == (2, True)


def test_a_parse_is_of_the_whole_text():
    with pytest.raises(ShellError):
        parse("echo a )")


def test_background_commands_end_with_their_shell(m):
    async def go() -> int:
        before = len(asyncio.all_tasks())
        await execute(m, "sleep 600 & (while :; do sleep 500; done) & echo hi", IO(lambda t: None, lambda t: None))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return len(asyncio.all_tasks()) - before

    assert asyncio.run(go()) == 0
