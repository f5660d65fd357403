"""PWiseR beside the cheaper ways to the same aim: CTR AUC against CTCVR AUC per loss and weight.

    python -m benchmarks.rivals [--dataset simulated] [--model lightgbm] [--seeds 3] [--output DIR] ...

Every loss that exists for a model is trained with each of its weights. The front is what validation says of
each; the table is the test result of the weight that validation chose.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from gbdt_pwiser.evaluation import Details, compare, write_details, write_results
from gbdt_pwiser.models import LOSSES, BoosterSettings, ModelSpec, NetworkSettings, losses_of
from gbdt_pwiser.models.registry import kind_of
from gbdt_pwiser.report.table import format_sweep, format_table
from gbdt_pwiser.sources import load


def numbers(text: str) -> tuple[float, ...]:
    return tuple(float(part) for part in text.split(","))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="simulated", help="a name, or the path of a description")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--exposures", type=int, default=100_000, help="simulated only, as are ctr and cvr")
    parser.add_argument("--ctr", type=float, default=0.08)
    parser.add_argument("--cvr", type=float, default=0.1)
    parser.add_argument("--model", action="append")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--weights", type=numbers, default=(0.003, 0.01, 0.03, 0.1), help="of pwiser")
    parser.add_argument("--rounds", type=int, default=500)
    parser.add_argument("--network", action="append", default=[], help="KEY=VALUE")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--output", type=Path, help="folder of which `gbdt-pwiser report` makes the page")
    arguments = parser.parse_args()
    models = tuple(arguments.model or ("lightgbm", "xgboost"))
    simulated = {"n_exposures": arguments.exposures, "ctr": arguments.ctr, "cvr": arguments.cvr}
    dataset = load(
        arguments.dataset,
        data_dir=arguments.data_dir,
        **(simulated if arguments.dataset == "simulated" else {}),
    )
    base = ModelSpec(model=models[0], threads=arguments.threads)
    of_families = (
        BoosterSettings(rounds=arguments.rounds),
        NetworkSettings(**NetworkSettings.read(arguments.network)),
    )
    taken = {kind_of(model).settings for model in models}
    details = Details(command="python -m benchmarks.rivals")
    results = compare(
        dataset,
        models=models,
        losses=[loss for loss in LOSSES if any(loss in losses_of(model) for model in models)],
        seeds=range(arguments.seeds),
        weights=arguments.weights,
        base=base,
        settings=[each for each in of_families if type(each) in taken],
        details=details,
    )
    print(format_sweep(details.sweep), format_table(results), sep="\n\n")
    if arguments.output:
        arguments.output.mkdir(parents=True, exist_ok=True)
        write_results(results, arguments.output / "results.parquet")
        write_details(details, arguments.output / "details.json")


if __name__ == "__main__":
    main()
