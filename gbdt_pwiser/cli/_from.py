"""`gbdt-pwiser train --from`: a saved model that goes on with new exposures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from gbdt_pwiser.cli._errors import input_error
from gbdt_pwiser.cli._headings import MODEL, option
from gbdt_pwiser.cli._paths import PathOption
from gbdt_pwiser.cli._specs import OF_LOSS, given, load_dataset
from gbdt_pwiser.cli._telling import note

if TYPE_CHECKING:
    from gbdt_pwiser.evaluation.compare import Fitted
    from gbdt_pwiser.models import Continued, Manifest

_OF_NEW_TREES: Final = ("rounds", "early_stopping", "stop_by")
_OF_TRAINING: Final = ("params", "choose_by", "scheduler", "network", "settings")


def from_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that name a saved model to go on from."""
    for add in (
        option(
            "--refit",
            type=float,
            metavar="DECAY",
            help="With --from: grow no trees; leaf values become DECAY times the old plus 1 - DECAY times "
            "the new.",
            panel=MODEL,
        ),
        option(
            "--from",
            "earlier",
            type=PathOption(file_okay=False),
            help="lightgbm, xgboost: go on from this model folder, with its model, loss and parameters.",
            panel=MODEL,
        ),
    ):
        command = add(command)
    return command


def go_on(
    context: click.Context, folder: Path, calibrate: str, options: dict[str, Any]
) -> tuple[Fitted, Continued]:
    """Continue or refit a saved model with the data of the options, and score it on validation.

    InputError for an option that the saved model decides, and for a calibration that would be lost unsaid.
    """
    from gbdt_pwiser.evaluation.compare import judged
    from gbdt_pwiser.models import Manifest, continue_model
    from gbdt_pwiser.models.continuation import check_continues

    manifest = Manifest.read(folder)
    check_continues(manifest.spec.model)
    _refuse_others(context, folder, manifest)
    if manifest.calibration is not None and not given(context, "calibrate"):
        method = manifest.calibration.get("method")
        raise input_error(
            f"the model in {folder} is calibrated {method}; give --calibrate {method} to fit it again, or "
            "--calibrate none"
        )
    seed = context.params["seed"] if given(context, "seed") else manifest.spec.seed
    continued = continue_model(
        folder,
        load_dataset(options).split(seed),
        refit=context.params["refit"],
        **{name: options[name] for name in _OF_NEW_TREES},
        seed=seed,
        device=options["device"],
        threads=options["threads"],
    )
    if continued.unseen:
        unseen = ", ".join(f"{name} {count:,}" for name, count in continued.unseen.items())
        note(f"values that training did not have count as missing: {unseen}")
    return judged(continued.model, continued.split.valid), continued


def _refuse_others(context: click.Context, folder: Path, manifest: Manifest) -> None:
    """Refuse options that ask for another model than the saved one."""
    from gbdt_pwiser.models.registry import settings_of

    spec, asked = manifest.spec, context.params
    settings = settings_of(spec)
    saved: dict[str, Any] = {
        "model": spec.model,
        "loss": spec.loss,
        "weights": (spec.weight,),
        "learning_rate": settings.value("learning_rate"),
        "external_memory": settings.value("external_memory"),
        **{name: getattr(spec.pwiser, name) for name in OF_LOSS},
    }
    for name in (*_OF_TRAINING, *saved):
        if given(context, name) and (name not in saved or asked[name] != saved[name]):
            told = next(param.opts[0] for param in context.command.params if param.name == name)
            differs = f" as {_text(asked[name])}, where it is {_text(saved[name])}" if name in saved else ""
            raise input_error(
                f"{told} is given{differs}, and --from takes model, loss and parameters of {folder}; leave "
                "it out, or train without --from"
            )


def _text(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
