"""What the plots of a page share: their data, their look, their axes, and how they become SVG inside HTML."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from itertools import cycle
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import numpy as np

from gbdt_pwiser.evaluation.details import Details
from gbdt_pwiser.evaluation.results import BASELINE
from gbdt_pwiser.evaluation.summary import Summary
from gbdt_pwiser.evaluation.sweep import SweepMean

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Four of Okabe and Ito's palette and an ochre, all of which stand out from light and dark pages alike; line
# styles and markers tell them apart without colour. Black becomes the colour of the page's text.
INK = "black"
BLUE, VERMILLION, GREEN, PINK, OCHRE = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8c6d00"

_OF_LOSSES: Final = (
    (BLUE, "--", "s"),
    (VERMILLION, "-.", "^"),
    (GREEN, ":", "D"),
    (PINK, (0, (5, 1, 1, 1, 1, 1)), "v"),
    (OCHRE, (0, (8, 3)), "P"),
)

_LOOK: Final = {
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "figure.constrained_layout.use": True,
    "svg.fonttype": "none",  # text stays text: small, selectable, in the page's font
    "svg.hashsalt": "gbdt-pwiser",  # equal drawings give equal files
    "ytick.left": False,
}

WIDTH: Final = 6.8
"""Inches, of every drawing."""

Styles = Mapping[str, Mapping[str, Any]]
"""By loss: color, linestyle and marker, as Matplotlib calls them."""

Section = Literal["results", "calibration", "models"]
"""Of a page: below the table of results, under "Calibration", and below that."""


@dataclass(frozen=True)
class Comparison:
    """What the plots of a page are drawn from.

    Parameters
    ----------
    summaries, means
        Of the test split; of the weight path on validation.
    details
        What the comparison knows beside its results.
    styles
        Of its losses.
    seeds
        Its seeds; curves and distributions are of the first.
    """

    summaries: Sequence[Summary]
    means: Sequence[SweepMean]
    details: Details
    styles: Styles
    seeds: Sequence[int]

    @property
    def baseline(self) -> str:
        """What gains are measured against (`Result.baseline`)."""
        return self.summaries[0].baseline

    @property
    def of_first_seed(self) -> str:
        """Words for a caption; empty where there is one seed."""
        return f" of seed {self.seeds[0]}" if len(self.seeds) > 1 else ""


class PlainTable(NamedTuple):
    """A table as it stands below a plot (table.html.j2).

    Parameters
    ----------
    label
        What it shows.
    rows
        Cells, those of the heading first.
    words
        How many columns, from the left, hold words; the others hold numbers.
    note
        What stands below it.
    """

    label: str
    rows: Sequence[Sequence[str]]
    words: int
    note: str


@dataclass(frozen=True)
class Plot:
    """A plot of a page.

    Parameters
    ----------
    section
        Where it stands.
    heading
        Returns what stands above it; None where that of the section is enough.
    label
        What it is called by a screen reader.
    draw
        Returns an SVG element; None where there is nothing to draw.
    caption
        Returns what stands below it, as HTML.
    table
        Returns what stands below that; None for nothing.
    """

    section: Section
    heading: Callable[[Comparison], str] | None
    label: str
    draw: Callable[[Comparison], str | None]
    caption: Callable[[Comparison], str]
    table: Callable[[Comparison], PlainTable | None] = lambda c: None


@contextmanager
def drawing_style() -> Iterator[None]:
    """Draw the same whatever style the user's own matplotlib is set to."""
    from matplotlib import style

    with style.context(["default", _LOOK]):
        yield


def loss_styles(losses: Iterable[str]) -> Styles:
    """Give each loss a colour, line and marker, the same in all plots of a page; bce is drawn in ink."""
    others = cycle(_OF_LOSSES)
    looks = {loss: (INK, "-", "o") if loss == BASELINE else next(others) for loss in losses}
    return {
        loss: dict(zip(("color", "linestyle", "marker"), look, strict=True)) for loss, look in looks.items()
    }


def new_figure(*, height: float) -> Figure:
    """Return an empty figure, in inches."""
    from matplotlib.figure import Figure  # not pyplot: nothing global is touched

    return Figure(figsize=(WIDTH, height))


def new_panels(count: int, *, columns: int, height: float, **options: Any) -> tuple[Figure, list[Axes]]:
    """Return a figure with `count` panels of a height in rows of `columns`; options are those of subplots."""
    rows = -(-count // columns)
    figure = new_figure(height=0.6 + height * rows)
    panels = list(figure.subplots(rows, columns, squeeze=False, **options).flat)
    for panel in panels[count:]:
        panel.set_axis_off()
    return figure, panels[:count]


def add_loss_legend(figure: Figure, styles: Styles, losses: Iterable[str]) -> None:
    """Say above the panels which line is which loss."""
    from matplotlib.lines import Line2D

    drawn = set(losses)
    shown = [loss for loss in styles if loss in drawn]
    handles = [Line2D([], [], label=loss, markersize=5, **styles[loss]) for loss in shown]
    figure.legend(
        handles=handles,
        loc="outside upper left",
        ncols=min(3, len(shown)),
        frameon=False,
        handlelength=3.5,
    )


_COARSE: Final = (1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999)
_FINE: Final = (
    1e-4,
    2e-4,
    5e-4,
    1e-3,
    2e-3,
    5e-3,
    0.01,
    0.02,
    0.05,
    0.1,
    0.2,
    0.35,
    0.5,
    0.65,
    0.8,
    0.9,
    0.95,
    0.98,
    0.99,
)


def log_odds_ticks(low: float, high: float) -> tuple[list[float], list[str]]:
    """Places and labels, in per cent, of probabilities on an axis of log-odds from low to high."""
    for ticks in (_COARSE, _FINE):
        places = [float(np.log(t) - np.log1p(-t)) for t in ticks]
        shown = [
            (place, f"{100 * t:g}%") for place, t in zip(places, ticks, strict=True) if low <= place <= high
        ]
        if len(shown) > 3:
            break
    return [place for place, _ in shown], [label for _, label in shown]


def to_svg(figure: Figure, prefix: str, name: str) -> str:
    """Render as an SVG element for HTML: named, in the page's text colour, ids unique to this drawing."""
    buffer = io.StringIO()
    no_metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(buffer, format="svg", transparent=True, metadata=no_metadata)
    text = buffer.getvalue()
    opening = re.search(r"<svg[^>]*?(viewBox=\"[^\"]*\")[^>]*>", text)
    assert opening is not None, "matplotlib wrote no SVG element"
    drawing = re.sub(r'( id="|url\(#|href="#)', rf"\g<1>{prefix}-", text[opening.end() :])
    drawing = drawing.replace("#000000", "currentColor")
    label = escape(name)
    root = f'<svg role="img" aria-label="{label}" {opening[1]} fill="currentColor">'
    return f"{root}<title>{label}</title>{drawing}"
