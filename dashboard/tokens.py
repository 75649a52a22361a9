"""The look's tokens, declared once: CSS variables, Mantine theme and Plotly templates are made from here.

`python -m dashboard.tokens` writes assets/zs-tokens.css; a test holds the file to this module. Colours were
chosen by contrast (WCAG) and distance under colour-vision deficiency, so they change here or nowhere.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal

Theme = Literal["dark", "light"]
THEMES: tuple[Theme, Theme] = ("dark", "light")

COLOURS: Final[dict[str, tuple[str, str]]] = {
    # token: (dark, light)
    "bg": ("#0d1014", "#f3f4f6"),
    "panel": ("#14181d", "#ffffff"),
    "raise": ("#1c2229", "#e9ecef"),
    "text": ("#e8ebee", "#14181c"),
    "text2": ("#a9b2bc", "#48525c"),
    "text3": ("#87919c", "#606a74"),
    "accent": ("#7cb7ff", "#1a5fb4"),
    "bad": ("#ff6b5e", "#c4261d"),
    "warn": ("#f5b83d", "#8f5a00"),
    "warn-fill": ("#f5b83d", "#bf7a00"),
    "bad-bg": ("#1d1417", "#fcf1ef"),
    "fill": ("#577586", "#6b8b9c"),
    "fill-hi": ("#67a1af", "#3f7086"),
    "mark": ("#6b7683", "#7d8792"),
    "rest": ("#68737f", "#7f8994"),
    "hairline": ("#262d35", "#dfe3e7"),
    "line": ("#404955", "#b4bcc5"),
    "grid": ("#20262d", "#eaedf0"),
    "spark": ("#a9b2bc", "#48525c"),
    "match": ("#7628a6", "#7628a6"),
    "flame-root": ("#3d454e", "#dfe3e7"),
    "flame-same": ("#dfe3e7", "#f3f4f6"),
    "flame-grew": ("#ff8a7a", "#e8705f"),
    "flame-shrank": ("#5aa9e6", "#5590c2"),
    "flame-text": ("#14181c", "#14181c"),
}

RAMPS: Final[dict[str, tuple[str, str]]] = {
    "series": (
        "b6ebea 9887f2 d07f1a d4eb66 67a1af deb0fc f2afb1 889e6d",
        "056f75 9571eb a7725d 546100 7592ab 7628a6 7a3e47 8f940c",
    ),
    "heat": (
        "2a4683 40507c 5c6376 7a7b78 979176 b7a970 d3c061 efdb63",
        "9cc2e0 78aad3 5590c2 3675ad 1d5a94 0c4075 06294f",
    ),
    "heat-rest": (
        "3d454e 545d67 6b757f 858f99 a0a9b2 bcc4cb",
        "bac0c6 a2a9b1 8a929b 727b85 5b646e 454d57",
    ),
    "heat-key": (
        "6e3c12 8f5018 b46a22 d68a3a f0ae62 ffd6a0",
        "eab284 de945a cc7434 ac5616 823a06 572402",
    ),
    "diverging": ("5aa9e6 2c4d67 20262d 6b4520 e6922e", "1a5fb4 bcd3ec f3f4f6 f1cfa8 a35200"),
    "flame-user": ("f7e0a3 f2d68c eecb74", "f7e0a3 f2d68c eecb74"),
    "flame-kernel": ("f0b27a eaa566 e59a52", "f0b27a eaa566 e59a52"),
    "flame-wait": ("c3dbef b0cfe9 9cc2e0", "c3dbef b0cfe9 9cc2e0"),
}

FONT: Final = '"IBM Plex Sans", system-ui, sans-serif'
MONO: Final = '"IBM Plex Mono", ui-monospace, monospace'
SIZES: Final[dict[str, tuple[int, int]]] = {
    # name: (font size, line height), px
    "xs": (11, 16),
    "sm": (12, 18),
    "md": (13, 20),
    "lg": (16, 22),
    "xl": (20, 24),
}
SPACES: Final[tuple[int, ...]] = (4, 8, 12, 16, 24, 32)
RADII: Final[dict[str, int]] = {"mark": 2, "control": 4, "panel": 6}
GUTTER: Final = 48
"""Width of the axis gutter left of every plot, px, so that crosshairs line up."""

_ACCENT: Final = [  # the fourth is dark's accent, the eighth light's
    *("#eaf3ff", "#cfe3ff", "#a8cdff", "#7cb7ff", "#5aa0f2"),
    *("#3f8ae0", "#2a74cb", "#1a5fb4", "#124a90", "#0b356a"),
]


def ramp(name: str, theme: Theme) -> list[str]:
    """Colours of a ramp from low to high, as #rrggbb."""
    return [f"#{c}" for c in RAMPS[name][THEMES.index(theme)].split()]


def colour(name: str, theme: Theme) -> str:
    return COLOURS[name][THEMES.index(theme)]


def css() -> str:
    """The text of assets/zs-tokens.css. Ramps are `--zs-NAME-1` … and `--zs-NAME` as a comma-separated list."""
    out = ["/* Made by `python -m dashboard.tokens`; edit dashboard/tokens.py instead. */", ":root {"]
    out += [f"  --zs-font: {FONT};", f"  --zs-mono: {MONO};"]
    for name, (size, height) in SIZES.items():
        out += [f"  --zs-size-{name}: {size}px;", f"  --zs-leading-{name}: {height}px;"]
    out += [f"  --zs-space-{i}: {px}px;" for i, px in enumerate(SPACES, 1)]
    out += [f"  --zs-radius-{name}: {px}px;" for name, px in RADII.items()]
    out += [f"  --zs-gutter: {GUTTER}px;", "}"]
    for theme in THEMES:
        scheme = f'[data-mantine-color-scheme="{theme}"]'
        # :root scores as Mantine's own selector does, and this sheet comes later.
        out += [f":root{scheme} {{", f"  color-scheme: {theme};"]
        out += [f"  --zs-{name}: {colour(name, theme)};" for name in COLOURS]
        for name in RAMPS:
            colours = ramp(name, theme)
            out.append(f"  --zs-{name}: {', '.join(colours)};" if name != "series" else "")
            out += [f"  --zs-{name}-{i}: {c};" for i, c in enumerate(colours, 1)]
        out += [
            "  --mantine-color-body: var(--zs-bg);",
            "  --mantine-color-text: var(--zs-text);",
            "  --mantine-color-dimmed: var(--zs-text2);",
            "  --mantine-color-default: var(--zs-panel);",
            "  --mantine-color-default-hover: var(--zs-raise);",
            "  --mantine-color-default-color: var(--zs-text);",
            "  --mantine-color-default-border: var(--zs-line);",
            "  --mantine-color-anchor: var(--zs-accent);",
            "  --mantine-color-error: var(--zs-bad);",
            "}",
        ]
    return "\n".join(line for line in out if line) + "\n"


def mantine_theme() -> dict[str, Any]:
    """Theme for dmc.MantineProvider."""
    px = "{}px".format
    return {
        "fontFamily": FONT,
        "fontFamilyMonospace": MONO,
        "fontSizes": {n: px(s) for n, (s, _) in SIZES.items()},
        "lineHeights": {n: px(h) for n, (_, h) in SIZES.items()},
        "headings": {"fontFamily": FONT, "fontWeight": "600"},
        "spacing": {"xs": "4px", "sm": "8px", "md": "12px", "lg": "16px", "xl": "24px"},
        "radius": {"xs": "2px", "sm": "4px", "md": "6px"},
        "defaultRadius": "sm",
        "colors": {"accent": _ACCENT},
        "primaryColor": "accent",
        "primaryShade": {"light": 7, "dark": 3},
        "autoContrast": True,
    }


def _scale(colours: list[str]) -> list[list[Any]]:
    return [[i / (len(colours) - 1), c] for i, c in enumerate(colours)]


def template(theme: Theme) -> dict[str, Any]:
    """The plotly template zs_dark or zs_light as a dict (the browser gets it too, to switch the theme)."""
    text3 = colour("text3", theme)
    axis = {
        "zeroline": False,
        "ticks": "outside",
        "ticklen": 4,
        "tickcolor": colour("line", theme),
        "linecolor": colour("line", theme),
        "tickfont": {"family": FONT, "size": 11, "color": text3},
        "automargin": False,
        "title": {"font": {"family": FONT, "size": 11, "color": text3}},
    }
    return {
        "layout": {
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "font": {"family": FONT, "size": 11, "color": text3},
            "colorway": ramp("series", theme),
            "colorscale": {
                "sequential": _scale(ramp("heat", theme)),
                "diverging": _scale(ramp("diverging", theme)),
            },
            "margin": {"l": GUTTER, "r": 8, "t": 8, "b": 24},
            "showlegend": False,
            "hovermode": "x",
            "dragmode": False,
            "xaxis": axis | {"showgrid": False, "type": "date"},
            "yaxis": axis | {"showgrid": True, "gridcolor": colour("grid", theme), "gridwidth": 1, "ticks": ""},
        },
        "data": {
            "scatter": [{"connectgaps": False, "line": {"width": 1.5}, "hoverinfo": "none"}],
            "heatmap": [{"connectgaps": False, "zsmooth": False, "hoverinfo": "none"}],
        },
    }


def register_templates() -> None:
    """Makes the templates known to plotly.io as zs_dark and zs_light."""
    import plotly.graph_objects as go
    import plotly.io as pio

    for theme in THEMES:
        pio.templates[f"zs_{theme}"] = go.layout.Template(template(theme))


def main() -> None:
    path = Path(__file__).parent.parent / "assets" / "zs-tokens.css"
    path.write_text(css())
    print(path)


if __name__ == "__main__":
    main()
