"""The looks of the figures: sizes, type, colours, signs of a series.

Widths are those of a two-column paper, type is 7 pt and more. Lines have the colours of
Okabe and Ito (2008), which colour-blind readers tell apart, and each series its own marker
and dashes besides, so that no meaning is in colour alone; maps are in cividis or blues,
whose lightness rises evenly. Nothing of the reader's own settings of matplotlib gets in,
and nothing of ours stays behind.
"""

from __future__ import annotations

import io
from contextlib import AbstractContextManager
from textwrap import fill
from typing import TYPE_CHECKING, Any, NamedTuple

import matplotlib as mpl
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMN, PAGE = 3.4, 7.0  # inches: one column and the whole width
SMALL, TEXT = 7, 8  # points
MAP, SHARES = "cividis", "Blues"
EMPTY = "#e3e3e3"  # cells of a map without a value
GREY = "#6b6b6b"

_NAME, _SHORT_NAME = 44, 24  # characters of a series in a line and in half a line
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<")
_DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (5, 1, 1, 1)), (0, (3, 1)))

_OURS = {
    "axes.labelsize": SMALL,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.constrained_layout.h_pad": 0.03,
    "figure.constrained_layout.w_pad": 0.03,
    "figure.constrained_layout.use": True,
    "font.family": ["DejaVu Sans"],  # comes with matplotlib: the same everywhere
    "font.size": SMALL,
    "grid.color": "#d9d9d9",
    "grid.linewidth": 0.5,
    "legend.fontsize": SMALL,
    "legend.frameon": False,
    "legend.handlelength": 2.6,
    "lines.linewidth": 1.1,
    "lines.markersize": 3.6,
    "savefig.dpi": 300,
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "marble-eval",  # names inside the file do not change from run to run
    "text.parse_math": False,  # a name may hold a dollar sign
    "xtick.labelsize": SMALL,
    "xtick.major.width": 0.6,
    "ytick.labelsize": SMALL,
    "ytick.major.width": 0.6,
}
# Of the reader's session, not of looks.
_SESSION = ("backend", "interactive", "toolbar", "webagg", "figure.hooks", "date.epoch")


class Sign(NamedTuple):
    """How one series is drawn."""

    color: str
    marker: str
    linestyle: Any


def context() -> AbstractContextManager[None]:
    """Return a context with the settings of the figures; drawing and writing happen in it."""
    settings: Any = {
        name: value for name, value in mpl.rcParamsDefault.items() if not name.startswith(_SESSION)
    }
    settings.update(_OURS)
    return mpl.rc_context(settings)


def sign(number: int) -> Sign:
    """Return the looks of a series."""
    return Sign(
        _COLOURS[number % len(_COLOURS)],
        _MARKERS[number % len(_MARKERS)],
        _DASHES[number % len(_DASHES)],
    )


def canvas(width: float, height: float) -> tuple[Figure, Axes]:
    """Begin a figure of one part; sizes in inches."""
    figure = Figure(figsize=(width, height))
    return figure, figure.add_subplot()


def entitle(figure: Figure, title: str) -> None:
    """Put a title at the left edge of a figure."""
    figure.suptitle(title, x=0.01, horizontalalignment="left", fontsize=TEXT)


def legend_above(figure: Figure, title: str, handles: list[Any], labels: list[str]) -> None:
    """Put a title and the names of the series above a figure, short names in two columns."""
    # A label that begins with an underscore is left out of legends.
    shown = [fill(f" {each}" if each.startswith("_") else each, _NAME) for each in labels]
    columns = 2 if max(map(len, shown)) <= _SHORT_NAME and len(shown) > 1 else 1
    figure.legend(
        handles, shown, loc="outside upper left", ncols=columns, borderaxespad=0.2, borderpad=0.2,
        title=title, title_fontsize=TEXT, alignment="left",
    )  # fmt: skip


def colour_bar(figure: Figure, image: Any, axes: Axes, label: str, **options: Any) -> Any:
    """Put the scale of a map beside it."""
    bar = figure.colorbar(image, ax=axes, aspect=14, shrink=0.9, pad=0.02, **options)
    bar.set_label(label, fontsize=SMALL)
    bar.outline.set_linewidth(0.4)
    return bar


def masked(name: str) -> Any:
    """Return a colour map whose cells without a value are grey."""
    return mpl.colormaps[name].with_extremes(bad=EMPTY)


def text_colour(image: Any, value: float) -> str:
    """Return black or white, whichever can be read on a value's cell (WCAG's luminance)."""
    linear = [
        each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4
        for each in image.cmap(image.norm(value))[:3]
    ]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "black" if luminance > 0.179 else "white"


def rendered(figure: Figure) -> dict[str, bytes]:
    """Return a figure as the content of files."""
    metadata: dict[str, dict[str, None]] = {
        "png": {"Software": None},
        "svg": {"Date": None, "Creator": None},
    }
    files = {}
    with context():
        for kind, unsaid in metadata.items():
            stream = io.BytesIO()
            figure.savefig(stream, format=kind, metadata=unsaid)
            files[kind] = stream.getvalue()
            figure.set_layout_engine("none")  # the second file keeps the places of the first
    return files
