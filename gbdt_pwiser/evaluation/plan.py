"""Everything that a comparison trains for a seed, and what is refused before anything is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import product

from gbdt_pwiser.evaluation.results import BASELINE
from gbdt_pwiser.models import LOSSES, ModelSpec, Settings, exists_for, models_of
from gbdt_pwiser.models.losses import check_loss
from gbdt_pwiser.models.registry import kind_of, with_settings
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.objectives.errors import near_miss


def plan(
    models: Sequence[str],
    losses: Sequence[str],
    *,
    weights: Sequence[float] | None = None,
    rival_weights: Mapping[str, Sequence[float]] | None = None,
    base: ModelSpec | None = None,
    settings: Sequence[Settings] = (),
    tuned: Mapping[str, ModelSpec] | None = None,
) -> list[tuple[str, str, list[ModelSpec]]]:
    """Return model, loss and the candidates to choose from, of everything that `compare` trains for a seed.

    Parameters and errors are those of `compare`; no data is needed to tell.
    """
    check_named("model", models)
    check_named("loss", losses)
    rival_weights, tuned = rival_weights or {}, tuned or {}
    _check_losses(losses, models, rival_weights)
    base = tuned.get(BASELINE) or base or ModelSpec(model=models[0])
    _check_settings(models, [*settings, *([base.settings] if base.settings else [])])

    def spec_of(model: str, loss: str) -> ModelSpec:
        spec = replace(tuned.get(loss, base), model=model, loss=loss)
        return with_settings(spec, () if loss in tuned else settings)

    return [
        (model, loss, _candidates(spec_of(model, loss), weights, rival_weights))
        for model, loss in product(models, sorted(losses, key=lambda loss: loss != BASELINE))
        if exists_for(loss, model)
    ]


def baseline_named(against: str | None, cells: Iterable[tuple[str, str]]) -> str:
    """Return the baseline of results (`Result.baseline`) that "MODEL[:LOSS]" names; without a loss its bce.

    Parameters
    ----------
    against
        What every gain is measured against; None for each model's own bce.
    cells
        Model and loss of everything that is compared.

    Raises
    ------
    InputError
        It is not compared, or nothing else is.
    """
    if against is None:
        return BASELINE
    baseline = against if ":" in against else f"{against}:{BASELINE}"
    compared = [f"{model}:{loss}" for model, loss in cells]
    if baseline not in compared:
        raise InputError(
            f"against is {against!r}, and {baseline} is not compared{near_miss(baseline, compared)}; "
            f"name one of {', '.join(compared)}, or add its model and loss"
        )
    if len(compared) == 1:
        raise InputError(f"nothing but {baseline} is compared; add a model or a loss to compare with it")
    return baseline


def check_named(what: str, values: Sequence[object]) -> None:
    """Raise InputError where nothing is named, or something twice."""
    if not values:
        raise InputError(f"no {what} to compare; name at least one")
    if len(set(values)) < len(values):
        raise InputError(f"a {what} is named twice in {', '.join(map(str, values))}; name each once")


def with_weights(spec: ModelSpec, weights: Sequence[float]) -> list[ModelSpec]:
    """Return the spec with each weight of its loss; InputError for none, or for one that is named twice."""
    if not weights:
        raise InputError(f"no weight to try; give at least one for {spec.loss}")
    if len(set(weights)) < len(weights):
        tried = ", ".join(f"{weight:g}" for weight in weights)
        raise InputError(f"a weight of {spec.loss} is named twice in {tried}; name each once")
    return [spec.with_weight(weight) for weight in weights]


def _check_settings(models: Sequence[str], settings: Sequence[Settings]) -> None:
    """Refuse settings that no model would take."""
    taken = {kind_of(model).settings for model in models}
    for each in settings:
        if type(each) not in taken:
            raise InputError(
                f"settings are {type(each).__name__}, which none of {', '.join(models)} takes; leave them out"
            )


def _check_losses(
    losses: Sequence[str], models: Sequence[str], rival_weights: Mapping[str, Sequence[float]]
) -> None:
    for loss in losses:
        check_loss(loss)
        if not any(exists_for(loss, model) for model in models):
            raise InputError(
                f"{loss} exists for {', '.join(models_of(loss))} only, and the models are "
                f"{', '.join(models)}; add one that has it, or leave {loss} out"
            )
    for loss in rival_weights:
        check_loss(loss)
        if loss in (BASELINE, "pwiser"):
            raise InputError(f"{loss} is no rival loss; the weights of pwiser are given by themselves")
        if loss not in losses:
            raise InputError(f"weights are given for {loss}, which is not compared; add the loss")


def _candidates(
    spec: ModelSpec, weights: Sequence[float] | None, rival_weights: Mapping[str, Sequence[float]]
) -> list[ModelSpec]:
    tried = (
        weights if spec.loss == "pwiser" else rival_weights.get(spec.loss, LOSSES[spec.loss].weights or None)
    )
    if spec.loss == BASELINE or tried is None:
        return [spec]
    return with_weights(spec, tried)
