"""The whole search: trials on train and validation, the choice, its proof on test, and the files."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from gbdt_pwiser.data import Exposures, Split
from gbdt_pwiser.evaluation.results import write_results
from gbdt_pwiser.metrics import check_optimisable
from gbdt_pwiser.models import LOSSES, ModelSpec, make_model
from gbdt_pwiser.models.ranges import Choice
from gbdt_pwiser.models.registry import settings_of, with_settings
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.objectives.errors import LARGEST, check_whole, unknown
from gbdt_pwiser.tuning._confirm import confirm
from gbdt_pwiser.tuning._output import check_output, write_params, write_trials
from gbdt_pwiser.tuning._result import REFERENCE, Tuning, candidates, choose
from gbdt_pwiser.tuning._search import Arm, check_metrics, collect, importances, quiet_optuna, run_trials
from gbdt_pwiser.tuning._share import Share
from gbdt_pwiser.tuning._space import SearchSpace, check_space, configured, search_space
from gbdt_pwiser.tuning._storage import (
    PRUNERS,
    embedded,
    make_pruner,
    make_sampler,
    open_storage,
    open_study,
    storage_errors,
)

CONFIRMATION_SEEDS: Final = 5

REFERENCE_WEIGHTS: Final = (*LOSSES[REFERENCE].weights, 10.0)
"""Weights of the reference trials: a heavier one shows where their front ends."""


def tune(
    split: Split,
    spec: ModelSpec,
    *,
    output: Path | str,
    space: SearchSpace | str = "loss",
    n_trials: int = 50,
    max_total_trials: int | None = None,
    timeout: float | None = None,
    metric: str = "ctr_auc",
    pareto: Sequence[str] = (),
    sampler: str = "tpe",
    pruner: str | None = None,
    storage: str | None = None,
    study_name: str | None = None,
    seed: int = 0,
) -> Tuning:
    """Search loss and model on validation, then score the choice and its BCE twin on test.

    Called again with the same arguments it goes on where it was stopped. Any number of processes may share
    one study.

    Parameters
    ----------
    split
        Trials see its train and validation; test is scored once, after the choice.
    spec
        The model, and where the search starts; its seed is that of all trials.
    output
        Folder for best.toml, trials.parquet, results.parquet and, by default, the study.
    space
        What is searched: "loss", "booster" (the model's own parameters) or "both", or a declaration. Where
        the model's parameters are searched, BCE has a search of its own with as many trials.
    n_trials
        Finished trials the study is to have, those of earlier calls included. Where `max_total_trials` is
        given too: trials that this process runs at most.
    max_total_trials
        Finished trials the study is to have, of all processes.
    timeout
        Seconds after which no further trial starts.
    metric
        Optimised on validation.
    pareto
        Two metrics to optimise together, in place of `metric`. The choice is then the best in the second of
        those that lose nothing in the first against BCE. Weighted BCE is trained too, at
        `REFERENCE_WEIGHTS` and with the model's parameters as they are given: to compare with, not to choose.
    sampler
        "tpe", "gp" (needs PyTorch) or "random".
    pruner
        "median", "hyperband" or "none"; None is "median" where CTR AUC is optimised alone. Rounds report CTR
        AUC, so nothing else can be pruned by.
    storage
        Database URL or journal file; None for a database in the output folder.
    study_name
        None for one made of data set and model.
    seed
        Of the sampler. One process and one version of Optuna give the same trials twice.

    Raises
    ------
    InputError
        An argument breaks a rule above, the storage cannot be used, the study there was made otherwise, or
        every trial failed.
    """
    output, metrics = Path(output), tuple(pareto) or (metric,)
    spec = with_settings(spec)
    check_search(
        spec,
        n_trials=n_trials,
        max_total_trials=max_total_trials,
        timeout=timeout,
        metric=metric,
        pareto=pareto,
        sampler=sampler,
        pruner=pruner,
        study_name=study_name,
        seed=seed,
    )
    pruner = _pruner(pruner, metrics)
    train, valid = split.train, split.valid
    if isinstance(space, str):
        space = search_space(space, spec.model, grouped=train.group is not None)
    check_space(space, spec.model, warm_up=spec.pwiser.warm_up)
    make_model(configured(spec, space.fixed))  # what cannot be is refused before anything is written
    check_metrics(metrics, valid)
    settings_of(spec).check_validation(valid)  # every trial would fail of it
    total = n_trials if max_total_trials is None else max_total_trials
    check_output(output)
    if storage is None:
        output.mkdir(parents=True, exist_ok=True)
        storage = embedded(output)
    name = study_name or f"{train.name}-{spec.model}"
    setup = {**_setup(spec, space, metrics, seed, train, valid), "sampler": sampler, "pruner": pruner}
    rounds = settings_of(spec).most_rounds
    with quiet_optuna(), open_storage(storage) as kept:
        arms = []
        for arm, searched, trials, start in _arms(space, spec, total, pareto=len(metrics) > 1):
            study = open_study(
                kept,
                storage,
                name if arm == "pwiser" else f"{name}-{arm}",
                metrics,
                setup,
                make_sampler(sampler, seed),
                make_pruner(pruner, rounds),
            )
            arms.append(Arm(arm, spec, searched, Share(study, storage, trials, start)))
        over = run_trials(
            arms,
            train,
            valid,
            metrics,
            prune=pruner != "none",
            most=None if max_total_trials is None else n_trials,
            timeout=timeout,
        )
        found = _found(arms, metrics)
        if over:
            seeds = range(spec.seed + 1, spec.seed + 1 + CONFIRMATION_SEEDS)
            proof = confirm(arms[0].share.study, storage, split, found.spec, found.twin, seeds, metrics)
            found = replace(found, confirmation=proof)
    with storage_errors(str(output)):
        write_params(found, output / "best.toml")
        write_trials(found.trials, output / "trials.parquet")
        if found.confirmation is not None and found.confirmation.results:
            write_results(found.confirmation.results, output / "results.parquet")
    return found


def check_search(
    spec: ModelSpec,
    *,
    n_trials: int = 50,
    max_total_trials: int | None = None,
    timeout: float | None = None,
    metric: str = "ctr_auc",
    pareto: Sequence[str] = (),
    sampler: str = "tpe",
    pruner: str | None = None,
    study_name: str | None = None,
    seed: int = 0,
) -> None:
    """Raise InputError for arguments of `tune` that no search can have, whatever the data."""
    check_whole("n_trials", n_trials, 1, LARGEST)
    if max_total_trials is not None:
        check_whole("max_total_trials", max_total_trials, 1, LARGEST)
    if timeout is not None and not 0 < timeout < math.inf:
        raise InputError(f"timeout is {timeout}; give a positive number of seconds, or leave it out")
    if pareto and (len(pareto) != 2 or len(set(pareto)) != 2):
        raise InputError(
            f"pareto is {', '.join(pareto)}; give two different metrics, as in ctr_auc,conversion_auc"
        )
    metrics = tuple(pareto) or (metric,)
    for each in metrics:
        check_optimisable(each)
    if study_name is not None and not study_name.strip():
        raise InputError("study_name is empty; give a name or leave it out")
    # The proof needs the seeds that follow.
    check_whole("seed", spec.seed, 0, LARGEST - CONFIRMATION_SEEDS)
    check_whole("seed", seed, 0, LARGEST)
    make_model(spec)
    make_sampler(sampler, seed)
    make_pruner(_pruner(pruner, metrics), 1)


def _pruner(pruner: str | None, metrics: Sequence[str]) -> str:
    able = tuple(metrics) == ("ctr_auc",)
    if pruner is None:
        return "median" if able else "none"
    if pruner not in PRUNERS:
        raise unknown("pruner", pruner, PRUNERS)
    if pruner == "none" or able:
        return pruner
    if len(metrics) > 1:
        raise InputError(f"a Pareto search cannot prune; leave pruner {pruner} out, or optimise one metric")
    raise InputError(
        f"rounds report CTR AUC, so a search for {metrics[0]} cannot prune; leave pruner {pruner} out"
    )


_Start = dict[str, dict[str, Any]]
"""Parameters of the first trials of a study, by label."""


def _arms(
    space: SearchSpace, spec: ModelSpec, total: int, *, pareto: bool
) -> list[tuple[str, SearchSpace, int, _Start]]:
    """Return the studies, how many trials each gets, and the first of them.

    BCE is a trial of the search for the weight. Where the model's parameters are searched it has a search of
    its own, with as many trials; where the weight is not searched, at least a trial. The references of a
    Pareto search are all first trials.
    """
    arms = [("pwiser", space, total, _start(space, spec))]
    of_model = space.of_model
    if of_model.parameters or not space.reaches_bce:
        trials = total if of_model.parameters else 1
        arms.append(("bce", of_model, trials, _start(of_model, spec)))
    if pareto:
        references = SearchSpace({"weight": Choice(REFERENCE_WEIGHTS)}, space.fixed)
        start: _Start = {f"weight {weight:g}": {"weight": weight} for weight in REFERENCE_WEIGHTS}
        arms.append((REFERENCE, references, len(start), start))
    return arms


def _start(space: SearchSpace, spec: ModelSpec) -> _Start:
    """Return the first trials: BCE, then the spec as it is given."""
    spec = configured(spec, space.fixed)
    first = {"bce": space.bce(spec)} if space.reaches_bce else {}
    return {**first, "given": space.start(spec)}


def _found(arms: Sequence[Arm], metrics: Sequence[str]) -> Tuning:
    trials = collect(arms)
    if not candidates(trials):
        errors = [trial.error for trial in trials if trial.error]
        if not errors:
            raise InputError("no trial came to its end; give more time or trials")
        raise InputError(f"all {len(errors)} trials failed, the first with {errors[0]}")
    best, baseline = choose(trials, metrics)
    by_name = {arm.name: arm for arm in arms}
    spec = by_name[best.study].spec({**best.parameters, **best.margins})
    # A tuned BCE where it was tuned, else the same model under the other loss.
    twin = by_name[baseline.study].spec(baseline.parameters) if baseline is not None else spec
    twin = spec if best.weight == 0 else configured(twin, {"weight": 0.0})
    return Tuning(
        metrics=tuple(metrics),
        trials=trials,
        total=sum(arm.share.total for arm in arms),
        best=best,
        baseline=baseline,
        spec=spec,
        twin=twin,
        importances=importances(arms[0]),
    )


def _setup(
    spec: ModelSpec,
    space: SearchSpace,
    metrics: Sequence[str],
    seed: int,
    train: Exposures,
    valid: Exposures,
) -> dict[str, Any]:
    """Describe what two calls must share to work on one study: everything but how and where it runs."""

    def size(exposures: Exposures) -> list[int]:
        of_grade = int(exposures.click.sum()), int(exposures.conversion.sum()), int(exposures.open.sum())
        # As older studies have it where no conversion is open.
        return [len(exposures), *(of_grade if of_grade[2] else of_grade[:2])]

    return {
        **replace(spec, device="cpu", threads=0, settings=None).record(),
        **settings_of(spec).record(),
        "space": {name: repr(parameter) for name, parameter in space.parameters.items()},
        "fixed": dict(space.fixed),
        "metrics": list(metrics),
        "search_seed": seed,
        "train": size(train),
        "valid": size(valid),
        "features": train.features.columns,
    }
