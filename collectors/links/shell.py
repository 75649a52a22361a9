"""How a command is written so that every login shell parses it and it ends with its standard input.

sshd gives what we send to the account's login shell (sh, bash, csh, tcsh, fish, …). It is always

    exec /bin/sh -c WRAPPER zonescope 'first line of the command' 'second line' …

so a reader splits it with `shlex` and joins the arguments after ``zonescope`` by newlines to have the command,
and `ps` on the host shows whose process it is. Old csh takes words of at most 1,023 characters: WRAPPER is
shorter, and so must be each line of a command that is to run there.

WRAPPER is plain Bourne shell (Solaris 10: no $(…), no local, no `kill -s`):

* it prints a marker line to both outputs (once where they are one terminal), so that what start-up files printed
  before can be cut off;
* the command's standard input is /dev/null; ours is watched by a second process, which ends the whole process
  group (sshd makes the login shell its leader) when it reads anything or meets its end: TERM, a second later KILL.
  A signal to the remote command would need a channel that still works; the end of a pipe does not;
* with a lease the second process ends the group as well when nothing has been read for so long: in a network that
  loses every packet the end of standard input may not come for a quarter of an hour. It then reads lines, of whatever
  content; a third process counts five sleeps, and each line has it begin anew. That is one process start in a fifth of
  the lease, so only what burdens the host has one;
* when the command ends by itself, what it left in its group gets TERM, a second later KILL (a shell that has just
  forked may swallow the first), and its exit status is ours.
"""

from __future__ import annotations

MARK = "zonescope:begin"

PATH = "/usr/sbin:/sbin:/usr/gnu/bin:/opt/ooce/bin:/opt/csw/bin:/usr/local/sbin:/usr/local/bin"

BEATS = 5
"""Beats to a lease: so many may be late or lost but one."""


def wrapper(lease: float = 0) -> str:
    """WRAPPER; `lease` in seconds, 0: none."""
    end = "kill -15 -$$ || kill -15 $p; sleep 1; kill -9 -$$ || kill -9 $p"
    watch = "read x"
    if lease:
        watch = (
            f'(n=; trap "" 1 15; trap "n=" 14; until test "$n" = {"x" * BEATS}; do sleep {lease / BEATS:g}; n=x$n; '
            f"done; {end}) & t=$!; while read x; do kill -14 $t; done"
        )
    return "; ".join(
        [
            f"PATH=${{PATH:-/usr/bin:/bin}}:{PATH}; LC_ALL=C; export PATH LC_ALL",
            "exec 3<&0",
            "test -t 0 && stty -opost -echo",
            'c=`printf "%s\\n" "$@"`',
            f"echo {MARK}; test -t 2 || echo {MARK} >&2",
            '(exec </dev/null 3<&-; eval "$c") & p=$! '
            f'; (trap "" 1 15; exec <&3 3<&- >/dev/null 2>&1; {watch}; {end}) & w=$! ; exec 3<&-',
            'wait $p; s=$?; exec 2>/dev/null; trap "" 15; kill -9 $w; kill -15 -$$',
            "(sleep 1; kill -9 -$$) </dev/null >/dev/null & exit $s",
        ]
    )


WRAPPER = wrapper()


def quote(text: str) -> str:
    """`text` as one word of sh, csh, tcsh and fish alike; raises ValueError on newline and NUL.

    Within single quotes csh still sees ``!`` and fish still sees a backslash, so those two and the quote itself
    stand outside of them behind a backslash, which all of them read alike.
    """
    if "\n" in text or "\0" in text:
        raise ValueError(f"no newline or NUL can stand in a word of every login shell: {text[:80]!r}")
    out = text.replace("\\", "\0").replace("'", "'\\''").replace("!", "'\\!'").replace("\0", "'\\\\'")
    return f"'{out}'"


def wrap(command: str, shell: str = "/bin/sh", lease: float = 0) -> str:
    """The line to send for `command` (sh text, of any number of lines); `lease` in seconds, 0: none."""
    lines = command.strip("\n").split("\n")
    return f"exec {shell} -c {quote(wrapper(lease))} zonescope " + " ".join(quote(line) for line in lines)


def argv(command: str, lease: float = 0) -> list[str]:
    """The same for a local child process."""
    return ["/bin/sh", "-c", wrapper(lease), "zonescope", *command.strip("\n").split("\n")]
