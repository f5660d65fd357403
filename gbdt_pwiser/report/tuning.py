"""The page of a search for the pairwise weight: what was tried, what it showed, what the test split says."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from gbdt_pwiser._files import replacing_file
from gbdt_pwiser.evaluation.sweep import GIVEN_UP
from gbdt_pwiser.metrics import metric_named
from gbdt_pwiser.report._page import fill_template, require_report_extra
from gbdt_pwiser.report._plots import (
    BLUE,
    GREEN,
    INK,
    OCHRE,
    PINK,
    VERMILLION,
    PlainTable,
    drawing_style,
    new_figure,
    to_svg,
)
from gbdt_pwiser.report.table import best_gain_rows, best_gains_label, format_estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from gbdt_pwiser.tuning import Trial, Tuning

_POINT: dict[str, Any] = {"linestyle": "none", "marker": "o", "markersize": 5, "color": BLUE, "alpha": 0.75}
_BCE: dict[str, Any] = {
    "linestyle": "none",
    "marker": "D",
    "markersize": 7,
    "color": VERMILLION,
    "markerfacecolor": "none",
}
_OF_SURROGATES: Final = (BLUE, OCHRE, PINK)
_BEST: dict[str, Any] = {"linestyle": "none", "marker": "*", "markersize": 13, "color": GREEN}


def write_tuning_report(path: Path | str, tuning: Tuning, *, title: str, command: str) -> None:
    """Write a search as one HTML file that asks nothing of the network.

    Parameters
    ----------
    path
        The file, replaced in one step.
    tuning
        With at least one complete trial.
    title
        Heading of the page.
    command
        The command line that made the search.

    Raises
    ------
    InputError
        The report extra is missing.
    """
    require_report_extra()
    with drawing_style():
        plots = [plot for draw in _PLOTS if (plot := draw(tuning)) is not None]
    states = [trial.state for trial in tuning.trials]
    chosen = [("best", tuning.best)]
    if tuning.baseline is not None and tuning.baseline is not tuning.best:
        chosen.insert(0, ("bce", tuning.baseline))
    page = fill_template(
        "tuning.html.j2",
        title=title,
        command=command,
        verdict=tuning.verdict,
        metrics=[metric_named(metric).label for metric in tuning.metrics],
        total=tuning.total,
        counts={state: states.count(state) for state in ("complete", "pruned", "failed")},
        errors=[trial for trial in tuning.trials if trial.error],
        chosen=[(name, _told(trial, tuning.metrics), _parameters(trial)) for name, trial in chosen],
        gains=_gains(tuning),
        seeds=len(tuning.confirmation.seeds) if tuning.confirmation else 0,
        times=tuning.confirmation.times if tuning.confirmation else 0,
        plots=plots,
    )
    with replacing_file(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _told(trial: Trial, metrics: Sequence[str]) -> list[str]:
    return [_number(trial.metrics[metric], metric) for metric in metrics]


def _number(value: float, metric: str) -> str:
    return format_estimate(value, math.nan, metric_named(metric).decimals)


def _parameters(trial: Trial) -> str:
    return ", ".join(
        f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in trial.parameters.items()
    )


def _gains(tuning: Tuning) -> list[dict[str, Any]]:
    if tuning.confirmation is None:
        return []
    return [
        {
            "label": metric_named(gain.metric).label,
            "bce": _number(gain.bce, gain.metric),
            "tuned": _number(gain.tuned, gain.metric),
            "gain": f"{gain.gain:+.5f}",
            "interval": f"{gain.low:+.5f} to {gain.high:+.5f}",
            "p_value": f"{gain.p_value:.2g}",
            "method": gain.method,
            "mark": "better" if gain.better else "worse" if gain.worse else "unclear",
        }
        for gain in tuning.confirmation.gains
        if metric_named(gain.metric).higher_is_better is not None and not math.isnan(gain.gain)
    ]


# ------------------------------------------------------------------------------ plots


class _Plot(NamedTuple):
    """A plot as it stands on the page, with a table below it or none."""

    heading: str
    drawing: str
    caption: str
    table: PlainTable | None = None


def _complete(tuning: Tuning) -> list[Trial]:
    return [trial for trial in tuning.trials if trial.state == "complete"]


def _path(tuning: Tuning) -> _Plot | None:
    """Draw CTR AUC, conversion AUC and CTCVR AUC against the weight."""
    trials = [trial for trial in _complete(tuning) if trial.study == "pwiser"]
    weights = [trial.weight for trial in trials]
    shown = [
        metric
        for metric in ("ctr_auc", "conversion_auc", "ctcvr_auc")
        # Trials of an older search may lack one.
        if not all(math.isnan(trial.metrics.get(metric, math.nan)) for trial in trials)
    ]
    if len(set(weights)) < 2 or not shown:
        return None
    figure = new_figure(height=0.7 + 2.0 * len(shown))
    panels: list[Axes] = list(figure.subplots(len(shown), sharex=True, squeeze=False)[:, 0])
    for panel, metric in zip(panels, shown, strict=True):
        _points(
            panel,
            trials,
            tuning,
            lambda trial: trial.weight,
            lambda trial, m=metric: trial.metrics.get(m, math.nan),
        )
        panel.set_title(metric_named(metric).label)
    _weight_axis(panels[-1], weights)
    panels[-1].set_xlabel("weight of the pairwise term")
    labels = ", ".join(metric_named(m).label for m in shown)
    return _Plot(
        "The weight path",
        to_svg(figure, "path", f"{labels} on validation against the weight, {len(trials)} trials"),
        "Complete trials on validation; the other parameters of the loss vary too, which scatters them. "
        "Diamond: BCE, which has weight 0. Dotted line: the best BCE. Star: the choice.",
    )


def _history(tuning: Tuning) -> _Plot | None:
    """Draw the first metric of each trial, and the best up to it."""
    metric = tuning.metrics[0]
    trials = _complete(tuning)
    figure = new_figure(height=2.6)
    panel = figure.subplots()
    up = metric_named(metric).higher_is_better
    for study, line in (("pwiser", "-"), ("bce", "--")):
        mine = [trial for trial in trials if trial.study == study]
        if not mine:
            continue
        values = np.array([trial.metrics[metric] for trial in mine])
        numbers = [trial.number for trial in mine]
        best = np.maximum.accumulate(values) if up else np.minimum.accumulate(values)
        panel.step(
            numbers, best, where="post", color=BLUE if study == "pwiser" else VERMILLION, linestyle=line
        )
        panel.plot(numbers, values, **(_POINT if study == "pwiser" else _BCE))
    panel.set_xlabel("trial")
    panel.set_title(metric_named(metric).label)
    best_value = _number(tuning.best.metrics[metric], metric)
    return _Plot(
        "History",
        to_svg(
            figure,
            "history",
            f"{metric_named(metric).label} on validation by trial; the choice has {best_value}",
        ),
        "Dots: complete trials on validation. Line: the best up to there."
        + (" Diamonds and dashes: BCE's own search." if any(t.study == "bce" for t in trials) else ""),
    )


def _importances(tuning: Tuning) -> _Plot | None:
    """Draw the share of each parameter in the differences of the first metric."""
    if not tuning.importances:
        return None
    names = sorted(tuning.importances, key=lambda name: tuning.importances[name])
    shares = [tuning.importances[name] for name in names]
    figure = new_figure(height=0.7 + 0.3 * len(names))
    panel = figure.subplots()
    panel.barh(names, shares, color=BLUE, height=0.6)
    for place, share in enumerate(shares):
        panel.annotate(f"{share:.0%}", (share, place), xytext=(4, 0), textcoords="offset points", va="center")
    panel.set_xlim(0, max(shares) * 1.15)
    panel.set_xticks([])
    panel.spines.bottom.set_visible(False)
    told = ", ".join(f"{name} {tuning.importances[name]:.0%}" for name in reversed(names))
    label = metric_named(tuning.metrics[0]).label
    return _Plot(
        "Importance of the parameters",
        to_svg(figure, "importances", f"Importance for {label}: {told}"),
        f"Share of each parameter in the differences of {label} between complete trials (fANOVA). "
        "With few trials it is a hint.",
    )


def _slices(tuning: Tuning) -> _Plot | None:
    """Draw the last metric against each parameter."""
    trials = [trial for trial in _complete(tuning) if trial.study == "pwiser"]
    names = [n for n in tuning.best.parameters if len({t.parameters.get(n) for t in trials}) > 1]
    if not names:
        return None
    metric, columns = tuning.metrics[-1], min(3, len(names))
    rows = -(-len(names) // columns)
    figure = new_figure(height=0.4 + 1.9 * rows)
    panels = figure.subplots(rows, columns, sharey=True, squeeze=False)
    for panel in panels.flat:
        panel.set_axis_off()
    for panel, name in zip(panels.flat, names, strict=False):
        panel.set_axis_on()
        values = [trial.parameters[name] for trial in trials]
        words = [] if _is_number(values[0]) else list(dict.fromkeys(map(str, values)))

        def place(trial: Trial, name: str = name, words: list[str] = words) -> Any:
            value = trial.parameters[name]
            return words.index(str(value)) if words else value

        _points(panel, trials, tuning, place, lambda trial: trial.metrics[metric])
        if words:
            panel.set_xticks(range(len(words)), [word.replace("_", "\n") for word in words])
            panel.set_xlim(-0.5, len(words) - 0.5)
        elif name == "weight":
            _weight_axis(panel, values, every=2)
        elif min(values) > 0 and max(values) / min(values) > 20:
            panel.set_xscale("log")
            panel.minorticks_off()
        panel.set_title(name)
    label = metric_named(metric).label
    return _Plot(
        "Slices",
        to_svg(figure, "slices", f"{label} on validation against {', '.join(names)}"),
        f"{label} of complete trials against one parameter at a time.",
    )


def _front(tuning: Tuning) -> _Plot | None:
    """Draw the two metrics against each other, a front per loss."""
    if len(tuning.metrics) < 2:
        return None
    first, second = tuning.metrics
    figure = new_figure(height=4.2)
    panel = figure.subplots()

    def draw(trials: Sequence[Trial], **look: Any) -> None:
        panel.plot([t.metrics[first] for t in trials], [t.metrics[second] for t in trials], **look)

    looks = _front_looks(tuning.by_loss)
    for loss, trials in tuning.by_loss.items():
        front = tuning.fronts[loss]
        pale = {**looks[loss], "linestyle": "none", "markersize": 4, "alpha": 0.35}
        draw([t for t in trials if t not in front], **pale)
        draw(front, **looks[loss], linewidth=1.3, markersize=5, label=_short(*loss))
        for t in () if loss[1] else trials:
            at = (t.metrics[first], t.metrics[second])
            panel.annotate(f"{t.weight:g}", at, (5, 5), textcoords="offset points", fontsize=8)
    bce = [t for t in _complete(tuning) if t.weight == 0 and t is not tuning.best]
    draw(bce, **_BCE, label="bce" if bce else None)
    draw([tuning.best], **_BEST, label="choice")
    if tuning.baseline is not None:
        for line, metric in ((panel.axvline, first), (panel.axhline, second)):
            line(tuning.baseline.metrics[metric], color=VERMILLION, linewidth=0.9, linestyle=":")
    panel.grid(alpha=0.3, linewidth=0.6)
    panel.set_xlabel(metric_named(first).label)
    panel.set_ylabel(metric_named(second).label)
    figure.legend(loc="outside upper left", ncols=3, frameon=False, handlelength=3)
    ends = " to ".join(
        " / ".join(f"{t.metrics[m]:.4f}" for m in tuning.metrics) for t in (tuning.front[0], tuning.front[-1])
    )
    x, y = (metric_named(metric) for metric in tuning.metrics)
    references = [loss for loss, scale in tuning.by_loss if not scale]
    return _Plot(
        "Pareto front",
        to_svg(figure, "front", f"Pareto front on validation, {x.label} / {y.label}: from {ends}"),
        "Trials on validation. A line joins those of a surrogate and scale that no other of them beats in "
        f"both metrics; the others are pale. {y.label[0].upper()}{y.label[1:]} is the {y.meaning}. "
        + "".join(
            f"{loss}, its weight beside it, is for comparison and never chosen. " for loss in references
        )
        + f"Dotted: the best BCE. Star: the choice, the best {y.label} that loses no {x.label} against BCE.",
        _bought(tuning),
    )


def _short(loss: str, scale: str) -> str:
    return f"{loss.removeprefix('pwiser ')}, {scale}" if scale else loss


def _front_looks(losses: Iterable[tuple[str, str]]) -> dict[tuple[str, str], dict[str, Any]]:
    """Give each surrogate a colour and each scale a line and a marker; a reference is drawn in ink."""
    surrogates = dict.fromkeys(surrogate for surrogate, scale in losses if scale)
    colors = dict(zip(surrogates, cycle(_OF_SURROGATES)))

    def look(surrogate: str, scale: str) -> dict[str, Any]:
        if not scale:
            return {"color": INK, "linestyle": "-.", "marker": "^"}
        line, marker = ("-", "o") if scale == "probability" else ("--", "s")
        return {"color": colors[surrogate], "linestyle": line, "marker": marker}

    return {loss: look(*loss) for loss in losses}


def _bought(tuning: Tuning) -> PlainTable | None:
    """Tell what gain in the second metric is had for how much CTR AUC."""
    rows = best_gain_rows(["loss", "scale"], [tuning.best_within(amount) for amount in GIVEN_UP])
    if not rows:
        return None
    note = (
        "Of single trials, and so without an error: the best of many is partly luck, the more so the more "
        "there are. A dash: all give up more."
    )
    return PlainTable(best_gains_label(tuning.metrics[-1]), rows, words=2, note=note)


_PLOTS = (_path, _front, _history, _slices, _importances)


def _points(
    panel: Axes, trials: Sequence[Trial], tuning: Tuning, x: Callable[..., Any], y: Callable[..., float]
) -> None:
    """Draw trials as dots, BCE as diamonds with a line, and the choice as a star."""
    for some, style in (
        ([t for t in trials if t.weight > 0 and t is not tuning.best], _POINT),
        ([t for t in trials if t.weight == 0 and t is not tuning.best], _BCE),
        ([t for t in trials if t is tuning.best], _BEST),
    ):
        panel.plot([x(t) for t in some], [y(t) for t in some], **style)
    if tuning.baseline is not None:
        panel.axhline(y(tuning.baseline), color=VERMILLION, linewidth=0.9, linestyle=":")
    panel.grid(axis="y", alpha=0.35, linewidth=0.6)


def _weight_axis(panel: Axes, weights: Sequence[float], *, every: int = 1) -> None:
    """Log scale with a place for 0 left of the least weight."""
    positive = [weight for weight in weights if weight > 0]
    if not positive:
        return
    least = 10.0 ** math.floor(math.log10(min(positive)))
    panel.set_xscale("symlog", linthresh=least, linscale=0.4)
    decades = range(round(math.log10(least)), math.ceil(math.log10(max(positive))) + 1, every)
    panel.set_xticks([0.0, *(10.0**d for d in decades)], ["0", *(f"{10.0**d:g}" for d in decades)])
    panel.minorticks_off()
    panel.set_xlim(-least * 0.3, max(positive) * 1.5)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
