"""XGBoost with PWiseR on a Dask cluster: pairs span the rows of all workers, exactly.

Workers share the anchors' scores and what they found on the anchors' side, so a round moves a few numbers per
anchor and none per row. LightGBM's Dask estimators cannot do this: nothing in Python connects its workers, so
a custom objective sees the pairs of its own rows only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from gbdt_pwiser.objectives import InputError, Objective, grade_from, pwiser_objective
from gbdt_pwiser.objectives.datasets import group_sizes
from gbdt_pwiser.objectives.inputs import CONVERSION, OPEN, checked_group, checked_weight
from gbdt_pwiser.objectives.traps import warn_without_effect


def require_distributed_extra() -> None:
    """Raise InputError, saying what to install, where Dask is missing."""
    try:
        import dask.array  # noqa: F401
        import distributed  # noqa: F401
    except ImportError as error:
        raise InputError(
            f"training on a cluster needs {error.name}, which is missing; "
            "pip install 'gbdt-pwiser[distributed]'"
        ) from error


def train(
    client: Any,
    params: Mapping[str, Any],
    features: Any,
    click: Any,
    conversion: Any,
    *,
    objective: Objective = pwiser_objective,
    sample_weight: Any = None,
    group: Any = None,
    feature_types: Sequence[str] | None = None,
    valid: tuple[Any, ...] | None = None,
    num_boost_round: int = 100,
    **options: Any,
) -> Any:
    """Train an XGBoost booster on a Dask cluster with BCE + weight * PWiseR over all workers' rows.

    Parameters
    ----------
    client
        A distributed.Client.
    params
        XGBoost's parameters; objective and base_score are set here.
    features
        Dask array or dataframe, (n, features).
    click, conversion
        Dask arrays or series (n,), 0 or 1, partitioned as the features; the conversion of a click is NaN
        where it is open.
    objective
        The loss; what its pairs are is decided by its parameters. With `PWiseRMultiTaskObjective` the booster
        has two outputs, pCTR and pCVR.
    sample_weight
        (n,): at least 0.
    group
        (n,): ids, ascending, for pairs="group"; a group must lie in one partition.
    feature_types
        XGBoost's, "q" for numbers and "c" for codes; None where all are numbers.
    valid
        Features and click, for two outputs also conversion, to evaluate on after each round, under the name
        "valid". XGBoost's own AUC is exact where they are one partition, else it averages it over workers;
        `custom_metric=auc_ctr`, for two outputs `auc_tasks`, is exact in any case.
    num_boost_round
        Boosting rounds.
    **options
        Passed on to xgboost.dask.train (`callbacks`, `early_stopping_rounds`, ...).

    Returns
    -------
    xgboost.Booster
        As the one of a single machine: `predict` gives probabilities.

    Raises
    ------
    InputError
        Dask is missing, no or only clicks, pairs="group" without groups, weights together with groups, or
        labels, weights or groups of a partition that one machine would refuse; on a worker, what the
        objective refuses. A worker that is lost ends the training with the error that
        Dask or XGBoost gives.
    """
    require_distributed_extra()
    import xgboost.dask

    if getattr(objective.loss, "pairs", "all") == "group" and group is None:
        raise InputError('pairs="group" needs the group of each exposure; pass group=..., or use pairs="all"')
    if group is not None and sample_weight is not None:
        raise InputError("XGBoost takes weights per group, not per row, when groups are set; leave one out")
    warn_without_effect(params)
    start = _start(client, click, conversion, sample_weight, group, objective.tasks)
    binning = {
        "feature_types": feature_types,
        "enable_categorical": feature_types is not None,
        "max_bin": params.get("max_bin"),
    }
    data = xgboost.dask.DaskQuantileDMatrix(
        client,
        features,
        **_labels(objective.tasks, click, conversion),
        weight=sample_weight,
        qid=group,
        **binning,
    )
    if valid is not None:
        if len(valid) != 1 + objective.tasks:
            wanted = "features, click and conversion" if objective.tasks == 2 else "features and click"
            raise InputError(f"valid has {len(valid)} entries; give {wanted}")
        labels = {"label": valid[1]} if objective.tasks == 1 else _labels(2, *valid[1:])
        data_valid = xgboost.dask.DaskQuantileDMatrix(client, valid[0], **labels, ref=data, **binning)
        options["evals"] = [(data_valid, "valid")]
    result = xgboost.dask.train(
        client,
        {**params, "objective": "binary:logistic", **start},
        data,
        num_boost_round=num_boost_round,
        obj=objective,
        **options,
    )
    return result["booster"]


def _labels(tasks: int, click: Any, conversion: Any) -> dict[str, Any]:
    """Return the labels as `make_dmatrix` has them."""
    if tasks == 1:
        return {"label": click, "label_lower_bound": conversion}
    import dask.array as da

    numbers = (each.astype("float32") for each in (click, conversion))  # of nullable columns too
    clicks, conversions = (
        each.to_dask_array(lengths=True) if hasattr(each, "to_dask_array") else each for each in numbers
    )
    # XGBoost refuses NaN there, so an open conversion is what `task_labels` has for it.
    both = [clicks, da.where(da.isnan(conversions), np.float32(OPEN), conversions)]
    return {"label": da.stack(both, axis=1).rechunk({1: 2})}


class _Part(NamedTuple):
    """What a partition adds to the mean click and that of decided conversions; its first and last group."""

    clicks: float
    decided: float
    conversions: float
    weight: float
    first: Any = None
    last: Any = None


def _start(
    client: Any, click: Any, conversion: Any, sample_weight: Any, group: Any, tasks: int
) -> dict[str, Any]:
    """Return where training starts, after every partition has passed the checks of one machine.

    That is the (weighted) mean click, and with two tasks the mean conversion of clicks.
    """
    from dask import delayed

    columns = {"click": click, "conversion": conversion, "sample_weight": sample_weight, "group": group}
    parts = {name: np.ravel(column.to_delayed()) for name, column in columns.items() if column is not None}
    counts = {name: len(part) for name, part in parts.items()}
    if len(set(counts.values())) > 1:
        said = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise InputError(f"the numbers of partitions differ ({said}); repartition all of them alike")
    check = delayed(_checked)
    checks = [check(**dict(zip(parts, part, strict=True))) for part in zip(*parts.values(), strict=True)]
    found = client.gather(client.compute(checks))
    for number, part in enumerate(found):
        if isinstance(part, str):
            raise InputError(f"partition {number}: {part}")
    of_parts: list[_Part] = [part for part in found if part is not None]
    for one, other in pairwise(of_parts):
        if group is not None and one.last == other.first:
            raise InputError(
                f"group {one.last!r} lies in two partitions, and pairs are those inside a partition; cut the "
                "partitions between groups"
            )
    clicks, decided, conversions, weight = (
        sum(getattr(part, name) for part in of_parts)
        for name in ("clicks", "decided", "conversions", "weight")
    )
    if sample_weight is not None and of_parts and not weight:
        raise InputError("every sample_weight is 0; give at least one exposure a positive weight")
    rate = clicks / weight if weight else float("nan")
    if not 0.0 < rate < 1.0:
        raise InputError(f"the mean click is {rate}; training needs exposures with and without a click")
    if tasks == 1:
        return {"base_score": float(rate)}
    if not 0 < conversions < decided:
        rate = conversions / decided if decided else float("nan")
        raise InputError(
            f"the mean conversion of clicks is {rate:g}; a model of both tasks needs clicks "
            "with and without a conversion"
        )
    return {
        "base_score": [float(rate), float(conversions / decided)],
        "multi_strategy": "multi_output_tree",
        "num_target": 2,  # of a worker without rows, whose label has no columns
    }


def _checked(click: Any, conversion: Any, sample_weight: Any = None, group: Any = None) -> _Part | str | None:
    """Check the labels, weights and groups of a partition; None for one without rows.

    What is wrong is returned: a worker would log what is raised, with a traceback.
    """
    try:
        grade = grade_from(click, conversion)
        if not len(grade):
            return None
        weight = np.ones(len(grade))
        if sample_weight is not None:
            weight = checked_weight(sample_weight, len(grade), some=False)
        # Each sum by itself: of the same rows they are equal to the last bit, as no difference of sums is.
        clicks, decided, conversions = (
            float(weight @ of) for of in (grade > 0, (grade > 0) & (grade != OPEN), grade == CONVERSION)
        )
        part = _Part(clicks, decided, conversions, float(weight.sum()))
        if group is None:
            return part
        ids = checked_group(group, len(grade))
        group_sizes(ids)
        return part._replace(first=ids[0].item(), last=ids[-1].item())
    except InputError as error:
        return str(error)
