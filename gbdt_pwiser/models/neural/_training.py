"""The loop over epochs, with early stopping, best weights and interrupts; and scores, block by block."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gbdt_pwiser.data.progress import PASSING, Rounds, bar
from gbdt_pwiser.models.neural._rows import Rows, StoredRows
from gbdt_pwiser.models.neural.settings import NetworkSettings
from gbdt_pwiser.models.protocol import OnRound, Task
from gbdt_pwiser.objectives import InputError, auc

# Exposures that are predicted at a time.
BLOCK = 1 << 14


def by_block(
    network: nn.Module, rows: Rows | StoredRows, read: Callable[[Any], Tensor]
) -> NDArray[np.float64]:
    """Return what `read` takes from the network's outputs, block by block; float64 (..., n)."""
    network.eval()
    passed = bar(rows.features(BLOCK), total=-(-len(rows) // BLOCK), desc="predict", delay=2, **PASSING)
    with torch.inference_mode():
        blocks: list[Tensor] = [read(network(codes, numbers)).cpu() for codes, numbers in passed]
    scores: NDArray[np.float64] = torch.cat(blocks, dim=-1).double().numpy()
    return scores


@dataclass(frozen=True, eq=False)
class Trained:
    """A network with the weights of its best epoch, and what they cost."""

    network: nn.Module
    epochs: int
    seconds: float


def train_network(
    network: nn.Module,
    loss: Callable[[Rows], Tensor],
    validate: Callable[[], Mapping[Task, float]],
    *,
    rows: Rows | StoredRows,
    task: Task,
    config: NetworkSettings,
    seed: int,
    title: str,
    shown: str,
    on_round: OnRound | None = None,
) -> Trained:
    """Minimise the mean loss with Adam and return the weights of the epoch with the best AUC on validation.

    Parameters
    ----------
    network
        Trained in place.
    loss
        Of a batch.
    validate
        AUCs on validation under the present weights, by task.
    rows
        To train on.
    task
        Whose AUC decides which epoch is best.
    seed
        Of the order of the batches: equal for all losses.
    title
        For messages.
    shown
        What its progress is called.
    on_round
        Called with each epoch, from 0, and its AUCs on validation; what it raises ends the training.

    Raises
    ------
    InputError
        What `validate` raises, or validation has one class only.
    KeyboardInterrupt
        Before the first epoch is through; later the best epoch is kept and training just ends.
    """
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(
        network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, config.decay)
    best_epoch, best, kept = 0, -1.0, {}
    started = time.perf_counter()
    progress = Rounds(shown, config.epochs, "epoch")
    try:
        for epoch in range(1, config.epochs + 1):
            network.train()
            for batch in rows.batches(config.batch_size, generator):
                optimizer.zero_grad(set_to_none=True)
                loss(batch).backward()
                if config.clip_norm is not None:
                    nn.utils.clip_grad_norm_(network.parameters(), config.clip_norm)
                optimizer.step()
                progress.part(len(batch) / len(rows))
            schedule.step()
            aucs = validate()
            value = aucs[task]
            if np.isnan(value):
                raise InputError(f"{title}: validation has one class only, so no epoch is best; give it both")
            progress.told(epoch - 1, value)
            if value > best:
                weights = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
                best_epoch, best, kept = epoch, value, weights
            if on_round is not None:
                on_round(epoch - 1, aucs)
            if epoch - best_epoch >= config.patience:
                break
    except KeyboardInterrupt:
        if not kept:
            raise
        print(f"{title}: interrupted; going on with its epoch {best_epoch}, the best so far", file=sys.stderr)
    finally:
        progress.close()
    network.load_state_dict(kept)
    return Trained(network, best_epoch, time.perf_counter() - started)


def finite_auc(scores: NDArray[np.float64], positive: NDArray[np.bool_], title: str) -> float:
    """Return AUC, NaN for one class only; InputError where training has blown up the scores."""
    if not np.isfinite(scores).all():
        raise InputError(f"{title}: scores are no longer finite; lower learning_rate or set clip_norm")
    return auc(scores, positive)


def device_named(name: str) -> torch.device:
    """Return the device of a spec: for "auto" the GPU where there is one."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    kind, _, index = name.partition(":")
    if kind == "cuda" and int(index or 0) >= torch.cuda.device_count():
        raise InputError(
            f"device is {name!r}, and PyTorch sees {torch.cuda.device_count()} such devices; "
            "choose cpu or auto, or install a build of PyTorch for the GPU"
        )
    return torch.device(name)


@contextlib.contextmanager
def seeded(seed: int, threads: int, device: torch.device) -> Iterator[None]:
    """Seed PyTorch and set its threads (0: leave them), and put both back afterwards."""
    before = torch.get_num_threads()
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        try:
            if threads:
                torch.set_num_threads(threads)
            yield
        finally:
            torch.set_num_threads(before)
