"""The command line: `gbdt-pwiser prepare | datasets | compare | tune`."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from math import isnan
from pathlib import Path
from typing import Any

import click

from gbdt_pwiser import __version__
from gbdt_pwiser.objectives import InputError, PWiseRLoss

# Libraries that take seconds to import are imported by the command that needs them.


def _numbers(_: click.Context, param: click.Parameter, value: str | None) -> tuple[float, ...] | None:
    """Read comma-separated numbers."""
    try:
        return None if value is None else tuple(float(part) for part in value.split(","))
    except ValueError:
        raise InputError(f"{param.opts[0]} is {value!r}; give numbers such as 0.01,0.03") from None


def _dataset_options(command: Callable[..., Any]) -> Callable[..., Any]:
    defaults = PWiseRLoss()
    for option in reversed(
        (
            click.option(
                "--dataset",
                required=True,
                help="us, nl, fr, es, simulated, or the path of a description (.toml).",
            ),
            click.option("--data-dir", type=click.Path(path_type=Path), help="Where prepared data sets lie."),
            click.option("--split", "split_by", help="auto, time, group or row; else as the data set says."),
            click.option(
                "--fractions", callback=_numbers, help="Train, validation and test shares, e.g. 0.6,0.2,0.2."
            ),
            click.option("--exposures", type=int, help="simulated: number of exposures."),
            click.option("--accidental-clicks", type=float, help="simulated: share of accidental clicks."),
            click.option("--ctr", type=float, help="simulated: clicks per exposure."),
            click.option("--cvr", type=float, help="simulated: conversions per click."),
            click.option("--click-margin", type=float, default=defaults.click_margin, show_default=True),
            click.option(
                "--impression-margin", type=float, default=defaults.impression_margin, show_default=True
            ),
            click.option(
                "--surrogate",
                default=defaults.surrogate,
                show_default=True,
                help="hinge, squared_hinge or logistic.",
            ),
            click.option("--scale", default=defaults.scale, show_default=True, help="probability or logit."),
            click.option("--pairs", default=defaults.pairs, show_default=True, help="all or group."),
            click.option("--rounds", type=int, default=500, show_default=True, help="Most boosting rounds."),
            click.option(
                "--early-stopping",
                type=int,
                default=50,
                show_default=True,
                help="Rounds without a better CTR AUC on validation.",
            ),
            click.option("--learning-rate", type=float, default=0.05, show_default=True),
            click.option("--device", default="cpu", show_default=True, help="cpu or cuda, for the boosters."),
            click.option(
                "--threads",
                type=int,
                default=0,
                show_default=True,
                help="CPU threads; 0: the library's choice.",
            ),
            click.option(
                "--choose-by",
                default="ctr_auc",
                show_default=True,
                help="Validation metric by which a weight is chosen.",
            ),
            click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table."),
        )
    ):
        command = option(command)
    return command


@click.group()
@click.version_option(__version__, prog_name="gbdt-pwiser")
def cli() -> None:
    """BCE+PWiseR for LightGBM and XGBoost: prepare data, compare losses, tune the pairwise weight."""


@cli.command()
@click.option("--dataset", required=True, help="us, nl, fr or es.")
@click.option(
    "--source", required=True, type=click.Path(path_type=Path), help="Folder or zip with the released files."
)
@click.option("--data-dir", type=click.Path(path_type=Path), help="Where prepared data sets lie.")
def prepare(dataset: str, source: Path, data_dir: Path | None) -> None:
    """Turn released AliExpress files into Parquet, whole or not at all."""
    from gbdt_pwiser.data import prepare_aliexpress, resolve_data_dir

    click.echo(prepare_aliexpress(dataset, source, resolve_data_dir(data_dir)))


@cli.command()
@click.option("--data-dir", type=click.Path(path_type=Path), help="Where prepared data sets lie.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def datasets(data_dir: Path | None, as_json: bool) -> None:
    """List the data sets that are known, and which are prepared."""
    from gbdt_pwiser.data import known_datasets

    known = known_datasets(data_dir)
    if as_json:
        click.echo(json.dumps([asdict(dataset) for dataset in known], default=str, indent=2))
        return
    for dataset in known:
        rows = (
            ""
            if dataset.rows is None
            else f"{dataset.rows:,} exposures, {dataset.clicks:,} clicks, {dataset.conversions:,} conversions"
        )
        state = "ready" if dataset.prepared else "not prepared"
        click.echo(f"{dataset.name:<10} {state:<13} {rows or dataset.description}")


@cli.command()
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
    callback=_numbers,
    default="0.003,0.01,0.03",
    show_default=True,
    help="Weight of the pairwise term; of several the best on validation.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for results.parquet and report.html.",
)
@_dataset_options
def compare(
    models: tuple[str, ...],
    losses: tuple[str, ...],
    seeds: int,
    weights: tuple[float, ...],
    output: Path | None,
    **options: Any,
) -> None:
    """Train models with and without the pairwise term on the same splits and print the difference."""
    from gbdt_pwiser.evaluation import compare as run
    from gbdt_pwiser.evaluation import format_table, records, write_results
    from gbdt_pwiser.report import ScoreDistribution, SplitSize, require_report_extra, write_report

    if seeds < 1:
        raise InputError(f"seeds is {seeds}; give at least 1")
    if output:
        require_report_extra()
        output.mkdir(parents=True, exist_ok=True)  # a folder that cannot be made is better known now
    dataset, base = _setup(options, models[0])
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
        choose_by=options["choose_by"],
        on_test=keep_distribution if output else None,
    )
    if options["as_json"]:
        click.echo(json.dumps(records(results), indent=2))
    else:
        click.echo(format_table(results))
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


@cli.command()
@click.option("--model", default="lightgbm", show_default=True)
@click.option("--n-trials", type=int, default=20, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True, help="Of split, model and search.")
@_dataset_options
def tune(model: str, n_trials: int, seed: int, **options: Any) -> None:
    """Search the weight of the pairwise term on validation; the test split is not looked at."""
    from gbdt_pwiser.tuning import tune_weight

    dataset, base = _setup(options, model)
    split = dataset.split(seed)
    metric = options["choose_by"]
    search = tune_weight(
        replace(base, seed=seed), split.train, split.valid, n_trials=n_trials, metric=metric, seed=seed
    )
    if options["as_json"]:
        trials = [
            {
                "weight": trial.weight,
                "rounds": trial.rounds,
                "fit_seconds": trial.fit_seconds,
                **{name: None if isnan(value) else value for name, value in trial.metrics.items()},
            }
            for trial in search.trials
        ]
        click.echo(
            json.dumps({"metric": metric, "best_weight": search.best.weight, "trials": trials}, indent=2)
        )
        return
    click.echo(f"{'weight':>10}  {metric:>10}  rounds  (validation)")
    for trial in sorted(search.trials, key=lambda trial: trial.weight):
        mark = " best" if trial is search.best else ""
        click.echo(f"{trial.weight:>10.4g}  {trial.metrics[metric]:>10.4f}  {trial.rounds:>6}{mark}")
    if search.best is search.baseline:
        click.echo("No weight beats BCE on validation: use weight 0.")
    else:
        click.echo(f"Confirm on test with: gbdt-pwiser compare ... --weight {search.best.weight:.4g}")


def _setup(options: dict[str, Any], model: str) -> tuple[Any, Any]:
    """Return the data set and the model settings that the options describe."""
    from gbdt_pwiser.data import load
    from gbdt_pwiser.models import ModelSpec

    loss = PWiseRLoss(
        **{
            name: options[name]
            for name in ("click_margin", "impression_margin", "surrogate", "scale", "pairs")
        }
    )
    base = ModelSpec(
        model=model,
        pwiser=loss,
        **{
            name: options[name] for name in ("rounds", "early_stopping", "learning_rate", "device", "threads")
        },
    )
    simulated = {
        name: options[option]
        for option, name in (
            ("exposures", "n_exposures"),
            ("accidental_clicks", "accidental_clicks"),
            ("ctr", "ctr"),
            ("cvr", "cvr"),
        )
        if options[option] is not None
    }
    dataset = load(options["dataset"], data_dir=options["data_dir"], **simulated)
    wanted = {"by": options["split_by"], "fractions": options["fractions"]}
    split_options = {name: value for name, value in wanted.items() if value is not None}
    if split_options:
        dataset = replace(dataset, split_options=replace(dataset.split_options, **split_options))
    return dataset, base


def main() -> None:
    """Run the command line; bad input is one line on stderr and exit code 2."""
    try:
        cli.main(sys.argv[1:] or ["--help"], standalone_mode=False)
    except InputError as error:
        _fail(str(error))
    except click.ClickException as error:
        _fail(error.format_message())
    except (click.Abort, KeyboardInterrupt):
        click.echo("gbdt-pwiser: interrupted", err=True)
        sys.exit(130)
    except OSError as error:
        _fail(str(error))


def _fail(message: str) -> None:
    click.echo("gbdt-pwiser: " + " ".join(message.split()), err=True)
    sys.exit(2)
