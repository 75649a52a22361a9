"""The look's tokens reach CSS, Mantine and Plotly from one module."""

import re
from pathlib import Path

import plotly.graph_objects as go
import pytest

from dashboard import tokens

ASSETS = Path(__file__).parents[2] / "assets"


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    one, two = sorted((luminance(a), luminance(b)))
    return (two + 0.05) / (one + 0.05)


def test_the_css_file_is_what_the_tokens_make() -> None:
    assert (ASSETS / "zs-tokens.css").read_text() == tokens.css(), "run python -m dashboard.tokens"


def test_hand_written_css_reads_only_variables() -> None:
    for path in ASSETS.glob("zs*.css"):
        if path.name in ("zs-tokens.css", "zs-icons.css"):
            continue
        text = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.S)
        assert not re.findall(r"#[0-9a-fA-F]{3,8}\b(?![^{}]*\{)", text), f"{path.name} names a colour"


def test_every_variable_that_css_reads_exists() -> None:
    declared = set(re.findall(r"(--zs-[\w-]+):", tokens.css()))
    for path in ASSETS.glob("zs*.css"):
        text = path.read_text()
        local = set(re.findall(r"(--zs-[\w-]+):", text))
        read = set(re.findall(r"var\((--zs-[\w-]+)\)", text))  # without a fallback
        assert read <= declared | local, f"{path.name}: {sorted(read - declared - local)}"


@pytest.mark.parametrize("theme", tokens.THEMES)
def test_contrast_on_every_ground(theme: tokens.Theme) -> None:
    grounds = [tokens.colour(g, theme) for g in ("bg", "panel", "raise")]
    for name in ("text", "text2", "text3", "accent", "bad", "warn"):
        assert min(contrast(tokens.colour(name, theme), g) for g in grounds) >= 4.5, name
    for name in ("fill", "fill-hi", "warn-fill", "mark", "rest"):
        worst = min(contrast(tokens.colour(name, theme), g) for g in grounds)
        assert worst >= 2.95, f"{name} {worst:.2f}"


@pytest.mark.parametrize("theme", tokens.THEMES)
def test_heat_gets_steadily_lighter_or_darker(theme: tokens.Theme) -> None:
    for name in ("heat", "heat-rest", "heat-key"):
        steps = [luminance(c) for c in tokens.ramp(name, theme)]
        order = steps if theme == "dark" else steps[::-1]
        assert order == sorted(order), name


def test_plotly_takes_the_templates() -> None:
    tokens.register_templates()
    for theme in tokens.THEMES:
        figure = go.Figure(layout={"template": f"zs_{theme}"})
        layout = figure.layout.template.layout
        assert list(layout.colorway) == tokens.ramp("series", theme)
        assert layout.margin.l == tokens.GUTTER
        assert layout.xaxis.showgrid is False


def test_accent_is_the_primary_shade_of_both_schemes() -> None:
    theme = tokens.mantine_theme()
    for scheme in tokens.THEMES:
        shade = theme["primaryShade"][scheme]
        assert theme["colors"]["accent"][shade] == tokens.colour("accent", scheme)
