"""hosts.toml: what is read from it, and that every error names file, line and key."""

from pathlib import Path

import pytest

from collectors.inventory import InventoryError, load


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "hosts.toml"
    path.write_text(text)
    return path


def test_defaults_are_merged_and_a_host_may_differ(tmp_path):
    inventory = load(
        write(
            tmp_path,
            """
[defaults]
user = "ops"
sources = ["zpool_iostat"]
[hosts.ms1]
[hosts.ms2]
address = "10.0.0.2"
user = "root"
intervals = { zpool_iostat = 2 }
[[pairs]]
source = "ms1"
target = "ms2"
""",
        ),
        ["zpool_iostat"],
    )
    assert inventory.hosts["ms1"].link_options("ms1").address == "ms1"
    assert inventory.hosts["ms1"].user == "ops"
    assert inventory.hosts["ms2"].user == "root"
    assert inventory.hosts["ms2"].intervals == {"zpool_iostat": 2.0}
    assert inventory.pairs[0].target == "ms2"


@pytest.mark.parametrize(
    ("text", "line", "key", "why"),
    [
        ("[hosts.ms1]\nadress = 'x'\n", 2, "hosts.ms1.adress", "did you mean 'address'"),
        ("[hosts.ms1]\nport = 'a'\n", 2, "hosts.ms1.port", "integer"),
        ("[defaults]\n\nport = 99999\n[hosts.ms1]\n", 3, "defaults.port", "65535"),
        ("[hosts.a]\n[hosts.b]\nlink = 'telnet'\n", 3, "hosts.b.link", "paramiko"),
        ("\ndefaults = 3\n[hosts.a]\n", 2, "defaults", "write [defaults]"),
        ("[hosts.a]\n[pairs]\nsource = 'a'\n", 2, "pairs", "[[pairs]]"),
        ("[hosts.a]\n[[pairs]]\nsource = 'a'\ntarget = 'a'\n", 2, "pairs.0", "the same host"),
        (
            "[hosts.a]\n[hosts.b]\n[[pairs]]\nsource = 'a'\ntarget = 'b'\nbegin = 2026-11-23T22:00:00Z\n"
            "end = 2026-11-23T21:00:00Z\n",
            3,
            "pairs.0",
            "ends before it begins",
        ),
        ("[hosts.a]\n[[pairs]]\nsource = 'a'\ntarget = 'zz'\n", 4, "pairs.0.target", "no host of this file"),
        ("[hosts.a]\n[[pairs]]\nsource = 'a'\n", 2, "pairs.0.target", "is missing"),
        ("[hosts.a]\nsources = ['zpool_iostatt']\n", 2, "hosts.a.sources", "did you mean 'zpool_iostat'"),
        ("[hosts.a]\nintervals = { zpool_iostat = 0 }\n", 2, "hosts.a.intervals", "0.1 to 86400"),
        ("[hosts.a\n", 1, "", "not TOML"),
        ("[hosts.'<b>x</b>']\n", 1, "hosts.<b>x</b>", "letters, digits"),
        ("", 0, "hosts", "missing"),
    ],
)
def test_an_error_names_file_line_and_key(tmp_path, text, line, key, why):
    path = write(tmp_path, text)
    with pytest.raises(InventoryError) as caught:
        load(path, ["zpool_iostat"])
    assert (caught.value.file, caught.value.line, caught.value.key) == (path, line, key)
    assert why in caught.value.why


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InventoryError, match="cannot be read"):
        load(tmp_path / "none.toml")


@pytest.mark.parametrize("key", ["address", "user", "jump"])
def test_ssh_gets_no_option_from_the_file(tmp_path, key):
    with pytest.raises(InventoryError, match=rf":2: hosts\.a\.{key}: must not begin with -"):
        load(write(tmp_path, f'[hosts.a]\n{key} = "-oProxyCommand=id"\n'))


def test_a_wrong_system_is_answered_with_those_there_are(tmp_path):
    with pytest.raises(InventoryError, match=r":2: hosts\.a\.os: .*'auto', 'solaris10'.*'linux'"):
        load(write(tmp_path, '[hosts.a]\nos = "solaris"\n'))


def test_an_editors_byte_order_mark_is_no_error(tmp_path):
    path = tmp_path / "hosts.toml"
    path.write_bytes(b"\xef\xbb\xbf[hosts.a]\r\nport = 22\r\n")
    assert load(path).hosts["a"].port == 22


def test_a_star_stands_for_the_usual_sources(tmp_path):
    path = tmp_path / "hosts.toml"
    path.write_text('[hosts.a]\nsources = ["imapsync", "*", "disk_io"]\n[hosts.b]\n')
    hosts = load(path).hosts
    assert hosts["a"].sources == ["imapsync", *hosts["b"].sources]
