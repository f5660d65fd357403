"""XGBoost with PWiseR on a Dask cluster: pairs span the rows of all workers, exactly.

Workers share the anchors' scores and what they found on the anchors' side, so a round moves a few numbers per
anchor and none per row. LightGBM's Dask estimators cannot do this: nothing in Python connects its workers, so
a custom objective sees the pairs of its own rows only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gbdt_pwiser.objectives import InputError, PWiseRObjective, pwiser_objective


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
    objective: PWiseRObjective = pwiser_objective,
    sample_weight: Any = None,
    group: Any = None,
    feature_types: Sequence[str] | None = None,
    valid: tuple[Any, Any] | None = None,
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
        Dask arrays or series (n,), 0 or 1, partitioned as the features.
    objective
        The loss; what its pairs are is decided by its parameters.
    sample_weight
        (n,): at least 0.
    group
        (n,): ids, ascending, for pairs="group"; a group must lie in one partition.
    feature_types
        XGBoost's, "q" for numbers and "c" for codes; None where all are numbers.
    valid
        Features and click to evaluate on after each round, under the name "valid". AUC is exact where they
        are one partition; XGBoost averages it over workers.
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
        Dask is missing, no or only clicks, pairs="group" without groups, or weights together with groups;
        on a worker, what the objective refuses. A worker that is lost ends the training with the error that
        Dask or XGBoost gives.
    """
    require_distributed_extra()
    import xgboost.dask

    if objective.loss.pairs == "group" and group is None:
        raise InputError('pairs="group" needs the group of each exposure; pass group=..., or use pairs="all"')
    if group is not None and sample_weight is not None:
        raise InputError("XGBoost takes weights per group, not per row, when groups are set; leave one out")
    rate = float(_mean(click, sample_weight))
    if not 0.0 < rate < 1.0:
        raise InputError(f"the mean click is {rate}; training needs exposures with and without a click")
    binning = {
        "feature_types": feature_types,
        "enable_categorical": feature_types is not None,
        "max_bin": params.get("max_bin"),
    }
    data = xgboost.dask.DaskQuantileDMatrix(
        client,
        features,
        label=click,
        label_lower_bound=conversion,
        weight=sample_weight,
        qid=group,
        **binning,
    )
    if valid is not None:
        data_valid = xgboost.dask.DaskQuantileDMatrix(client, valid[0], label=valid[1], ref=data, **binning)
        options["evals"] = [(data_valid, "valid")]
    result = xgboost.dask.train(
        client,
        {**params, "objective": "binary:logistic", "base_score": rate},
        data,
        num_boost_round=num_boost_round,
        obj=objective,
        **options,
    )
    return result["booster"]


def _mean(click: Any, weight: Any) -> Any:
    if weight is None:
        return click.mean().compute()
    return (click * weight).sum().compute() / weight.sum().compute()
