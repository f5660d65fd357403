"""`gbdt-pwiser tune`."""

from __future__ import annotations

import json
from dataclasses import replace
from math import isnan
from typing import Any

import click

from gbdt_pwiser.cli._options import dataset_options, setup


@click.command()
@click.option("--model", default="lightgbm", show_default=True)
@click.option("--n-trials", type=int, default=20, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True, help="Of split, model and search.")
@dataset_options
def tune(model: str, n_trials: int, seed: int, **options: Any) -> None:
    """Search the weight of the pairwise term on validation; the test split is not looked at."""
    from gbdt_pwiser.tuning import tune_weight

    dataset, base = setup(options, model)
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
