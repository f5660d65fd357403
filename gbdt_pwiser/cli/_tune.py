"""`gbdt-pwiser tune`."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gbdt_pwiser.cli._choices import METRICS, MODELS, ONE_OF_MODELS, MetricName, OneOf
from gbdt_pwiser.cli._errors import input_error
from gbdt_pwiser.cli._headings import LOSS, MODEL, OUTPUT, SEARCH, option
from gbdt_pwiser.cli._help import command
from gbdt_pwiser.cli._options import dataset_options, text
from gbdt_pwiser.cli._paths import PathOption, not_empty
from gbdt_pwiser.cli._specs import base_spec, chosen_settings, given, load_dataset
from gbdt_pwiser.cli._tables import show
from gbdt_pwiser.cli._telling import also_told, note, result

if TYPE_CHECKING:
    from gbdt_pwiser.data import Split
    from gbdt_pwiser.report.table import Told
    from gbdt_pwiser.tuning import SearchSpace, Trial, Tuning

FEW_CONVERSIONS = 50


def _pair(_: click.Context, param: click.Parameter, value: str | None) -> tuple[str, ...]:
    return () if value is None else tuple(part.strip() for part in value.split(","))


@command(
    [
        "tune --dataset simulated --model xgboost --n-trials 20",
        "tune --dataset mine.toml --space both --timeout 3600 --output search",
        "tune --dataset mine.toml --pareto ctr_auc,conversion_auc --n-trials 100",
    ]
)
@option(
    "--model",
    default="lightgbm",
    show_default=True,
    type=OneOf(MODELS, "MODEL"),
    help=ONE_OF_MODELS,
    panel=MODEL,
)
@option(
    "--n-trials",
    type=int,
    default=50,
    show_default=True,
    help="Finished trials to have, earlier runs included; with --max-total-trials, most of this process.",
    panel=SEARCH,
)
@option(
    "--max-total-trials",
    type=int,
    help="Finished trials to have, of all processes of a study.",
    panel=SEARCH,
)
@option(
    "--timeout",
    type=float,
    help="Seconds after which no further trial starts.",
    panel=SEARCH,
)
@option(
    "--metric",
    default="ctr_auc",
    show_default=True,
    help="Optimised on validation, as in gauc or ndcg@5.",
    type=MetricName(METRICS),
    panel=SEARCH,
)
@option(
    "--pareto",
    callback=_pair,
    help="Two metrics to optimise together, as in ctr_auc,conversion_auc.",
    type=MetricName(METRICS, "METRIC,METRIC"),
    panel=SEARCH,
)
@option(
    "--space",
    default="loss",
    show_default=True,
    help="What is searched: the loss, the loss with margins as quantiles, the model's own parameters, or "
    "loss and parameters.",
    type=OneOf(("loss", "quantiles", "booster", "both")),
    panel=SEARCH,
)
@option(
    "--space-file",
    type=PathOption(),
    help="TOML with ranges, choices or fixed values.",
    panel=SEARCH,
)
@option(
    "--sampler",
    default="tpe",
    show_default=True,
    help="What proposes the trials; gp needs PyTorch.",
    type=OneOf(("tpe", "gp", "random")),
    panel=SEARCH,
)
@option(
    "--pruner",
    help="What ends poor trials early; else median for CTR AUC alone, none otherwise.",
    type=OneOf(("median", "hyperband", "none")),
    panel=SEARCH,
)
@option(
    "--storage",
    callback=not_empty,
    help="Database URL or journal file; else a database in the output folder.",
    panel=SEARCH,
)
@option(
    "--study-name",
    callback=text,
    help="Name in the storage; else made of data set and model.",
    panel=SEARCH,
)
@option(
    "--seed",
    type=int,
    default=0,
    show_default=True,
    help="Of split, model and search.",
    panel=MODEL,
)
@option(
    "--weight",
    type=float,
    default=0.03,
    show_default=True,
    help="Where the search starts; with --space booster the weight of all trials.",
    panel=LOSS,
)
@option(
    "--output",
    type=PathOption(file_okay=False),
    help="Folder for best.toml, trials.parquet, tuning.html; else tune-DATASET-MODEL.",
    panel=OUTPUT,
)
@dataset_options
@click.pass_context
def tune(
    context: click.Context,
    /,
    model: str,
    metric: str,
    pareto: tuple[str, ...],
    space: str,
    space_file: Path | None,
    seed: int,
    weight: float,
    output: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Search the pairwise weight on validation, then prove the gain on test.

    Started again with the same arguments it goes on where it was stopped; several processes may share a
    study.
    """
    from gbdt_pwiser.tuning import check_search, read_space, record, search_space
    from gbdt_pwiser.tuning import tune as run

    own = ("n_trials", "max_total_trials", "timeout", "sampler", "pruner", "storage", "study_name")
    search = {name: options.pop(name) for name in own}
    base = base_spec(options, model, seed=seed)
    (settings,) = chosen_settings(options, [model])
    base = replace(base, pwiser=replace(base.pwiser, weight=weight), settings=settings)
    if pareto and given(context, "metric"):
        raise input_error("--pareto stands in place of --metric; give one of the two")
    told = {name: value for name, value in search.items() if name != "storage"}
    check_search(base, metric=metric, pareto=pareto, seed=seed, **told)

    def searched(*, grouped: bool) -> SearchSpace:
        declared = search_space(space, model, grouped=grouped)
        return declared if space_file is None else read_space(space_file, declared, model)

    searched(grouped=True)  # refused before anything is read
    split = load_dataset(options).split(seed)
    output = output or Path(f"tune-{split.train.name}-{model}".replace("/", "-"))
    _warn_of_few(split)
    tuning = run(
        split,
        base,
        output=output,
        space=searched(grouped=split.train.group is not None),
        metric=metric,
        pareto=pareto,
        seed=seed,
        **search,
    )
    is_page = _write_page(tuning, output)  # before anything is printed: who reads it may have gone
    if as_json:
        result(json.dumps(record(tuning), indent=2))
    else:
        show(_told(tuning))
    if is_page:
        also_told(output / "tuning.html")
    also_told(output / "best.toml")


def _warn_of_few(split: Split) -> None:
    few = {
        name: int(getattr(split, name).conversion.sum())
        for name in ("train", "valid", "test")
        if getattr(split, name).conversion.sum() < FEW_CONVERSIONS
    }
    if few:
        told = ", ".join(f"{name} {count}" for name, count in few.items())
        note(
            f"fewer than {FEW_CONVERSIONS} conversions ({told}): "
            "metrics of conversions, and the choice of a weight, mean little"
        )


def _write_page(tuning: Tuning, output: Path) -> bool:
    """Write the page of a search where there is the extra that draws it; return whether there is."""
    from gbdt_pwiser.objectives import InputError
    from gbdt_pwiser.report import require_report_extra
    from gbdt_pwiser.report.tuning import write_tuning_report

    try:
        require_report_extra()
    except InputError as error:
        note(f"no page was written: {error}")
        return False
    write_tuning_report(
        output / "tuning.html",
        tuning,
        title=str(output.name),
        command=shlex.join(["gbdt-pwiser", *sys.argv[1:]]),
    )
    return True


def _told(tuning: Tuning) -> Told:
    from gbdt_pwiser.evaluation.sweep import GIVEN_UP
    from gbdt_pwiser.metrics import metric_named
    from gbdt_pwiser.report.table import tell_best_gains

    def line(what: str, trial: Trial) -> str:
        told = "  ".join(
            f"{metric_named(m).label} {trial.metrics[m]:.{metric_named(m).decimals}f}" for m in tuning.metrics
        )
        chosen = ", ".join(
            f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
            for name, value in trial.parameters.items()
        )
        return f"{what:<6} {told}  {chosen}"

    states = [trial.state for trial in tuning.trials]
    counted = ", ".join(f"{states.count(s)} {s}" for s in ("complete", "pruned", "failed") if s in states)
    lines: Told = [f"{len(states)} of {tuning.total} trials: {counted}", "", "validation"]
    if len(tuning.metrics) > 1:
        lines += [line("front", trial) for trial in tuning.front]
    if tuning.baseline is not None:
        lines.append(line("bce", tuning.baseline))
    lines.append(line("best", tuning.best))
    best = [tuning.best_within(amount) for amount in GIVEN_UP]
    if told := tell_best_gains(["loss", "scale"], best, tuning.metrics[-1]):
        lines += ["", *told, "Of single trials, and so without an error: the best of many is partly luck."]
    if tuning.confirmation is not None and tuning.confirmation.gains:
        seeds = tuning.confirmation.seeds
        lines += [
            "",
            f"test, {len(seeds)} seeds",
            f"{'':<20}{'bce':>8}{'best':>8}{'gain':>10}   95 % interval",
        ]
        for gain in tuning.confirmation.gains:
            if metric_named(gain.metric).family == "ranking" or gain.metric in tuning.metrics:
                lines.append(
                    f"{metric_named(gain.metric).label:<20}{gain.bce:>8.4f}{gain.tuned:>8.4f}"
                    f"{gain.gain:>+10.5f}   "
                    f"{gain.low:+.5f} to {gain.high:+.5f}, p = {gain.p_value:.2g}"
                )
        if tuning.confirmation.times > 1:
            lines.append(f"The test split has been scored {tuning.confirmation.times} times by this study.")
    return [*lines, "", tuning.verdict]
