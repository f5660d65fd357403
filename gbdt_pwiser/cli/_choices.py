"""What an option can be one of, for `--help` and for completion.

The names stand here as text, because the libraries behind them take longer to import than a page of help may
take; a test holds them against what the package knows. A name that is none of them is refused by what it is
given to, which knows of more, as of models that were registered, and says what it may have been meant for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

BOOSTERS: Final = ("lightgbm", "xgboost", "xgboost_shared")
NETWORKS: Final = ("dnn", "shared_bottom", "mmoe", "ple", "esmm", "aitm")
MODELS: Final = (*BOOSTERS, *NETWORKS)
ONE_OF_MODELS: Final = f"One of {', '.join(MODELS)}."
LOSSES: Final = ("bce", "pwiser", "weighted_bce", "lambdarank", "rank_pairwise", "combined_pair")
RELEASED: Final = ("us", "nl", "fr", "es", "ccp")
DATASETS: Final = (*RELEASED, "simulated")
_TOP: Final = ("ndcg", "map", "conversions")
RANKING: Final = (
    *("ctr_auc", "gauc", "conversion_auc", "conversion_gauc", "ndcg@5", "map@5", "mrr", "conversions@5"),
    *("gauc_positives", "gauc_mean", "ctr_pr_auc"),
)
"""Metrics that rank by pCTR, by which a booster can stop."""
METRICS: Final = (
    *("ctr_auc", "gauc", "conversion_auc", "conversion_gauc", "ctcvr_auc", "cvr_auc", "noise_free_ctr_auc"),
    *("ndcg@5", "map@5", "mrr", "conversions@5", "log_loss", "normalized_entropy", "ece"),
    *("gauc_positives", "gauc_mean", "ctr_pr_auc", "ctcvr_pr_auc"),
)
"""Metrics of which one value is better than another."""


CALIBRATIONS: Final = ("none", "isotonic", "sigmoid")


class OneOf(click.Choice):  # type: ignore[type-arg]
    """One of some names, told and completed as `click.Choice` does.

    Parameters
    ----------
    names
        In the order in which they are told.
    called
        What `--help` shows in their place, where they are too many to be read as one word.
    """

    def __init__(self, names: Sequence[str], called: str | None = None) -> None:
        super().__init__(names)
        self._called = called

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """Return what stands behind the option."""
        return self._called or f"[{'|'.join(self.choices)}]"

    def get_missing_message(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """Return what is told beside the option that is missing."""
        return f"Choose one of {', '.join(self.choices)}"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name, known or not: see the module."""
        return str(value)


class MetricName(OneOf):
    """A metric, with any K in ndcg@K, map@K and conversions@K; of several, a comma between them."""

    def __init__(self, names: Sequence[str], called: str = "METRIC") -> None:
        super().__init__(names, called)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Complete the last of the names."""
        before, comma, last = incomplete.rpartition(",")
        kind, at, _ = last.partition("@")
        known: Iterable[str] = self.choices
        if at and kind in _TOP:
            known = (f"{kind}@{k}" for k in (1, 3, 5, 10, 20))
        return [CompletionItem(before + comma + name) for name in known if name.startswith(last)]


class DatasetName(OneOf):
    """A data set by name, or the path of a description or of a file beside one."""

    def __init__(self, names: Sequence[str] = DATASETS) -> None:
        super().__init__(names, "NAME|PATH")

    def get_missing_message(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """Return what is told beside the option that is missing."""
        return f"{super().get_missing_message(param, ctx)}, or give the path of a description (.toml)"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Complete names; where none begins so, paths."""
        return super().shell_complete(ctx, param, incomplete) or [CompletionItem(incomplete, type="file")]


class ModelAndLoss(OneOf):
    """A model, or MODEL:LOSS."""

    def __init__(self) -> None:
        super().__init__(MODELS, "MODEL|MODEL:LOSS")

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Complete the model, behind its colon the loss."""
        model, colon, loss = incomplete.partition(":")
        if not colon:
            return super().shell_complete(ctx, param, incomplete)
        return [CompletionItem(f"{model}:{name}") for name in LOSSES if name.startswith(loss)]


class Setting(click.ParamType):  # type: ignore[type-arg]
    """A setting of a family of models, KEY=VALUE; where no family is given, FAMILY.KEY=VALUE."""

    name = "setting"

    def __init__(self, family: str | None = None) -> None:
        self._family = family

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """Return what stands behind the option."""
        return "FAMILY.KEY=VALUE" if self._family is None else "KEY=VALUE"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Complete the key, up to its equals sign."""
        from gbdt_pwiser.models.registry import families

        keys = [
            f"{key}=" if self._family else f"{family}.{key}="
            for family, settings in families().items()
            if self._family in (None, family)
            for key in settings.defaults()
        ]
        return [CompletionItem(key) for key in keys if key.startswith(incomplete)]
