"""How every figure looks, and how a figure becomes SVG that follows the page's light or dark colours."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

#: Colours of the figures. In a page each becomes the CSS variable ``--fig-<name>``, the value given here its
#: fallback; so each value must be one that no colour map produces.
PALETTE = {
    "ink": "#1b2127",
    "muted": "#5f6a76",
    "grid": "#d9dfe6",
    "band": "#edf1f6",
    "room": "#0a63b8",
    "fdn": "#c04a06",
}

#: For more curves than room and network: legible on light and on dark ground, and never told apart by colour alone.
FURTHER_COLOURS = ("#2a9d6f", "#a45fbf", "#b58900", "#6c7fd8", "#c2517f", "#5f8f9f")
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5)))

#: Points. Narrow on purpose: one figure fills a telephone, two stand side by side on a desk, text legible in both.
WIDTH_PT = 360.0

#: Of what a figure holds as an image.
_IMAGE_DPI = 200

#: Keys are `Any` because newer matplotlib types them one by one.
_RC: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": PALETTE["muted"],
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.labelcolor": PALETTE["ink"],
    "axes.labelsize": 9.0,
    "axes.linewidth": 0.7,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.unicode_minus": True,
    "figure.constrained_layout.h_pad": 0.03,
    "figure.constrained_layout.w_pad": 0.03,
    "figure.facecolor": "none",
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "grid.color": PALETTE["grid"],
    "grid.linewidth": 0.6,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "savefig.facecolor": "none",
    "svg.fonttype": "none",
    "text.color": PALETTE["ink"],
    "xtick.color": PALETTE["muted"],
    "xtick.labelcolor": PALETTE["ink"],
    "xtick.labelsize": 8.5,
    "ytick.color": PALETTE["muted"],
    "ytick.labelcolor": PALETTE["ink"],
    "ytick.labelsize": 8.5,
}


# matplotlib's settings belong to the whole process.
_RC_LOCK = threading.RLock()


@contextmanager
def figure_style() -> Iterator[None]:
    """Draw with the project's look, whatever the user's matplotlib settings are; one thread at a time."""
    with _RC_LOCK, matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_RC)
        yield


def new_figure(height_pt: float) -> Figure:
    """An empty figure of the common width that is laid out by what it holds; to be called within `figure_style`."""
    return Figure(figsize=(WIDTH_PT / 72.0, height_pt / 72.0), layout="constrained")


@dataclass(frozen=True)
class Margins:
    """Room around axes and between them, for what is written there, in points."""

    left: float = 54.0
    right: float = 12.0
    bottom: float = 37.0
    top: float = 9.0
    columns: float = 12.0
    rows: float = 12.0


def new_grid(
    height_pt: float, rows: int, columns: int, margins: Margins, **settings: Any
) -> tuple[Figure, npt.NDArray[Any]]:
    """A figure of the common width with axes (rows, columns); to be called within `figure_style`.

    Margins that are known: to measure all that is written took half of the time of a page.

    Parameters
    ----------
    height_pt : float
    rows, columns : int
    margins : Margins
    **settings
        As `Figure.subplots` takes them.
    """
    figure = Figure(figsize=(WIDTH_PT / 72.0, height_pt / 72.0))
    axes_width = (WIDTH_PT - margins.left - margins.right - (columns - 1) * margins.columns) / columns
    axes_height = (height_pt - margins.bottom - margins.top - (rows - 1) * margins.rows) / rows
    axes = figure.subplots(
        rows,
        columns,
        squeeze=False,
        gridspec_kw={
            "left": margins.left / WIDTH_PT,
            "right": 1.0 - margins.right / WIDTH_PT,
            "bottom": margins.bottom / height_pt,
            "top": 1.0 - margins.top / height_pt,
            "wspace": margins.columns / axes_width,
            "hspace": margins.rows / axes_height,
        },
        **settings,
    )
    return figure, axes


def add_scale(figure: Figure, image: AxesImage, label: str, margins: Margins) -> None:
    """The scale of an image's colours, in the right margin."""
    height_pt = 72.0 * figure.get_figheight()
    left, inner_pt = WIDTH_PT - margins.right + 8.0, height_pt - margins.bottom - margins.top
    place = (left / WIDTH_PT, margins.bottom / height_pt, 12.0 / WIDTH_PT, inner_pt / height_pt)
    bar = figure.colorbar(image, cax=figure.add_axes(place))
    bar.set_label(label)
    bar.outline.set_visible(False)


def write_plainly(axis: Axis) -> None:
    """Plain numbers at the major ticks, none at the minor ones."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def set_log_levels(axes: Axes, least: float, most: float) -> None:
    """Make the vertical axis logarithmic, with plain numbers at 1, or at 1, 2 and 5, of each decade."""
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if most / least < 50.0 else (1.0,)))
    write_plainly(axes.yaxis)


def to_svg(figure: Figure, name: str, label: str) -> str:
    """A figure as an ``<svg>`` element to be placed in a page.

    Parameters
    ----------
    figure : Figure
    name : str
        Prefix of the ids that remain: different for each figure of a page, the same from run to run.
    label : str
        What the figure shows, for those who cannot see it.

    Returns
    -------
    str
        The element alone: no XML prologue, no date, no address; equal figures give equal text.
    """
    from markupsafe import escape

    buffer = io.StringIO()
    with figure_style(), matplotlib.rc_context({"svg.hashsalt": name}):
        engine = figure.get_layout_engine()
        if engine is not None:
            engine.execute(figure)
        figure.set_layout_engine("none")
        # `Figure.savefig` would draw everything once more beforehand, for a layout that is already done.
        figure.dpi = _IMAGE_DPI
        canvas: Any = FigureCanvasSVG(figure)
        canvas.print_svg(buffer, metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    # Inline SVG needs no namespaces in HTML; without them not even the word "http" is left in the page.
    view_box = re.search(r'viewBox="([^"]+)"', svg)
    body = svg[svg.index(">") + 1 :]
    body = _keep_used_ids(body, name)
    for colour_name, value in PALETTE.items():
        body = body.replace(value, f"var(--fig-{colour_name},{value})")
    body = body.replace("'DejaVu Sans'", "var(--font)")
    # The style sheet would reach the whole page, and enlarged images look better smooth.
    body = re.sub(r"<style.*?</style>", "", body, flags=re.DOTALL)
    body = body.replace("image-rendering:crisp-edges;image-rendering:pixelated", "")
    body = re.sub(r' d="([^"]*)"', lambda path: re.sub(r"\d+\.\d{3,}", _two_decimals, path.group(0)), body)
    body = re.sub(r"\s*\n\s*", " ", body).strip()
    box = view_box.group(1) if view_box else f"0 0 {WIDTH_PT:g} {WIDTH_PT:g}"
    return f'<svg viewBox="{box}" role="img" aria-label="{escape(label)}">{body}'


def _two_decimals(number: re.Match[str]) -> str:
    # A hundredth of a point is far below a pixel, six decimals are most of a file.
    return f"{float(number.group()):.2f}".rstrip("0").rstrip(".")


def _keep_used_ids(body: str, name: str) -> str:
    """Drop the ids nobody refers to (they repeat from figure to figure) and make the others the figure's own."""
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', body))

    def rename(match: re.Match[str]) -> str:
        return f' id="{name}-{match.group(1)}"' if match.group(1) in used else ""

    body = re.sub(r' id="([^"]*)"', rename, body)
    body = re.sub(r'href="#([^"]+)"', rf'href="#{name}-\1"', body)
    return re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", body)
