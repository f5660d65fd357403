"""`gbdt-pwiser compare`."""

from __future__ import annotations

import json
import shlex
import sys
import textwrap
from pathlib import Path
from typing import Any, Final

import click

from gbdt_pwiser.cli._choices import CALIBRATIONS, LOSSES, MODELS, ONE_OF_MODELS, ModelAndLoss, OneOf
from gbdt_pwiser.cli._dask import dask_option, maker
from gbdt_pwiser.cli._errors import input_error
from gbdt_pwiser.cli._headings import COMPARED, EVALUATION, LOSS, OUTPUT, option
from gbdt_pwiser.cli._help import command
from gbdt_pwiser.cli._options import (
    choose_by_option,
    dataset_options,
    numbers,
    params_option,
    rival_weight_option,
    text,
)
from gbdt_pwiser.cli._paths import PathOption
from gbdt_pwiser.cli._report import DETAILS, PAGE, RESULTS, check_output
from gbdt_pwiser.cli._specs import base_spec, chosen_settings, given, load_dataset, tell_left_out, tuned_specs
from gbdt_pwiser.cli._tables import show
from gbdt_pwiser.cli._telling import also_told, note, result

MOST_SEEDS: Final = 10_000


def _places(_: click.Context, param: click.Parameter, value: str | None) -> tuple[str, ...]:
    """Return the names of the metrics of the first places, for each of these numbers of them."""
    from gbdt_pwiser.metrics import metrics_at

    return () if value is None else metrics_at(part.strip() for part in value.split(","))


@command(
    [
        "compare --dataset simulated --seeds 2",
        "compare --dataset us --model xgboost --weight 0.003,0.01,0.03 --output results",
        "compare --dataset mine.toml --loss bce --loss pwiser --loss weighted_bce --stop-by gauc",
        "compare --dataset mine.toml --sweep-weight 0,0.01,0.03,0.1 --json --quiet > path.json",
        "compare --dataset mine.toml --params tune-mine-xgboost/best.toml --seeds 5",
    ]
)
@option(
    "--model",
    "models",
    multiple=True,
    default=("lightgbm", "xgboost"),
    show_default=True,
    help=f"{ONE_OF_MODELS} May be repeated.",
    type=OneOf(MODELS, "MODEL"),
    panel=COMPARED,
)
@option(
    "--loss",
    "losses",
    multiple=True,
    default=("bce", "pwiser"),
    show_default=True,
    help="bce, pwiser or weighted_bce; lambdarank (lightgbm), rank_pairwise (xgboost), combined_pair "
    "(networks). May be repeated.",
    type=OneOf(LOSSES, "LOSS"),
    panel=COMPARED,
)
@option(
    "--seeds",
    type=int,
    default=3,
    show_default=True,
    help="Seeds 0 .. N-1.",
    panel=COMPARED,
)
@option(
    "--weight",
    "weights",
    callback=numbers,
    metavar="NUMBERS",
    default="0.003,0.01,0.03",
    show_default=True,
    help="Weight of the pairwise term; of several the best on validation.",
    panel=LOSS,
)
@option(
    "--sweep-weight",
    "sweep_weights",
    callback=numbers,
    metavar="NUMBERS",
    help="In place of --weight, as in 0,0.003,0.01,0.03,0.1; the weight path on validation is printed too.",
    panel=LOSS,
)
@rival_weight_option
@choose_by_option
@option(
    "--against",
    callback=text,
    help="One of those compared, as in xgboost or xgboost:pwiser: every gain is the difference to it, on "
    "the same test rows. Without a loss: its bce. Default: each model's own bce.",
    type=ModelAndLoss(),
    panel=COMPARED,
)
@option(
    "--at",
    callback=_places,
    metavar="K,K",
    help="Measure the first K places of each group (ndcg@K, map@K, conversions@K), as in 1,10, beside 5.",
    panel=EVALUATION,
)
@params_option
@option(
    "--calibrate",
    default="none",
    show_default=True,
    help="Fitted on validation; test is scored before and after.",
    type=OneOf(CALIBRATIONS),
    panel=EVALUATION,
)
@option(
    "--bootstrap",
    type=int,
    default=200,
    show_default=True,
    help="Draws behind the error of a gain; 0: the seeds alone.",
    panel=EVALUATION,
)
@option(
    "--output",
    type=PathOption(file_okay=False),
    help="Folder for results.parquet, details.json and report.html.",
    panel=OUTPUT,
)
@dask_option
@dataset_options
@click.pass_context
def compare(
    context: click.Context,
    /,
    models: tuple[str, ...],
    losses: tuple[str, ...],
    seeds: int,
    weights: tuple[float, ...],
    sweep_weights: tuple[float, ...] | None,
    rival_weights: dict[str, tuple[float, ...]],
    choose_by: str,
    against: str | None,
    at: tuple[str, ...],
    params: Path | None,
    calibrate: Any,
    bootstrap: int,
    output: Path | None,
    scheduler: str | None,
    **options: Any,
) -> None:
    """Train models with and without the pairwise term on the same splits and print the difference."""
    from gbdt_pwiser.evaluation import Details, records, write_details, write_results
    from gbdt_pwiser.evaluation import compare as run
    from gbdt_pwiser.evaluation.compare import check_choice
    from gbdt_pwiser.evaluation.plan import baseline_named, plan
    from gbdt_pwiser.objectives.errors import check_whole
    from gbdt_pwiser.report import require_report_extra, write_report
    from gbdt_pwiser.report.activity import activity_notes
    from gbdt_pwiser.report.clicks import format_clicks
    from gbdt_pwiser.report.published import format_published
    from gbdt_pwiser.report.table import tell_results, tell_sweep

    check_whole("seeds", seeds, 1, MOST_SEEDS)
    check_choice(choose_by, calibrate, bootstrap)
    if sweep_weights is not None:
        _check_sweep(context, losses)
    base, tuned = base_spec(options, models[0]), {}
    tried: tuple[float, ...] | None = sweep_weights or weights
    if params is not None:
        tuned = tuned_specs(context, params, base)
        models = (tuned["bce"].model,)
        if not given(context, "weights"):
            tried = None
    settings = chosen_settings(options, models)
    jobs = plan(
        models,
        losses,
        weights=tried,
        rival_weights=rival_weights,
        base=base,
        settings=settings,
        tuned=tuned,
    )
    baseline_named(against, [(model, loss) for model, loss, _ in jobs])
    replaces = False
    if output:
        require_report_extra()
        replaces = check_output(output)
    details = Details(command=shlex.join(["gbdt-pwiser", *sys.argv[1:]]))
    with maker(scheduler, *(spec for _, _, candidates in jobs for spec in candidates)) as make:
        dataset = load_dataset(options)
        tell_left_out(models, losses)
        if replaces:
            note(f"replaces the earlier comparison in {output}")
        results = run(
            dataset,
            models=models,
            losses=losses,
            seeds=range(seeds),
            weights=tried,
            rival_weights=rival_weights,
            base=base,
            settings=settings,
            tuned=tuned,
            against=against,
            choose_by=choose_by,
            also=at,
            calibrate=calibrate,
            replicates=bootstrap,
            details=details,
            make=make,
        )
    if output:  # before anything is printed: who reads it may have gone
        write_results(results, output / RESULTS)
        write_details(details, output / DETAILS)
        write_report(output / PAGE, results, details)
    if options["as_json"]:
        rows = records(results)
        # A list of results by itself, as ever; beside the weight path an object.
        beside = {"sweep": records(details.sweep), "clicks": records(details.clicks)}
        told = rows if sweep_weights is None else {"results": rows, **beside}
        result(json.dumps(told, indent=2))
    else:
        notes = [line for note in activity_notes(details.activity) for line in textwrap.wrap(note, 110)]
        show([*tell_results(results), *notes])
        if details.clicks:
            result("\n" + format_clicks(details.clicks[0]))
        if sweep_weights is not None:
            show(["", *tell_sweep(details.sweep)])
        if dataset.released and (published := format_published(results[0].dataset)):
            result("\n" + published)
    if output:
        also_told(output / PAGE)


def _check_sweep(context: click.Context, losses: tuple[str, ...]) -> None:
    """Refuse a sweep beside what decides the weight otherwise, and one that nothing is trained with."""
    for name, other in (("weights", "--weight"), ("params", "--params")):
        if given(context, name):
            raise input_error(f"--sweep-weight stands in place of {other}; give one of the two")
    if "pwiser" not in losses:
        raise input_error(f"--sweep-weight is for pwiser, not for {', '.join(losses)}; add --loss pwiser")
