"""When PWiseR helps, which of its forms, and where weighted BCE does as well.

    python -m benchmarks.when_it_helps [--part forms] [--part dials] [--dataset DESCRIPTION] [--model xgboost]

Every form is trained with each of its weights, at a learning rate of .1. A weight is chosen on validation by
one of two rules, and test is scored with that one alone:

ctr_auc      the best CTR AUC
within .001  the best conversion AUC among the weights whose CTR AUC is at most .001 below that of BCE;
             BCE itself where there is none

Gains over BCE, and over weighted BCE under the same rule, are paired by row and combined over seeds.

weighted_bce      a conversion has weight 1 + w in BCE
pwiser            margins .1 and .3 on the probability scale, hinge
saturated         margins that no pair can keep: every pair pulls, all the time
quantiles         half of the pairs of each kind are active after 30 rounds of BCE
logit             the logistic surrogate on raw scores
warm_up           as pwiser, after 30 rounds of BCE
fading            as pwiser, the weight falls to 0 from round 0 to round 100
click_only        pairs of conversions and click-only exposures alone
impression_only   pairs of conversions and unclicked exposures alone

Without --dataset they are tried on simulated exposures: at three click rates, with and without accidental
clicks, in the shape of AliExpress US; then two forms and weighted BCE over the simulation's dials.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logit
from tqdm import tqdm

from gbdt_pwiser._files import replacing_file
from gbdt_pwiser.data import Dataset, Exposures, Split
from gbdt_pwiser.models import LOSSES, BoosterSettings, ModelSpec, make_model
from gbdt_pwiser.models.losses.loss import Loss
from gbdt_pwiser.objectives import PairPlan, PWiseRLoss, auc
from gbdt_pwiser.significance.intervals import PairedTest, combine_seeds, delong
from gbdt_pwiser.sources import load

SETTINGS: Final = BoosterSettings(learning_rate=0.1, early_stopping=30)
RULES: Final = ("ctr_auc", "within .001")
WARM_UP, FADED = 30, 100


class Fading(PWiseRLoss):
    """PWiseR whose weight falls to 0."""

    def of_round(self, number: int) -> PWiseRLoss:
        return replace(self, weight=self.weight * max(0.0, 1.0 - number / FADED))


@dataclass(frozen=True, kw_only=True)
class OneTerm(PWiseRLoss):
    """PWiseR with the opponents of one grade alone."""

    grade: int = 0

    def plan(self, grade: ArrayLike, **more: Any) -> PairPlan:
        plan = super().plan(grade, **more)
        return replace(plan, opponents=tuple(o for o in plan.opponents if o.grade == self.grade))


def form(
    name: str, weights: tuple[float, ...], kind: type[PWiseRLoss] = PWiseRLoss, **parameters: Any
) -> Loss:
    return Loss(
        name=name,
        weight="BCE + w PWiseR.",
        weights=weights,
        of_scores=lambda weight, _: kind(weight=weight, **parameters),
    )


SMALL, LARGE = (0.01, 0.03, 0.1), (0.03, 0.1, 0.3)
FORMS: Final = {
    loss.name: loss
    for loss in (
        replace(LOSSES["weighted_bce"], weights=(0.3, 1.0, 3.0)),
        replace(LOSSES["pwiser"], weights=SMALL),
        form("saturated", SMALL, click_margin=2.0, impression_margin=2.0),
        form("quantiles", LARGE, click_margin="q50", impression_margin="q50", warm_up=WARM_UP),
        form("logit", (0.003, 0.01, 0.03), surrogate="logistic", scale="logit"),
        form("warm_up", SMALL, warm_up=WARM_UP),
        form("fading", LARGE, Fading),
        form("click_only", LARGE, OneTerm, grade=1),
        form("impression_only", SMALL, OneTerm, grade=0),
    )
}
LOSSES.update((name, loss) for name, loss in FORMS.items() if name not in LOSSES)


@dataclass(frozen=True)
class Scores:
    """What validation says of a model, and its pCTR on test."""

    ctr_auc: float
    conversion_auc: float
    test: NDArray[np.float64]


def scores_of(spec: ModelSpec, split: Split) -> Scores:
    model = make_model(spec)
    model.fit(split.train, split.valid)
    valid, part = model.predict(split.valid).pctr, split.valid
    return Scores(auc(valid, part.click), auc(valid, part.conversion), model.predict(split.test).pctr)


def chosen(rule: str, bce: Scores, tried: dict[float, Scores]) -> tuple[float, Scores]:
    if rule == "ctr_auc":
        return max(tried.items(), key=lambda each: each[1].ctr_auc)
    within = {weight: s for weight, s in tried.items() if s.ctr_auc >= bce.ctr_auc - 0.001}
    return max({0.0: bce, **within}.items(), key=lambda each: each[1].conversion_auc)


def targets(test: Exposures) -> dict[str, NDArray[np.bool_]]:
    """What a score is to tell from the rest, by metric."""
    found = {"ctr_auc": test.click, "conversion_auc": test.conversion}
    if test.noise_free_click is not None:
        found["noise_free_ctr_auc"] = test.noise_free_click
    return found


def of_seed(
    split: Split, model: str, seed: int, threads: int, names: list[str], progress: tqdm[None]
) -> Iterator[tuple[str, str, float, dict[str, dict[str, PairedTest]]]]:
    """Yield rule, form, the chosen weight, and by what it is compared with a test per metric."""
    base = ModelSpec(model=model, seed=seed, threads=threads, settings=SETTINGS)
    bce = scores_of(base, split)
    progress.update()
    scores: dict[str, dict[float, Scores]] = {}
    for name in names:
        for weight in FORMS[name].weights:
            progress.set_description(f"{split.test.name} {model} seed {seed} {name} {weight:g}")
            spec = replace(base, loss=name).with_weight(weight)
            scores.setdefault(name, {})[weight] = scores_of(spec, split)
            progress.update()
    for rule in RULES:
        best = {name: chosen(rule, bce, tried) for name, tried in scores.items()}
        others = {"bce": bce, **({"weighted_bce": best["weighted_bce"][1]} if "weighted_bce" in best else {})}
        for name, (weight, ours) in best.items():
            yield (
                rule,
                name,
                weight,
                {
                    against: {
                        metric: delong(positive, ours.test, other.test, group=split.test.group)
                        for metric, positive in targets(split.test).items()
                    }
                    for against, other in others.items()
                    if against != name
                },
            )


def compared(
    dataset: Dataset, model: str, seeds: int, threads: int, names: list[str]
) -> list[dict[str, Any]]:
    """Return a row per rule and form: the weights that the seeds chose, and the gains over them."""
    found: dict[tuple[str, str], list[tuple[float, dict[str, dict[str, PairedTest]]]]] = {}
    fits = seeds * (1 + sum(len(FORMS[name].weights) for name in names))
    with tqdm(total=fits, unit="fit", disable=None) as progress:
        for seed in range(seeds):
            for rule, name, weight, tests in of_seed(
                dataset.split(seed), model, seed, threads, names, progress
            ):
                found.setdefault((rule, name), []).append((weight, tests))
    rows = []
    for (rule, name), of_seeds in found.items():
        gains = {}
        for against in of_seeds[0][1]:
            for metric in of_seeds[0][1][against]:
                joined = combine_seeds([tests[against][metric] for _, tests in of_seeds])
                gains[f"{metric} over {against}"] = [joined.gain, joined.low, joined.high]
        weights = [weight for weight, _ in of_seeds]
        rows.append({"rule": rule, "form": name, "model": model, "weights": weights, **gains})
    return rows


def activity_of_bce(dataset: Dataset, model: str, threads: int) -> dict[str, float]:
    """What the default margins find at the end of BCE training, and how much there is to learn from."""
    split = dataset.split(0)
    bce = make_model(ModelSpec(model=model, threads=threads, settings=SETTINGS))
    bce.fit(split.train, split.valid)
    train = split.train
    p = np.clip(bce.predict(train).pctr, 1e-12, 1 - 1e-12)
    active = PWiseRLoss().pair_activity(logit(p), train.grade)
    return {
        "click_rate": float(train.click.mean()),
        "conversions": int(train.conversion.sum()),
        "conversions_in_test": int(split.test.conversion.sum()),
        "click_pairs_active": active.click,
        "impression_pairs_active": active.impression,
    }


def simulated(**dials: float) -> dict[str, Any]:
    return {"n_exposures": 100_000, "ctr": 0.08, "cvr": 0.1, "accidental_clicks": 0.0, **dials}


SIMULATED: Final = {
    "2 % clicks, half accidental": simulated(ctr=0.02, accidental_clicks=0.5, n_exposures=200_000),
    "8 % clicks, half accidental": simulated(accidental_clicks=0.5),
    "30 % clicks, half accidental": simulated(ctr=0.3, accidental_clicks=0.5),
    "8 % clicks, none accidental": simulated(),
    "as AliExpress US": {"n_exposures": 200_000},
}
"""Settings that all forms are tried on."""

DIALS: Final = {
    f"{accidental:.0%} accidental, {bait:.0%} bait{more}": simulated(
        accidental_clicks=accidental, click_bait=bait, **dials
    )
    for accidental in (0.0, 0.3, 0.6)
    for bait in (0.0, 0.3, 0.6)
    for more, dials in (
        [("", {})]
        if (accidental, bait) != (0.6, 0.0)
        else [("", {}), (", by position", {"position_bias": 0.8}), (", by user", {"user_bias": 0.8})]
    )
}
"""Where pwiser, logit and weighted BCE are tried: accidental clicks and click bait."""


def settings(arguments: argparse.Namespace) -> Iterator[tuple[str, Dataset, list[str]]]:
    """Yield name, data set and forms of each setting."""
    if arguments.dataset:
        yield (
            arguments.dataset,
            load(arguments.dataset, data_dir=arguments.data_dir),
            arguments.form or list(FORMS),
        )
        return
    if "forms" in arguments.part:
        for name, options in SIMULATED.items():
            yield name, load("simulated", **options), arguments.form or list(FORMS)
    if "dials" in arguments.part:
        for name, options in DIALS.items():
            yield name, load("simulated", **options), ["weighted_bce", "pwiser", "logit"]


def told(row: dict[str, Any]) -> str:
    cells = [f"{row['rule']:<12} {row['form']:<16} {','.join(f'{w:g}' for w in row['weights']):<24}"]
    for name, value in row.items():
        if " over " in name:
            gain, low, high = value
            mark = "*" if low > 0 or high < 0 else " "
            cells.append(f"{name} {gain:+.4f} ({low:+.4f} to {high:+.4f}){mark}")
    return "  ".join(cells)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dataset", help="a name, or the path of a description, in place of the simulations")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--part", action="append", choices=("forms", "dials"), help="both unless given")
    parser.add_argument("--form", action="append", choices=list(FORMS), help="all unless given")
    parser.add_argument("--model", action="append", help="lightgbm unless given")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="written again after each setting")
    arguments = parser.parse_args()
    arguments.part = arguments.part or ["forms", "dials"]
    rows: list[dict[str, Any]] = []
    for name, dataset, names in settings(arguments):
        for model in arguments.model or ["lightgbm"]:
            seen = activity_of_bce(dataset, model, arguments.threads)
            print(f"\n{name}, {model}: " + ", ".join(f"{k} {v:.4g}" for k, v in seen.items()), flush=True)
            for row in compared(dataset, model, arguments.seeds, arguments.threads, names):
                rows.append({"setting": name, **seen, **row})
                print(told(row), flush=True)
            if arguments.json:
                with replacing_file(arguments.json) as temporary:
                    temporary.write_text(json.dumps(rows, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
