"""The page of a search for the pairwise weight: what was tried, what it showed, what the test split says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gbdt_pwiser.metrics import metric_named
from gbdt_pwiser.report._html import require_report_extra, write_page
from gbdt_pwiser.report._tuning_gains import format_metric, shown_gains
from gbdt_pwiser.report._tuning_plots import draw_all

if TYPE_CHECKING:
    from gbdt_pwiser.tuning import Gain, Trial, Tuning


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
    figures = draw_all(tuning)
    # What the page opens with, where the search has come so far: what test says, or what the weight does.
    opening = [figure for figure in figures[:1] if figure.drawing.name in ("gains", "path")]
    states = [trial.state for trial in tuning.trials]
    chosen = [("best", tuning.best)]
    if tuning.baseline is not None and tuning.baseline is not tuning.best:
        chosen.insert(0, ("bce", tuning.baseline))
    write_page(
        path,
        "tuning.html.j2",
        title=title,
        command=command,
        verdict=tuning.verdict,
        choice=_parameters(tuning.best),
        metrics=[metric_named(metric).label for metric in tuning.metrics],
        total=tuning.total,
        counts={state: states.count(state) for state in ("complete", "pruned", "failed")},
        errors=[trial for trial in tuning.trials if trial.error],
        chosen=[(name, _told(trial, tuning.metrics), _parameters(trial)) for name, trial in chosen],
        gains=[_gain(gain) for gain in shown_gains(tuning)],
        seeds=len(tuning.confirmation.seeds) if tuning.confirmation else 0,
        times=tuning.confirmation.times if tuning.confirmation else 0,
        opening=opening,
        figures=figures[len(opening) :],
    )


def _told(trial: Trial, metrics: Sequence[str]) -> list[str]:
    return [format_metric(trial.metrics[metric], metric) for metric in metrics]


def _parameters(trial: Trial) -> str:
    return ", ".join(
        f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in trial.parameters.items()
    )


def _gain(gain: Gain) -> dict[str, Any]:
    return {
        "label": metric_named(gain.metric).label,
        "bce": format_metric(gain.bce, gain.metric),
        "tuned": format_metric(gain.tuned, gain.metric),
        "gain": f"{gain.gain:+.5f}",
        "interval": f"{gain.low:+.5f} to {gain.high:+.5f}",
        "p_value": f"{gain.p_value:.2g}",
        "method": gain.method,
        "mark": "better" if gain.better else "worse" if gain.worse else "unclear",
    }
