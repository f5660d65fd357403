"""What the plots of a page share: their data, their look, their axes, and how they become SVG and CSV."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from itertools import cycle
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple
from urllib.parse import quote

import numpy as np
import polars as pl

from gbdt_pwiser.evaluation.details import Details
from gbdt_pwiser.evaluation.results import BASELINE
from gbdt_pwiser.evaluation.summary import Summary
from gbdt_pwiser.evaluation.sweep import SweepMean

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas
    from matplotlib.text import Text

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

Section = Literal["opening", "results", "calibration", "models"]
"""Of a page: on top, below the table of results, under "Calibration", and below that."""


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
    """A table as it stands below a plot (parts.html.j2).

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
        Returns the drawing; None where there is nothing to draw.
    caption
        Returns what stands below it, as HTML.
    table
        Returns what stands below that; None for nothing.
    """

    section: Section
    heading: Callable[[Comparison], str] | None
    label: str
    draw: Callable[[Comparison], Drawing | None]
    caption: Callable[[Comparison], str]
    table: Callable[[Comparison], PlainTable | None] = lambda c: None


class Figure(NamedTuple):
    """A plot as it stands on a page.

    Parameters
    ----------
    heading
        What stands above it; None where that of the section is enough.
    label
        What its box is called by a screen reader.
    drawing, table
        The drawing, and what stands below it or None.
    caption
        HTML.
    """

    heading: str | None
    label: str
    drawing: Drawing
    caption: str
    table: PlainTable | None = None


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


def new_figure(*, height: float) -> Canvas:
    """Return an empty figure, in inches."""
    from matplotlib.figure import Figure as Canvas  # not pyplot: nothing global is touched

    return Canvas(figsize=(WIDTH, height))


def new_panels(count: int, *, columns: int, height: float, **options: Any) -> tuple[Canvas, list[Axes]]:
    """Return a figure with `count` panels of a height in rows of `columns`; options are those of subplots."""
    rows = -(-count // columns)
    figure = new_figure(height=0.6 + height * rows)
    panels = list(figure.subplots(rows, columns, squeeze=False, **options).flat)
    for panel in panels[count:]:
        panel.set_axis_off()
    return figure, panels[:count]


def add_loss_legend(figure: Canvas, styles: Styles, losses: Iterable[str]) -> None:
    """Say above the panels which line is which loss."""
    from matplotlib.lines import Line2D

    drawn = set(losses)
    shown = [loss for loss in styles if loss in drawn]
    handles = [Line2D([], [], label=loss, markersize=5, **styles[loss]) for loss in shown]
    figure.legend(
        handles=handles,
        loc="outside upper left",
        ncols=4 if len(shown) == 4 else min(3, len(shown)),
        frameon=False,
        handlelength=3.0,
        columnspacing=1.4,
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


def label_point(panel: Axes, place: tuple[float, float], text: str) -> Text:
    """Write beside a point, above it to the right."""
    return panel.annotate(text, place, (5, 5), textcoords="offset points", fontsize=8)


def drop_overlapping(figure: Canvas, labels: Sequence[Text]) -> None:
    """Take away each label that would touch an earlier one; the numbers are in the data of the drawing."""
    figure.draw_without_rendering()  # only a finished layout knows where labels lie
    kept: list[Any] = []
    for label in labels:
        box = label.get_window_extent()
        if any(box.overlaps(other) for other in kept):
            label.remove()
        else:
            kept.append(box)


SVG_BEGINS: Final = '<svg class="gbdt-pwiser" '
"""How a drawing begins that is a file of its own."""

_OWN_COLOURS: Final = """<style>
.gbdt-pwiser { color: #1b1f23; } .gbdt-pwiser .paper { fill: #fff; }
@media (prefers-color-scheme: dark) {
  .gbdt-pwiser { color: #e6e9ec; } .gbdt-pwiser .paper { fill: #14171a; }
}
.gbdt-pwiser text { font-family: system-ui, -apple-system, "Segoe UI", Roboto, sans-serif !important; }
</style>"""


class Drawing(NamedTuple):
    """A finished plot, and the numbers that it shows.

    Parameters
    ----------
    name
        What its files are called; its ids begin with it.
    label
        What it shows, in words, for those who do not see it.
    size
        Width and height, in points.
    inside
        The SVG inside the root element, in the colour of the text around it.
    data
        What is drawn, a row per mark, at full precision.
    """

    name: str
    label: str
    size: tuple[float, float]
    inside: str
    data: pl.DataFrame

    @property
    def svg(self) -> str:
        """An SVG element for HTML."""
        label = escape(self.label)
        inside = self.inside.replace(BLUE, f"var(--blue, {BLUE})")  # of all colours the darkest on dark
        return f'<svg role="img" aria-label="{label}" {self._box} fill="currentColor">{inside}'

    @property
    def file(self) -> str:
        """A file of its own: on paper of its own, light or dark as the reader's screen is."""
        width, height = self.size
        root = (
            f'{SVG_BEGINS}xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
            f'role="img" {self._box} width="{1.4 * width:g}" height="{1.4 * height:g}" fill="currentColor">'
        )
        label = escape(self.label)
        paper = f'<rect class="paper" width="{width:g}" height="{height:g}"/>'
        return f"{root}\n<title>{label}</title>\n{_OWN_COLOURS}\n{paper}{self.inside}\n"

    @property
    def csv(self) -> str:
        """The data; each number has the digits that make it again."""
        return self.data.write_csv()

    @property
    def _box(self) -> str:
        return 'viewBox="0 0 {:g} {:g}"'.format(*self.size)


def data_address(csv: str) -> str:
    """Return an address that holds a file of comma-separated values."""
    return f"data:text/csv;charset=utf-8,{quote(csv, safe=',')}"


def finish(figure: Canvas, name: str, label: str, data: Sequence[Mapping[str, Any]]) -> Drawing:
    """Render: nameless, in the page's text colour, ids unique to this drawing."""
    buffer = io.StringIO()
    no_metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(buffer, format="svg", transparent=True, metadata=no_metadata)
    text = buffer.getvalue()
    opening = re.search(r"<svg[^>]*?viewBox=\"0 0 ([\d.]+) ([\d.]+)\"[^>]*>", text)
    assert opening is not None, "matplotlib wrote no SVG element"
    inside = re.sub(r'( id="|url\(#|href="#)', rf"\g<1>{name}-", text[opening.end() :])
    inside = inside.replace("#000000", "currentColor").strip()
    rows = pl.DataFrame(data, infer_schema_length=None)
    return Drawing(name, label, (float(opening[1]), float(opening[2])), inside, rows)
