"""What late conversions do to a model, by how its log counts the clicks that may still convert.

    python -m benchmarks.open [--exposures 60000] [--delay 1 --delay 2] [--seeds 6] [--model lightgbm]

A simulated log of ten days, a fifth of whose searches is validation, and four more days as test, on which
all conversions are known. Conversions come late, by an exponential delay of that mean in days that is cut off
at three times it. So at the end of the tenth day the conversion of many of the latest clicks is open, and the
log has it as

known   what it will be in the end, which no log can tell: the best that there is
none    no conversion where none has come yet
open    open where three delays are not over

Of each way it prints, on test, PCOC of pCVR (predicted by observed conversions of clicks; 1 is best), log
loss of pCVR on clicks and of pCTCVR, CTCVR AUC, and CTR AUC and conversion AUC of pCTR with BCE and with
PWiseR. A cell is the mean over seeds. In parentheses stands the 95 % interval over seeds, each of which has a
log of its own: of PCOC that of the mean, else that of the difference to none.
"""

from __future__ import annotations

import argparse
from typing import Final

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from gbdt_pwiser.data import Exposures, Split
from gbdt_pwiser.metrics import log_loss, pcoc
from gbdt_pwiser.models import BoosterSettings, ModelSpec, Predictions, make_model
from gbdt_pwiser.objectives import PWiseRLoss, auc
from gbdt_pwiser.significance.intervals import across_seeds
from gbdt_pwiser.sources import simulate
from gbdt_pwiser.sources.simulate import Simulation

WAYS: Final = ("known", "none", "open")
TRAINED: Final = 10
DAYS: Final = 14
SETTINGS: Final = BoosterSettings(rounds=300, early_stopping=20, learning_rate=0.1)
MEASURES: Final = {
    "PCOC of pCVR": 3,
    "log loss of pCVR": 4,
    "log loss of pCTCVR": 4,
    "CTCVR AUC, BCE": 4,
    "CTR AUC, BCE": 4,
    "CTR AUC, PWiseR": 4,
    "conversion AUC, BCE": 4,
    "conversion AUC, PWiseR": 4,
}


def graded(simulation: Simulation, way: str, rows: NDArray[np.bool_]) -> Exposures:
    """Return some of the exposures with what the way knows of them."""
    outcomes, all_days = simulation.outcomes, simulation.exposures
    known = outcomes.grade_at(np.inf)
    grade = known if way == "known" else outcomes.grade_at(TRAINED, "none" if way == "none" else "open")
    return Exposures(
        name=way,
        features=all_days.features.filter(rows),
        grade=grade[rows],
        categorical=all_days.categorical,
        group=None if all_days.group is None else all_days.group[rows],
    )


def measured(test: Exposures, bce: Predictions, pwiser: Predictions) -> list[float]:
    """Return the `MEASURES`."""
    click, conversion = test.click, test.conversion
    pcvr = bce.pcvr[click]
    return [
        pcoc(pcvr, conversion[click]),
        log_loss(pcvr, conversion[click]),
        log_loss(bce.pctcvr, conversion),
        auc(bce.pctcvr, conversion),
        *(auc(p.pctr, click) for p in (bce, pwiser)),
        *(auc(p.pctr, conversion) for p in (bce, pwiser)),
    ]


def of_seed(simulation: Simulation, specs: list[ModelSpec]) -> NDArray[np.float64]:
    """Return the share of open clicks in training, and the measures by way: (1 + ways, measures)."""
    day, group = simulation.exposures.time, simulation.exposures.group
    assert day is not None
    assert group is not None
    before, valid = day < TRAINED, group % 5 == 0
    test = graded(simulation, "known", ~before)
    rows = []
    for way in WAYS:
        split = Split(*(graded(simulation, way, before & part) for part in (~valid, valid)), test)
        predicted = []
        for spec in specs:
            model = make_model(spec)
            model.fit(split.train, split.valid)
            predicted.append(model.predict(test))
        rows.append(measured(test, *predicted))
    share = split.train.open.sum() / split.train.click.sum()
    return np.array([[share] * len(MEASURES), *rows])


def table(found: NDArray[np.float64]) -> str:
    """Return the table of one delay; found is (seeds, ways, measures)."""
    lines = ["| on test | known | none | open |", "|---|---|---|---|"]
    naive = found[:, WAYS.index("none")]
    for place, (name, decimals) in enumerate(MEASURES.items()):
        cells = [name]
        for number, way in enumerate(WAYS):
            values = found[:, number, place]
            cells.append(f"{values.mean():.{decimals}f}")
            if place == 0:
                of = across_seeds(values.tolist())
                cells[-1] += f" ({of.low:.{decimals}f} to {of.high:.{decimals}f})"
            elif way != "none":
                of = across_seeds((values - naive[:, place]).tolist())
                cells[-1] += f" ({of.low:+.{decimals}f} to {of.high:+.{decimals}f})"
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--exposures", type=int, default=60_000)
    parser.add_argument("--ctr", type=float, default=0.2)
    parser.add_argument("--cvr", type=float, default=0.3)
    parser.add_argument("--delay", type=float, action="append")
    parser.add_argument("--weight", type=float, default=0.03, help="of PWiseR")
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--model", default="lightgbm", choices=["lightgbm", "xgboost"])
    asked = parser.parse_args()
    bce = ModelSpec(model=asked.model, threads=1, settings=SETTINGS)
    pwiser = ModelSpec(
        model=asked.model, loss="pwiser", threads=1, settings=SETTINGS, pwiser=PWiseRLoss(weight=asked.weight)
    )
    for delay in asked.delay or [1.0, 2.0]:
        found = []
        for seed in tqdm(range(asked.seeds), desc=f"delay {delay:g}", disable=None):
            simulation = simulate(
                asked.exposures, seed=seed, ctr=asked.ctr, cvr=asked.cvr, days=DAYS, delay=delay
            )
            found.append(of_seed(simulation, [bce, pwiser]))
        measures = np.array(found)
        print(f"\n{asked.model}, mean delay {delay:g} days, {measures[:, 0].mean():.0%} of the clicks open\n")
        print(table(measures[:, 1:]), flush=True)


if __name__ == "__main__":
    main()
