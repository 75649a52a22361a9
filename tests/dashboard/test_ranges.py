"""Range syntax: what is typed, and that any typed range is one or a RangeError."""

import contextlib
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.ranges import PRESETS, RangeError, instant, resolve

NOW = datetime(2026, 11, 23, 2, 41, 8, tzinfo=UTC).timestamp()


def at(text: str, tz: str = "UTC") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(tz)).timestamp()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", NOW),
        ("now-6h", NOW - 6 * 3600),
        ("now+2h", NOW + 2 * 3600),
        ("45m", NOW - 45 * 60),
        ("30 s", NOW - 30),
        ("now/d", at("2026-11-23 00:00:00")),
        ("now/d+8h", at("2026-11-23 08:00:00")),
        ("now-1M/M", at("2026-10-01 00:00:00")),
        ("now/w", at("2026-11-23 00:00:00")),  # a Monday
        ("now-1d/w", at("2026-11-16 00:00:00")),
        ("now/Q", at("2026-10-01 00:00:00")),
        ("now-1y/y", at("2025-01-01 00:00:00")),
        ("now-1d/d+3h-10m", at("2026-11-22 02:50:00")),
        ("2026-11-23 03:10:00", at("2026-11-23 03:10:00")),
        ("2026-11-23T03:10", at("2026-11-23 03:10:00")),
        ("2026-11-23", at("2026-11-23 00:00:00")),
        ("2026-11-23 03:10:00.250Z", at("2026-11-23 03:10:00") + 0.25),
        ("2026-11-23 03:10+0200", at("2026-11-23 01:10:00")),
        ("1795403400000", 1795403400.0),
    ],
)
def test_an_instant_as_typed(text: str, expected: float) -> None:
    assert instant(text, NOW) == pytest.approx(expected, abs=1e-6)


def test_rounding_ends_a_range_at_the_end_of_the_unit() -> None:
    day = resolve("now/d", "now/d", NOW)
    assert (day.start, day.end) == (at("2026-11-23 00:00:00"), at("2026-11-24 00:00:00"))
    yesterday = resolve("now-1d/d", "now-1d/d", NOW)
    assert (yesterday.start, yesterday.end) == (at("2026-11-22 00:00:00"), at("2026-11-23 00:00:00"))
    assert resolve("now/h", "45m", NOW).end == NOW + 45 * 60


def test_which_ranges_go_on() -> None:
    assert resolve("now-15m", "now", NOW).live
    assert resolve("now-15m", "now", NOW).sliding
    night = resolve("2026-11-22 22:00", "now", NOW)
    assert night.live
    assert not night.sliding
    assert not resolve("now-2h", "now-1h", NOW).live


def test_a_month_back_keeps_the_day_where_the_month_has_it() -> None:
    end_of_march = at("2026-03-31 12:00:00")
    assert instant("now-1M", end_of_march) == at("2026-02-28 12:00:00")
    assert instant("now-1y", at("2028-02-29 12:00:00")) == at("2027-02-28 12:00:00")


def test_the_viewers_zone_rules_days_and_the_clocks_change() -> None:
    berlin = "Europe/Berlin"
    assert instant("now/d", NOW, tz=berlin) == at("2026-11-23 00:00:00", berlin)
    assert instant("2026-11-23 03:10", NOW, tz=berlin) == at("2026-11-23 03:10:00", berlin)
    after = at("2026-03-29 12:00:00", berlin)  # clocks went forward at 02:00
    day = resolve("now/d", "now/d", after, tz=berlin)
    assert day.end - day.start == 23 * 3600
    assert instant("now-1d", after, tz=berlin) == at("2026-03-28 12:00:00", berlin)
    assert after - instant("now-24h", after, tz=berlin) == 24 * 3600


@pytest.mark.parametrize(
    "text", ["", "nowadays", "now-6x", "now-", "now/", "6", "2026-13-01", "2026-02-30 10:00", "now-999999999y", "<b>"]
)
def test_what_is_no_instant_says_so(text: str) -> None:
    with pytest.raises(RangeError):
        instant(text, NOW)


def test_a_range_backwards_and_an_unknown_zone_are_refused() -> None:
    with pytest.raises(RangeError, match="ends before"):
        resolve("now", "now-1h", NOW)
    with pytest.raises(RangeError, match="Mars"):
        resolve("now/d", "now", NOW, tz="Mars/Olympus")
    with pytest.raises(RangeError):
        resolve("now/d", "now", NOW, tz="../../etc/passwd")


def test_every_preset_is_a_range() -> None:
    for _, start, end in PRESETS:
        assert resolve(start, end, NOW, tz="Europe/Berlin").end > 0


UNIT = st.sampled_from("smhdwMQy")
PART = st.one_of(
    st.builds(lambda s, n, u: f"{s}{n}{u}", st.sampled_from("+-"), st.integers(0, 400), UNIT),
    st.builds(lambda u: f"/{u}", UNIT),
)
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"])


@given(st.lists(PART, max_size=5), ZONES, st.datetimes(datetime(2001, 1, 1), datetime(2099, 1, 1)))
def test_any_chain_is_an_instant_or_out_of_bounds(parts: list[str], tz: str, when: datetime) -> None:
    now = when.replace(tzinfo=UTC).timestamp()
    with contextlib.suppress(RangeError):
        assert 0 <= instant("now" + "".join(parts), now, tz=tz) <= datetime(2200, 1, 1, tzinfo=UTC).timestamp()


@given(UNIT, ZONES, st.datetimes(datetime(2001, 1, 1), datetime(2099, 1, 1)))
def test_rounding_holds_now_within_one_unit(unit: str, tz: str, when: datetime) -> None:
    now = when.replace(tzinfo=UTC).timestamp()
    low, high = instant(f"now/{unit}", now, tz=tz), instant(f"now/{unit}", now, tz=tz, end=True)
    assert low <= now < high
    longest = {"s": 1, "m": 60, "h": 3600, "d": 90000, "w": 7.1 * 86400, "M": 32 * 86400, "Q": 93 * 86400}
    assert high - low <= longest.get(unit, 367 * 86400)


@given(st.text(max_size=20))
def test_any_text_is_an_instant_or_a_range_error(text: str) -> None:
    with contextlib.suppress(RangeError):
        assert instant(text, NOW, tz="Europe/Berlin") >= 0


@given(st.integers(10**10, 7 * 10**12))
def test_epoch_milliseconds_are_exact(ms: int) -> None:
    assert instant(str(ms), NOW) == ms / 1000
