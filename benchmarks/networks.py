"""Throughput of the networks' batches beside a DataLoader that assembles them row by row.

    python -m benchmarks.networks [--rows 100000] [--model mmoe] [--json FILE]

Same rows, same batch size, same network, one process; runs alternate, medians and ratios. "batches" is the
assembly alone, "training" a whole epoch with forward, backward and optimiser.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from gbdt_pwiser.models import NetworkSettings
from gbdt_pwiser.models.neural import NETWORKS
from gbdt_pwiser.models.neural._features import FeatureEncoder
from gbdt_pwiser.models.neural._loss import ClickLoss
from gbdt_pwiser.models.neural._model import architecture
from gbdt_pwiser.models.neural._training import Rows
from gbdt_pwiser.objectives import PWiseRLoss
from gbdt_pwiser.sources import simulate

SMALL = NetworkSettings(embedding=8, bottom=(64, 32), towers=(16,), experts=2)


class RowByRow(Dataset):
    def __init__(self, rows: Rows) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor, Tensor]:
        return self.rows.codes[i], self.rows.numbers[i], self.rows.grade[i]


def sliced(rows: Rows, size: int) -> Iterator[Rows]:
    return rows.batches(size, torch.Generator().manual_seed(0))


def assembled(rows: Rows, size: int) -> Iterator[Rows]:
    for codes, numbers, grade in DataLoader(RowByRow(rows), batch_size=size, shuffle=True):
        yield Rows(codes, numbers, grade, grade.numpy(), None)


def epoch_of(name: str, encoder: FeatureEncoder, loss: PWiseRLoss) -> Callable[[Iterator[Rows]], None]:
    network = architecture(name)(encoder.layout, SMALL)
    optimizer = torch.optim.Adam(network.parameters())
    click_loss = ClickLoss(loss)

    def epoch(batches: Iterator[Rows]) -> None:
        for batch in batches:
            optimizer.zero_grad(set_to_none=True)
            outputs = network(batch.codes, batch.numbers)
            click = click_loss(outputs.click, batch.host_grade, None)
            (click + network.conversion_loss(outputs, batch.grade)).backward()
            optimizer.step()

    return epoch


def only_batches(batches: Iterator[Rows]) -> None:
    for _ in batches:
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--model", choices=[name for name in NETWORKS if name != "dnn"], default="mmoe")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    exposures = simulate(arguments.rows).exposures
    encoder = FeatureEncoder.fit(exposures)
    rows = Rows.of(exposures, encoder, torch.device("cpu"))
    work: dict[str, Callable[[Iterator[Rows]], None]] = {
        "batches": only_batches,
        "training, bce": epoch_of(arguments.model, encoder, PWiseRLoss(weight=0.0)),
        "training, pwiser": epoch_of(arguments.model, encoder, PWiseRLoss()),
    }
    ways = {"sliced": sliced, "row by row": assembled}
    seconds: dict[tuple[str, str], list[float]] = {}
    for _ in tqdm(range(arguments.runs), disable=None):
        for what, does in work.items():
            for way, batches in ways.items():
                started = time.perf_counter()
                does(batches(rows, SMALL.batch_size))
                seconds.setdefault((what, way), []).append(time.perf_counter() - started)
    rate = {key: arguments.rows / statistics.median(times) for key, times in seconds.items()}
    shape = f"{encoder.layout.codes} codes, {encoder.layout.numbers} numbers"
    print(
        f"{arguments.model}, {arguments.rows:,} rows ({shape}), {arguments.threads} threads, rows per second"
    )
    for what in work:
        ours, theirs = rate[what, "sliced"], rate[what, "row by row"]
        print(f"  {what:<18}{ours:>12,.0f} sliced {theirs:>10,.0f} row by row {ours / theirs:>8.1f} x")
    if arguments.json:
        cells = [
            {"what": what, "way": way, "rows_per_second": float(np.round(r))}
            for (what, way), r in rate.items()
        ]
        arguments.json.write_text(json.dumps({"rows": arguments.rows, "cells": cells}, indent=2))


if __name__ == "__main__":
    main()
