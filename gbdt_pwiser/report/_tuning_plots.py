"""The plots of a search."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gbdt_pwiser.evaluation.sweep import GIVEN_UP
from gbdt_pwiser.metrics import metric_named
from gbdt_pwiser.report._plots import (
    BLUE,
    GREEN,
    INK,
    OCHRE,
    PINK,
    VERMILLION,
    Figure,
    PlainTable,
    drawing_style,
    drop_overlapping,
    finish,
    label_point,
    new_figure,
)
from gbdt_pwiser.report._tuning_gains import captioned, format_metric, plot_tuning_gains
from gbdt_pwiser.report.table import best_gain_rows, best_gains_label

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
_BEST: dict[str, Any] = {
    "linestyle": "none",
    "marker": "*",
    "markersize": 13,
    "color": GREEN,
    "clip_on": False,
}


def draw_all(tuning: Tuning) -> list[Figure]:
    """Draw what there is to draw; the gains on test, where there are any, first."""
    with drawing_style():
        return [figure for draw in _PLOTS if (figure := draw(tuning)) is not None]


def _row(trial: Trial, tuning: Tuning, metrics: Iterable[str]) -> dict[str, Any]:
    """Return what the data of a plot say of a trial."""
    return {
        **{"study": trial.study, "trial": trial.number, "weight": trial.weight},
        **{metric: trial.metrics.get(metric, math.nan) for metric in metrics},
        "choice": trial is tuning.best,
    }


def _with_baseline(trials: Sequence[Trial], tuning: Tuning) -> list[Trial]:
    """Add the best BCE, which is drawn as a line, where it is none of these."""
    others = [] if tuning.baseline is None or any(t is tuning.baseline for t in trials) else [tuning.baseline]
    return [*trials, *others]


def _of_names(trial: Trial, names: Iterable[str]) -> dict[str, Any]:
    values = {name: trial.parameters[name] for name in names if name != "weight"}
    return {name: value if _isformat_metric(value) else str(value) for name, value in values.items()}


def _complete(tuning: Tuning) -> list[Trial]:
    return [trial for trial in tuning.trials if trial.state == "complete"]


def _path(tuning: Tuning) -> Figure | None:
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
    return captioned(
        "The weight path",
        finish(
            figure,
            "path",
            f"{labels} on validation against the weight, {len(trials)} trials",
            [_row(trial, tuning, shown) for trial in _with_baseline(trials, tuning)],
        ),
        "Complete trials on validation; the other parameters of the loss vary too, which scatters them. "
        "Diamond: BCE, which has weight 0. Dotted line: the best BCE. Star: the choice.",
    )


def _history(tuning: Tuning) -> Figure | None:
    """Draw the first metric of each trial, and the best up to it."""
    metric = tuning.metrics[0]
    trials = _complete(tuning)
    figure = new_figure(height=2.6)
    panel = figure.subplots()
    up = metric_named(metric).higher_is_better
    data: list[dict[str, Any]] = []
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
        data += [
            {**_row(trial, tuning, [metric]), "best_so_far": value}
            for trial, value in zip(mine, best.tolist(), strict=True)
        ]
    panel.set_xlabel("trial")
    panel.set_title(metric_named(metric).label)
    best_value = format_metric(tuning.best.metrics[metric], metric)
    return captioned(
        "History",
        finish(
            figure,
            "history",
            f"{metric_named(metric).label} on validation by trial; the choice has {best_value}",
            data,
        ),
        "Dots: complete trials on validation. Line: the best up to there."
        + (" Diamonds and dashes: BCE's own search." if any(t.study == "bce" for t in trials) else ""),
    )


def _importances(tuning: Tuning) -> Figure | None:
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
    return captioned(
        "Importance of the parameters",
        finish(
            figure,
            "importances",
            f"Importance for {label}: {told}",
            [{"parameter": name, "share": tuning.importances[name]} for name in reversed(names)],
        ),
        f"Share of each parameter in the differences of {label} between complete trials (fANOVA). "
        "With few trials it is a hint.",
    )


def _slices(tuning: Tuning) -> Figure | None:
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
        words = [] if _isformat_metric(values[0]) else list(dict.fromkeys(map(str, values)))

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
    return captioned(
        "Slices",
        finish(
            figure,
            "slices",
            f"{label} on validation against {', '.join(names)}",
            [{**_row(trial, tuning, [metric]), **_of_names(trial, names)} for trial in trials],
        ),
        f"{label} of complete trials against one parameter at a time.",
    )


def _front(tuning: Tuning) -> Figure | None:
    """Draw the two metrics against each other, a front per loss."""
    if len(tuning.metrics) < 2:
        return None
    first, second = tuning.metrics
    figure = new_figure(height=4.2)
    panel = figure.subplots()

    def draw(trials: Sequence[Trial], **look: Any) -> None:
        panel.plot([t.metrics[first] for t in trials], [t.metrics[second] for t in trials], **look)

    looks, labels = _front_looks(tuning.by_loss), []
    data: list[dict[str, Any]] = []
    for loss, trials in tuning.by_loss.items():
        front = tuning.fronts[loss]
        pale = {**looks[loss], "linestyle": "none", "markersize": 4, "alpha": 0.35}
        draw([t for t in trials if t not in front], **pale)
        data += [
            {"loss": loss[0], "scale": loss[1], **_row(t, tuning, tuning.metrics), "on_front": t in front}
            for t in trials
        ]
        draw(front, **looks[loss], linewidth=1.3, markersize=5, label=_short(*loss))
        for t in () if loss[1] else trials:
            at = (t.metrics[first], t.metrics[second])
            labels.append(label_point(panel, at, f"{t.weight:g}"))
    bce = [t for t in _complete(tuning) if t.weight == 0 and t is not tuning.best]
    draw(bce, **_BCE, label="bce" if bce else None)
    for t in _with_baseline([t for t in _complete(tuning) if t.weight == 0], tuning):
        data.append({"loss": "bce", "scale": "", **_row(t, tuning, tuning.metrics), "on_front": False})
    draw([tuning.best], **_BEST, label="choice")
    if tuning.baseline is not None:
        for line, metric in ((panel.axvline, first), (panel.axhline, second)):
            line(tuning.baseline.metrics[metric], color=VERMILLION, linewidth=0.9, linestyle=":")
    panel.grid(alpha=0.3, linewidth=0.6)
    panel.set_xlabel(metric_named(first).label)
    panel.set_ylabel(metric_named(second).label)
    figure.legend(loc="outside upper left", ncols=3, frameon=False, handlelength=3)
    drop_overlapping(figure, labels)
    ends = " to ".join(
        " / ".join(f"{t.metrics[m]:.4f}" for m in tuning.metrics) for t in (tuning.front[0], tuning.front[-1])
    )
    x, y = (metric_named(metric) for metric in tuning.metrics)
    references = [loss for loss, scale in tuning.by_loss if not scale]
    return captioned(
        "Pareto front",
        finish(
            figure,
            "front",
            f"Pareto front on validation, {x.label} / {y.label}: from {ends}",
            data,
        ),
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


_PLOTS: Final = (plot_tuning_gains, _path, _front, _history, _slices, _importances)


def _points(
    panel: Axes, trials: Sequence[Trial], tuning: Tuning, x: Callable[..., Any], y: Callable[..., float]
) -> None:
    """Draw trials as dots, BCE as diamonds with a line, and the choice as a star."""
    for some, style in (
        ([t for t in trials if t.weight > 0 and t is not tuning.best], _POINT),
        ([t for t in trials if t.weight == 0 and t is not tuning.best], _BCE),
        ([t for t in trials if t is tuning.best], _BEST),
    ):
        if some:  # a mark that is not clipped has a place in the layout even where there is none to draw
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
    # Where few are labelled the first would touch the 0.
    decades = range(round(math.log10(least)) + every - 1, math.ceil(math.log10(max(positive))) + 1, every)
    panel.set_xticks([0.0, *(10.0**d for d in decades)], ["0", *(f"{10.0**d:g}" for d in decades)])
    panel.minorticks_off()
    panel.set_xlim(-least * 0.3, max(positive) * 1.5)


def _isformat_metric(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
