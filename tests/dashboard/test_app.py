"""What goes over HTTP: pages, headers, compression, exports; and that what hosts say is data."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from pathlib import Path

import pytest

from dashboard import pages, panels
from dashboard.export import cell
from dashboard.live import Live
from dashboard.shell import panel_shell
from frames.schemas import SCHEMAS
from frames.store import Store, Writer
from tests.dashboard import scene
from tests.dashboard.serving import Dashboard

START = 1_795_400_000
EVIL = '<img src=x onerror="alert(1)">'


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("history")
    with Writer(folder) as writer:
        for s in range(START, START + 30):
            frames = scene.second_of(s)
            if s == START:
                frames |= scene.facts(s)
                frames["links"] = SCHEMAS["links"].table(
                    {"time": [s * 10**6] * 2, "host": ["ms2", EVIL], "state": ["up"] * 2}
                )
            writer.append(s, frames)
    live = Live(Store(folder), clock=lambda: START + 30.0)
    live.load()
    dashboard = Dashboard(folder, live=live, still=True)
    yield dashboard
    dashboard.stop()


def span(n: int = 30) -> dict[str, str]:
    return {"from": str(START * 1000), "to": str((START + n) * 1000)}


@pytest.mark.parametrize("path", ["/", "/host/ms2", "/host/a%2Fb", "/host", "/nosuch/page"])
def test_every_path_brings_the_app_with_its_assets(client: Dashboard, path: str) -> None:
    answer = client.get(path)
    assert answer.status == 200
    for name in ("zs-tokens.css", "zs.css", "zs-00-core.js", "zs-90-start.js"):
        assert f"/assets/{name}" in answer.text


def test_nothing_is_fetched_from_elsewhere(client: Dashboard) -> None:
    html = client.get("/host/ms2").text
    linked = re.findall(r'(?:src|href)="([^"]+)"', html)
    assert linked
    assert all(url.startswith("/") and not url.startswith("//") for url in linked)
    for asset in Path("assets").glob("*.css"):
        assert not re.findall(r"url\((?!\"data:|data:|\"?fonts/)", asset.read_text()), asset.name


def test_scripts_run_only_from_here(client: Dashboard) -> None:
    answer = client.get("/host/ms2")
    policy = dict(p.split(" ", 1) for p in answer.headers["content-security-policy"].split("; "))
    assert "unsafe" not in policy["script-src"]
    assert policy["frame-ancestors"] == "'none'"
    assert policy["connect-src"] == "'self'"
    assert answer.headers["x-content-type-options"] == "nosniff"
    inline = re.findall(r"<script(?![^>]*src=)([^>]*)>(.*?)</script>", answer.text, re.S)
    for attributes, body in inline:
        if "application/json" not in attributes:
            import base64
            import hashlib

            digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
            assert f"sha256-{digest}" in policy["script-src"]
        else:
            json.loads(body)


def test_a_host_named_like_markup_is_text(client: Dashboard) -> None:
    html = client.get("/host/%3Cscript%3Ealert(1)%3C%2Fscript%3E").text
    assert "alert(1)" not in html
    answer = _route(client, f"/host/{EVIL}".replace('"', "%22").replace(" ", "%20"))
    title = answer["zs-title"]["children"][0]
    assert title["props"]["children"] == EVIL
    assert title["type"] == "H1"


def _route(client: Dashboard, path: str) -> dict:
    """What the router puts on the page for a path."""
    ids = ["zs-nav.children", "zs-title.children", "zs-page.children", "zs-page.data-page", "zs-page.data-ranged"]
    body = {
        "output": f"..{'...'.join(ids)}..",
        "outputs": [dict(zip(("id", "property"), i.split("."), strict=True)) for i in ids],
        "inputs": [{"id": "zs-url", "property": "pathname", "value": path}],
        "state": [{"id": "zs-url", "property": "search", "value": ""}],
        "changedPropIds": ["zs-url.pathname"],
    }
    answer = client.post("/_dash-update-component", body)
    assert answer.status == 200, answer.text[:500]
    return answer.json()["response"]


def test_the_host_page_names_its_panels_and_their_queries(client: Dashboard) -> None:
    page = _route(client, "/host/ms2")
    text = json.dumps(page["zs-page"]["children"])
    for name in ("disk_latency", "pool_io", "arc", "zones_cpu", "zones_memory", "disk_strip", "cpu", "net_in"):
        assert f'"data-panel": "{name}"' in text
    assert page["zs-page"]["data-ranged"] == "1"
    nav = json.dumps(page["zs-nav"]["children"])
    assert '"aria-current": "page"' in nav


def test_menus_know_the_hosts_and_their_zones_of_time(client: Dashboard) -> None:
    told = json.loads(client.get("/api/known").text)
    assert set(told["hosts"]) == {"ms2", EVIL}
    assert "Not/AZone" not in told["zones"]


def test_a_page_of_no_host_says_so_and_names_those_there_are(client: Dashboard) -> None:
    laid = json.dumps(_route(client, "/host/nosuch")["zs-page"]["children"])
    assert "No host is called nosuch" in laid
    assert "/host/ms2" in laid
    assert '"data-view": "heard"' in laid  # it gives way once the host is heard of
    assert "p-disk_latency" not in laid


def test_an_unknown_path_says_so(client: Dashboard) -> None:
    page = _route(client, "/nosuch/page")
    assert "Nothing is at /nosuch/page" in json.dumps(page["zs-page"]["children"])


def test_pages_that_are_not_built_are_no_links(client: Dashboard) -> None:
    live = client.live
    links = dict(pages.links(live))
    assert list(links) == list(pages.NAV)
    nav = json.dumps(_route(client, "/host/ms2")["zs-nav"]["children"])
    for word, href in links.items():
        assert (f'"href": "{href}"' in nav) == bool(href), word


def test_static_files_are_compressed_once_and_well(client: Dashboard) -> None:
    plain = client.get("/assets/zs.css", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    packed = client.get("/assets/zs.css", headers={"accept-encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.content) == plain.content
    assert client.get("/assets/zs.css", headers={"accept-encoding": "gzip"}).content == packed.content


def test_csv_of_a_panel_has_units_and_gaps_are_empty(client: Dashboard) -> None:
    asked = {"panel": "pool_io", "query": '{"host":"ms2"}', "points": "200", **span(32)}
    answer = client.get("/api/panel.csv", params=asked)
    assert answer.headers["content-type"].startswith("text/csv")
    assert 'filename="pool_io-ms2.csv"' in answer.headers["content-disposition"]
    head, *rows = csv.reader(io.StringIO(answer.text))
    assert head[0] == "time (UTC)"
    assert "raidz2-0/read (B/s)" in head
    assert rows[0][0] == "2026-11-23T02:13:20+00:00"
    column = head.index("raidz2-0/read (B/s)")
    expected = scene.second_of(START)["zpool_iostat"]["read_bytes"][1].as_py()
    assert float(rows[0][column]) == pytest.approx(expected, rel=1e-6)
    assert rows[31][column] == ""


def test_csv_is_in_the_viewers_zone(client: Dashboard) -> None:
    asked = {"panel": "arc", "query": '{"host":"ms2"}', "tz": "Europe/Berlin", **span()}
    head, first, *_ = csv.reader(io.StringIO(client.get("/api/panel.csv", params=asked).text))
    assert head[0] == "time (Europe/Berlin)"
    assert first[0] == "2026-11-23T03:13:20+01:00"


def test_a_file_of_what_is_laid_beside_a_later_window_has_its_own_times(client: Dashboard) -> None:
    later = {"from": str((START + 3600) * 1000), "to": str((START + 3630) * 1000)}
    asked = {"panel": "arc", "query": '{"host":"ms2","shift":3600}', **later}
    _, first, *_ = csv.reader(io.StringIO(client.get("/api/panel.csv", params=asked).text))
    assert first[0] == "2026-11-23T02:13:20+00:00"
    assert float(first[1]) == pytest.approx(scene.second_of(START)["arcstats"]["size"][0].as_py(), rel=1e-6)
    _, *rows = csv.reader(io.StringIO(client.get("/api/raw.csv", params=asked).text))
    assert len(rows) == 30
    assert rows[0][0] == "2026-11-23T02:13:20+00:00"


def test_raw_csv_has_the_samples_with_the_schemas_units(client: Dashboard) -> None:
    asked = {"panel": "zones_cpu", "query": '{"host":"ms2"}', **span()}
    head, *rows = csv.reader(io.StringIO(client.get("/api/raw.csv", params=asked).text))
    assert {"zone", "cpu (cores)", "rss (B)"} <= set(head)
    assert len(rows) == 30 * len(scene.ZONES)
    heat = {"panel": "disk_latency", "query": '{"host":"ms2"}', **span(1)}
    head, first, *_ = csv.reader(io.StringIO(client.get("/api/raw.csv", params=heat).text))
    assert len(first[head.index("counts (1)")].split()) == 64


def test_json_of_a_panel_has_null_for_missing(client: Dashboard) -> None:
    asked = {"panel": "arc", "query": '{"host":"ms2"}', "points": "200", **span(32)}
    got = client.get("/api/panel.json", params=asked).json()
    size = got["values"][[s["id"] for s in got["series"]].index("size")]
    assert size[0] == pytest.approx(scene.second_of(START)["arcstats"]["size"][0].as_py(), rel=1e-6)
    assert size[-1] is None


@pytest.mark.parametrize(
    "asked",
    [
        {"panel": "nosuch"},
        {"panel": "arc", "query": "{"},
        {"panel": "arc", "query": "[]"},
        {"panel": "arc", "from": "yesterday"},
        {"panel": "arc", "points": "many"},
        {"panel": "arc", "tz": "Mars"},
    ],
)
def test_what_cannot_be_exported_is_told(client: Dashboard, asked: dict[str, str]) -> None:
    answer = client.get("/api/panel.csv", params=asked)
    assert answer.status == 400
    assert answer.headers["content-type"].startswith("text/plain")
    assert len(answer.text) > 10


def test_no_cell_is_a_formula() -> None:
    assert cell("=1+1") == "'=1+1"
    assert cell("@x") == "'@x"
    assert cell(-3.5) == "-3.5"
    assert cell(float("nan")) == ""


def test_a_panel_element_is_what_the_browser_reads() -> None:
    panels.load()
    element = panel_shell("arc", {"host": "ms2", "a": 1}, height=99).to_plotly_json()["props"]
    assert element["data-panel"] == "arc"
    assert element["data-query"] == '{"a":1,"host":"ms2"}'
    assert element["data-kind"] == "lines"
    with pytest.raises(KeyError):
        panel_shell("nosuch", {})


def test_a_name_taken_by_another_module_is_refused() -> None:
    panels.load()
    with pytest.raises(ValueError, match="arc"):
        panels.panel("arc", kind="lines", title="x", tables={})(lambda *_: None)  # type: ignore[arg-type, return-value]
    with pytest.raises(ValueError, match="host_head"):
        panels.view("host_head")(lambda *_: {})


def test_two_dashboards_of_one_process_do_not_mix(client: Dashboard, tmp_path: Path) -> None:
    other = Dashboard(tmp_path, still=True)
    try:
        assert other.app.server.state.hub is not client.app.server.state.hub
        for dashboard in (client, other):
            assert dashboard.get("/host/x").status == 200
        assert "No host has been heard of" in json.dumps(_route(other, "/host")["zs-page"])
        assert "ms2" in json.dumps(_route(client, "/host")["zs-page"])
    finally:
        other.stop()
