"""Tomorrow's model from today's: a saved model that is trained on, or refitted, with new exposures."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from gbdt_pwiser.data import Exposures, Split
from gbdt_pwiser.models.manifest import MANIFEST, Manifest
from gbdt_pwiser.models.protocol import Model, OnRound
from gbdt_pwiser.models.registry import MODELS, kind_of, make_model, settings_of
from gbdt_pwiser.models.saved import load_model
from gbdt_pwiser.models.spec import ModelSpec
from gbdt_pwiser.objectives import InputError


class Continued(NamedTuple):
    """A model that went on from a saved one.

    `save_model(model, folder, split, continued=record)` saves it.

    Attributes
    ----------
    model
        The trained model.
    split
        The new exposures with the codes of the saved model's categories.
    record
        What its manifest says of the saved model.
    unseen
        Per encoded column how many values are none of the saved model's categories, and count as missing.
    """

    model: Model
    split: Split
    record: Mapping[str, Any]
    unseen: Mapping[str, int]


def continue_model(
    folder: Path | str,
    split: Split,
    *,
    refit: float | None = None,
    rounds: int | None = None,
    early_stopping: int | None = None,
    stop_by: str | None = None,
    seed: int | None = None,
    device: str = "cpu",
    threads: int = 0,
    on_round: OnRound | None = None,
) -> Continued:
    """Train a saved pair of boosters on with new exposures, or refit its leaf values to them.

    ::

        raw score = start + earlier trees + new trees             without refit
                  = refit * earlier + (1 - refit) * renewed       with refit, see `ContinuableModel.refit`

    All earlier trees count; of the new ones as many as are best on validation, at least one. Model, loss and
    parameters are those of the saved model, whose folder stays as it is; a warm-up is over. A calibration is
    not carried over. 20 rounds and 20 more on the same data are the 40 rounds of one training, where no rows
    or columns are drawn.

    Parameters
    ----------
    folder
        The model folder.
    split
        New exposures, with the columns of training. A category that training did not know counts as missing.
    refit
        0 to 1: weight of the earlier leaf values; no tree is grown then. None: grow trees.
    rounds, early_stopping, stop_by
        Of the new trees, as in `BoosterSettings`; None for those of the saved model.
    seed
        Of the new trees; None for that of the saved model.
    device, threads
        As in `ModelSpec`.
    on_round
        Gets each new round; see `OnRound`.

    Raises
    ------
    InputError
        A model that cannot be continued, such as a network; what `load_model` refuses; other columns, another
        order or kind of them; a margin that is still a quantile; what `ContinuableModel` refuses.
    """
    folder = Path(folder)
    manifest = Manifest.read(folder)
    digest = hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
    given = {"rounds": rounds, "early_stopping": early_stopping, "stop_by": stop_by}
    changes = {name: value for name, value in given.items() if value is not None}
    if refit is not None and changes:
        raise InputError(f"refit grows no trees, and {', '.join(changes)} is given; leave one of them out")
    spec = _spec_of(manifest, folder)
    spec = replace(
        spec,
        seed=spec.seed if seed is None else seed,
        device=device,
        threads=threads,
        settings=settings_of(spec).changed(changes),
    )
    model: Any = make_model(spec)
    saved: Any = load_model(folder, device=device, threads=threads).model
    model.continue_from(saved)
    unseen: Counter[str] = Counter()

    def recoded(part: Exposures) -> Exposures:
        encoded = manifest.columns.recode(part)
        unseen.update(encoded.unseen)
        return encoded.exposures

    split = Split(recoded(split.train), recoded(split.valid), recoded(split.test))
    if refit is None:
        model.fit(split.train, split.valid, on_round)
    else:
        model.refit(split.train, refit)
    record = {
        "from": digest,
        "created": manifest.created,
        "rounds": model.rounds_used - saved.rounds_used,
        "refit": refit,
    }
    return Continued(model, split, record, {name: count for name, count in unseen.items() if count})


def check_continues(model: str) -> None:
    """Raise InputError for a model that cannot be trained on."""
    if not kind_of(model).continues:
        able = " and ".join(name for name, kind in MODELS.items() if kind.continues)
        raise InputError(f"{model} cannot be continued; train again ({able} can)")


def _spec_of(manifest: Manifest, folder: Path) -> ModelSpec:
    """Return the saved model's spec, past its warm-up."""
    spec = manifest.spec
    check_continues(spec.model)
    if spec.loss != "pwiser" or not spec.pwiser.warm_up:
        return spec
    if not spec.pwiser.is_fixed:
        margins = f"{spec.pwiser.click_margin} and {spec.pwiser.impression_margin}"
        raise InputError(
            f"the margins of {folder} are {margins}, and its training ended before the warm-up did, which "
            "makes numbers of quantiles; train again"
        )
    return replace(spec, pwiser=replace(spec.pwiser, warm_up=0))
