"""`gbdt-pwiser train`."""

from __future__ import annotations

import json
import math
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gbdt_pwiser.cli._choices import CALIBRATIONS, LOSSES, MODELS, ONE_OF_MODELS, OneOf
from gbdt_pwiser.cli._dask import dask_option, maker
from gbdt_pwiser.cli._errors import input_error
from gbdt_pwiser.cli._from import from_options, go_on
from gbdt_pwiser.cli._headings import EVALUATION, LOSS, MODEL, OUTPUT, option
from gbdt_pwiser.cli._help import command
from gbdt_pwiser.cli._options import choose_by_option, dataset_options, numbers, params_option
from gbdt_pwiser.cli._paths import PathOption
from gbdt_pwiser.cli._specs import base_spec, chosen_settings, load_dataset, tuned_specs
from gbdt_pwiser.cli._telling import result

if TYPE_CHECKING:
    from gbdt_pwiser.data import Split
    from gbdt_pwiser.evaluation.compare import Fitted
    from gbdt_pwiser.models import Manifest, ModelSpec


@command(
    [
        "train --dataset simulated --model xgboost --output model",
        "train --dataset mine.toml --params tune-mine-xgboost/best.toml --calibrate isotonic --output model",
        "train --dataset tomorrow.toml --from model --rounds 50 --output model-2",
        "train --dataset tomorrow.toml --from model --refit 0.9 --output model-2",
    ]
)
@option(
    "--model",
    help=f"{ONE_OF_MODELS} [lightgbm, or that of --params]",
    type=OneOf(MODELS, "MODEL"),
    panel=MODEL,
)
@option(
    "--loss",
    default="pwiser",
    show_default=True,
    help=f"One of {', '.join(LOSSES)}.",
    type=OneOf(LOSSES, "LOSS"),
    panel=LOSS,
)
@option(
    "--weight",
    "weights",
    callback=numbers,
    metavar="NUMBERS",
    help="Weight of the loss; of several the best on validation. [those that compare tries for the loss]",
    panel=LOSS,
)
@choose_by_option
@params_option
@option(
    "--calibrate",
    default="none",
    show_default=True,
    help="Fitted on validation and saved with the model.",
    type=OneOf(CALIBRATIONS),
    panel=EVALUATION,
)
@option(
    "--seed",
    type=int,
    default=0,
    show_default=True,
    help="Of split and model.",
    panel=MODEL,
)
@option(
    "--output",
    required=True,
    type=PathOption(file_okay=False),
    help="Model folder; appears, or replaces an older model, when everything is written.",
    panel=OUTPUT,
)
@from_options
@dask_option
@dataset_options
@click.pass_context
def train(
    context: click.Context,
    /,
    model: str | None,
    loss: str,
    weights: tuple[float, ...] | None,
    choose_by: str,
    params: Path | None,
    calibrate: Any,
    seed: int,
    output: Path,
    scheduler: str | None,
    earlier: Path | None,
    refit: float | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Train one model for `predict` and write it into a folder.

    Trains on train, stops early, chooses and calibrates on validation, and leaves test alone: `compare` with
    the same options scores it there.

    With --from, the model is a saved one that goes on with new data.
    """
    from gbdt_pwiser.calibration import Calibrator
    from gbdt_pwiser.evaluation.compare import check_choice
    from gbdt_pwiser.models.saved import check_folder, save_model

    check_folder(output)
    check_choice(choose_by, calibrate)
    record = None
    if earlier is not None:
        fitted, (_, split, record, _) = go_on(context, earlier, calibrate, options)
    elif refit is not None:
        raise input_error(f"--refit is {refit:g}, and there is no model to refit; give its folder as --from")
    else:
        base = base_spec(options, "lightgbm" if model is None else model, loss=loss, seed=seed)
        candidates = _candidates(context, base, weights, params)
        fitted, split = _chosen(candidates, scheduler, choose_by, options)
    calibration = None
    if calibrate != "none":
        calibration = Calibrator.fit(calibrate, fitted.predictions.pctr, split.valid.click).to_dict()
    manifest = save_model(
        fitted.model,
        output,
        split,
        validation=fitted.valid,
        calibration=calibration,
        continued=record,
        command=shlex.join(["gbdt-pwiser", *sys.argv[1:]]),
    )
    trained = {
        "output": str(output),
        "dataset": manifest.dataset,
        "model": manifest.spec.model,
        "loss": manifest.spec.loss,
        "weight": manifest.spec.weight,
        "seed": manifest.spec.seed,
        "rounds": fitted.model.rounds_used,
        **({"continued": record} if record else {}),
        "fit_seconds": fitted.model.fit_seconds,
        "calibration": calibrate,
        "validation": {name: value if math.isfinite(value) else None for name, value in fitted.valid.items()},
    }
    result(json.dumps(trained, indent=2) if as_json else _text(manifest, fitted.model.rounds_used))
    if not as_json:
        result(output)


def _chosen(
    candidates: list[ModelSpec], scheduler: str | None, choose_by: str, options: dict[str, Any]
) -> tuple[Fitted, Split]:
    """Train the candidates and return the best on validation, and the data."""
    from gbdt_pwiser.data.columns import FeatureColumns
    from gbdt_pwiser.data.progress import bar
    from gbdt_pwiser.evaluation.compare import choose

    with maker(scheduler, *candidates) as make:
        split = load_dataset(options).split(candidates[0].seed)
        FeatureColumns.of(split.train)  # categories that cannot be saved are better known now
        with bar(total=len(candidates), desc="all", unit="fit") as progress:
            return choose(candidates, split, choose_by, progress=progress, make=make), split


def _candidates(
    context: click.Context, spec: ModelSpec, weights: tuple[float, ...] | None, params: Path | None
) -> list[ModelSpec]:
    """Return the specs to choose from."""
    from gbdt_pwiser.evaluation.plan import with_weights
    from gbdt_pwiser.models import LOSSES

    if params is not None:
        tuned = tuned_specs(context, params, spec)
        if spec.loss not in tuned:
            raise input_error(f"{params} holds {' and '.join(tuned)}, not {spec.loss}; leave --params out")
        spec = tuned[spec.loss]
    else:
        (settings,) = chosen_settings(context.params, [spec.model])
        spec = replace(spec, settings=settings)
        if weights is None:
            weights = LOSSES[spec.loss].weights or None
    return [spec] if weights is None else with_weights(spec, weights)


def _text(manifest: Manifest, rounds: int) -> str:
    from gbdt_pwiser.metrics import metric_named

    spec = manifest.spec
    measured = [
        f"  {metric_named(name).label:<20}{value:.{metric_named(name).decimals}f}"
        for name, value in manifest.validation.items()
        if metric_named(name).family in ("ranking", "top", "calibration") and math.isfinite(value)
    ]
    sizes = ", ".join(
        f"{part['exposures']:,} {name}" + (f" ({part['open']:,} open clicks)" if part.get("open") else "")
        for name, part in manifest.split.items()
    )
    before = ", before calibration" if manifest.calibration else ""
    went_on = ""
    if (record := manifest.continued) is not None:
        refitted = f", refitted with decay {record['refit']}"
        went_on = f", {record['rounds']} of them new" if record["refit"] is None else refitted
    return "\n".join(
        [
            f"{spec.model} {spec.loss}, weight {spec.weight:g}, {rounds} rounds{went_on}",
            f"{manifest.dataset}, seed {spec.seed}: {sizes}",
            f"validation{before}",
            *measured,
        ]
    )
