"""`gbdt-pwiser compare`."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

import click

from gbdt_pwiser.cli._options import dataset_options, numbers, setup
from gbdt_pwiser.objectives import InputError


@click.command()
@click.option(
    "--model",
    "models",
    multiple=True,
    default=("lightgbm", "xgboost"),
    show_default=True,
    help="May be repeated.",
)
@click.option(
    "--loss",
    "losses",
    multiple=True,
    default=("bce", "pwiser"),
    show_default=True,
    help="bce or pwiser; may be repeated.",
)
@click.option("--seeds", type=int, default=3, show_default=True, help="Seeds 0 .. N-1.")
@click.option(
    "--weight",
    "weights",
    callback=numbers,
    default="0.003,0.01,0.03",
    show_default=True,
    help="Weight of the pairwise term; of several the best on validation.",
)
@click.option(
    "--choose-by",
    default="ctr_auc",
    show_default=True,
    help="Validation metric by which a weight is chosen.",
)
@click.option(
    "--params",
    type=click.Path(path_type=Path),
    help="best.toml of a search: its model, losses and parameters stand in place of --model and --weight.",
)
@click.option(
    "--calibrate",
    default="none",
    show_default=True,
    help="none, isotonic or sigmoid, fitted on validation; test is scored before and after.",
)
@click.option(
    "--bootstrap",
    type=int,
    default=200,
    show_default=True,
    help="Draws behind the error of a gain; 0: the seeds alone.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for results.parquet and report.html.",
)
@dataset_options
def compare(
    models: tuple[str, ...],
    losses: tuple[str, ...],
    seeds: int,
    weights: tuple[float, ...],
    choose_by: str,
    params: Path | None,
    calibrate: Any,
    bootstrap: int,
    output: Path | None,
    **options: Any,
) -> None:
    """Train models with and without the pairwise term on the same splits and print the difference."""
    from gbdt_pwiser.evaluation import compare as run
    from gbdt_pwiser.evaluation import format_table, records, write_results
    from gbdt_pwiser.evaluation.published import format_published
    from gbdt_pwiser.report import ScoreDistribution, SplitSize, require_report_extra, write_report

    if seeds < 1:
        raise InputError(f"seeds is {seeds}; give at least 1")
    if output:
        require_report_extra()
        output.mkdir(parents=True, exist_ok=True)  # a folder that cannot be made is better known now
    dataset, base = setup(options, models[0])
    tuned = {}
    if params:
        from gbdt_pwiser.tuning import read_params

        tuned = read_params(params, base)
        models = (tuned["bce"].model,)
    distributions: list[ScoreDistribution] = []

    def keep_distribution(spec: Any, test: Any, predictions: Any) -> None:
        if spec.seed == 0:
            distributions.append(
                ScoreDistribution.from_scores(spec.model, spec.loss, predictions.pctr, test.grade)
            )

    results = run(
        dataset,
        models=models,
        losses=losses,
        seeds=range(seeds),
        weights=weights,
        base=base,
        tuned=tuned,
        choose_by=choose_by,
        calibrate=calibrate,
        replicates=bootstrap,
        on_test=keep_distribution if output else None,
    )
    if options["as_json"]:
        click.echo(json.dumps(records(results), indent=2))
    else:
        click.echo(format_table(results))
        if published := format_published(results[0].dataset):
            click.echo("\n" + published)
    if output:
        write_results(results, output / "results.parquet")
        split = dataset.split(0)
        write_report(
            output / "report.html",
            results,
            distributions,
            title=f"BCE and BCE+PWiseR on {results[0].dataset}",
            command=shlex.join(["gbdt-pwiser", *sys.argv[1:]]),
            sizes=[SplitSize.of(name, getattr(split, name)) for name in ("train", "valid", "test")],
        )
        click.echo(f"{output / 'report.html'}", err=True)
