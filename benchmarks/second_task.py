"""How much the second task should weigh in a network of two: AUCs by `conversion_weight`.

    python -m benchmarks.second_task [--dataset simulated] [--seeds 4] [--weights 0.1,0.3,1,3,1/ctr] ...

"1/ctr" is the weight that a mean over clicked rows would have. Choose by what validation says; test is beside
it. A cell is the mean over seeds, the gain over 1/ctr of the same seed, and the standard error of that gain
over seeds. In a split by time all seeds have the same validation and test rows, so the error is that of the
training alone.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from gbdt_pwiser.data import Exposures
from gbdt_pwiser.metrics import METRICS, evaluate
from gbdt_pwiser.models import ModelSpec, NetworkSettings, make_model
from gbdt_pwiser.sources import load

OLD = "1/ctr"
SHOWN = ("ctr_auc", "cvr_auc", "ctcvr_auc")


def fewer(train: Exposures, rows: int | None, seed: int) -> Exposures:
    """Draw so many training rows, which keep their order."""
    if rows is None or rows >= len(train):
        return train
    return train.take(np.sort(np.random.default_rng(seed).choice(len(train), rows, replace=False)))


def cell(values: list[float], old: list[float]) -> str:
    gains = np.subtract(values, old)
    if not gains.any():
        return f"{np.mean(values):.4f}"
    error = gains.std(ddof=1) / np.sqrt(len(gains)) if len(gains) > 1 else np.nan
    return f"{np.mean(values):.4f} {gains.mean():+.4f} ± {error:.4f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="simulated", help="a name, or the path of a description")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--exposures", type=int, default=200_000, help="simulated only, as are ctr and cvr")
    parser.add_argument("--ctr", type=float, default=0.025)
    parser.add_argument("--cvr", type=float, default=0.1)
    parser.add_argument("--model", action="append")
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--weights", default=f"0.1,0.3,1,3,{OLD}")
    parser.add_argument("--rows", type=int, help="training rows at most, drawn anew for each seed")
    parser.add_argument("--network", action="append", default=[], help="KEY=VALUE")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="every value, written after each seed")
    arguments = parser.parse_args()
    models = arguments.model or ["shared_bottom", "mmoe"]
    weights = list(dict.fromkeys([*arguments.weights.split(","), OLD]))
    simulated = {"n_exposures": arguments.exposures, "ctr": arguments.ctr, "cvr": arguments.cvr}
    dataset = load(
        arguments.dataset,
        data_dir=arguments.data_dir,
        **(simulated if arguments.dataset == "simulated" else {}),
    )
    settings = NetworkSettings(**NetworkSettings.read(arguments.network))
    found: dict[tuple[str, str, str, str], list[float]] = {}
    with tqdm(total=arguments.seeds * len(models) * len(weights), disable=None) as progress:
        for seed in range(arguments.seeds):
            split = dataset.split(seed)
            train = fewer(split.train, arguments.rows, seed)
            for model in models:
                for weight in weights:
                    number = 1 / float(train.click.mean()) if weight == OLD else float(weight)
                    trained = make_model(
                        ModelSpec(
                            model=model,
                            seed=seed,
                            threads=arguments.threads,
                            settings=replace(settings, conversion_weight=number),
                        )
                    )
                    trained.fit(train, split.valid)
                    for part in ("valid", "test"):
                        exposures = getattr(split, part)
                        p = trained.predict(exposures)
                        values = evaluate(exposures, p.pctr, p.pctcvr, p.pcvr)
                        for metric in SHOWN:
                            found.setdefault((model, part, weight, metric), []).append(values[metric])
                    progress.update()
            if arguments.json:
                arguments.json.write_text(json.dumps([[*key, *values] for key, values in found.items()]))
    titles = " | ".join(METRICS[metric].label for metric in SHOWN)
    print(f"| model, split | weight | {titles} |\n|---|---|{'---|' * len(SHOWN)}")
    for model in models:
        for part in ("valid", "test"):
            for weight in weights:
                cells = (cell(found[model, part, weight, m], found[model, part, OLD, m]) for m in SHOWN)
                print(f"| {model}, {part} | {weight} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
