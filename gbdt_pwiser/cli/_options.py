"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import click

from gbdt_pwiser.cli._choices import METRICS, RANKING, DatasetName, MetricName, OneOf, Setting
from gbdt_pwiser.cli._errors import input_error
from gbdt_pwiser.cli._headings import DATA, EVALUATION, LOSS, MODEL, OUTPUT, SIMULATED, option
from gbdt_pwiser.cli._paths import PathOption
from gbdt_pwiser.cli._telling import quiet_option, verbose_option


def numbers(_: click.Context, param: click.Parameter, value: str | None) -> tuple[float, ...] | None:
    """Read comma-separated numbers."""
    try:
        return None if value is None else tuple(float(part) for part in value.split(","))
    except ValueError:
        raise input_error(f"{param.opts[0]} is {value!r}; give numbers such as 0.01,0.03") from None


def margin(_: click.Context, param: click.Parameter, value: str) -> float | str:
    """Read a number or a quantile."""
    try:
        return value if value.startswith("q") else float(value)
    except ValueError:
        raise input_error(f"{param.opts[0]} is {value!r}; give a number such as 0.1, or q50") from None


def rival_weights(
    _: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> dict[str, tuple[float, ...]]:
    """Read LOSS=NUMBERS, each loss once."""
    read: dict[str, tuple[float, ...]] = {}
    for value in values:
        loss, equals, weights = value.partition("=")
        try:
            tried = tuple(float(part) for part in weights.split(","))
        except ValueError:
            tried = ()
        if not (equals and tried):
            raise input_error(f"{param.opts[0]} is {value!r}; give LOSS=NUMBERS such as weighted_bce=0.3,1,3")
        if loss in read:
            raise input_error(f"{param.opts[0]} names {loss} twice; name each loss once")
        read[loss] = tried
    return read


def text(_: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Read a text; an empty one would count as none given, and comes from a variable that is not set."""
    if value is not None and not value.strip():
        raise input_error(f"{param.opts[0]} is empty; give a value or leave it out")
    return value


data_dir_option = option(
    "--data-dir", panel=DATA, type=PathOption(file_okay=False), help="Where prepared data sets lie."
)

dataset_option = option(
    "--dataset",
    panel=DATA,
    required=True,
    type=DatasetName(),
    help="us, nl, fr, es, ccp, simulated, or the path of a description (.toml).",
)

json_option = option("--json", "as_json", panel=OUTPUT, is_flag=True, help="Print JSON in place of text.")

device_option = option(
    "--device",
    panel=MODEL,
    default="cpu",
    show_default=True,
    type=OneOf(("cpu", "cuda", "auto")),
    help="Where it is computed; auto is for networks.",
)

threads_option = option(
    "--threads",
    panel=MODEL,
    type=int,
    default=0,
    show_default=True,
    help="CPU threads; 0: the library's choice.",
)

params_option = option(
    "--params",
    panel=MODEL,
    type=PathOption(),
    help="best.toml of a search: decides model, loss and parameters. Options that are given win over it; "
    "another --model is refused.",
)

choose_by_option = option(
    "--choose-by",
    panel=EVALUATION,
    default="ctr_auc",
    show_default=True,
    type=MetricName(METRICS),
    help="Validation metric by which a weight is chosen, as in gauc or ndcg@5.",
)

rival_weight_option = option(
    "--rival-weight",
    "rival_weights",
    panel=LOSS,
    multiple=True,
    callback=rival_weights,
    metavar="LOSS=WEIGHTS",
    help="Weights to try of another loss, as in weighted_bce=0.3,1,3; else its own. May be repeated.",
)

_OF_DATA: Final = (
    dataset_option,
    data_dir_option,
    option(
        "--split",
        "split_by",
        panel=DATA,
        type=OneOf(("auto", "time", "group", "row")),
        help="What train, validation and test are cut by; else as the data set says.",
    ),
    option(
        "--fractions",
        panel=DATA,
        callback=numbers,
        metavar="NUMBERS",
        help="Train, validation and test shares, as in 0.6,0.2,0.2.",
    ),
)

_OF_SIMULATION: Final = (
    option("--exposures", panel=SIMULATED, type=int, help="Number of exposures."),
    option("--accidental-clicks", panel=SIMULATED, type=float, help="Share of accidental clicks."),
    option("--ctr", panel=SIMULATED, type=float, help="Clicks per exposure."),
    option("--cvr", panel=SIMULATED, type=float, help="Conversions per click."),
    option(
        "--position-bias",
        panel=SIMULATED,
        type=float,
        help="From 0 to 1, how much accidental clicks crowd the top of the page.",
    ),
    option(
        "--user-bias",
        panel=SIMULATED,
        type=float,
        help="From 0 to 1, how much accidental clicks are those of few searches.",
    ),
    option(
        "--click-bait",
        panel=SIMULATED,
        type=float,
        help="Share of the intended clicks on items that never convert.",
    ),
    option(
        "--drift",
        panel=SIMULATED,
        type=float,
        help="From 0 to 1, how far relevance turns into another from first day to last.",
    ),
    option("--days", panel=SIMULATED, type=int, help="Days of a log that drifts or has a delay."),
    option("--delay", panel=SIMULATED, type=float, help="Mean days from a click to its conversion."),
    option(
        "--open-as",
        panel=SIMULATED,
        type=OneOf(("open", "none")),
        help="How clicks count that may still convert when the log ends. [open]",
    ),
)

# The defaults are those of PWiseRLoss, which is not imported for a page of help.
_OF_LOSS: Final = (
    option(
        "--click-margin",
        panel=LOSS,
        callback=margin,
        default="0.1",
        show_default=True,
        metavar="NUMBER|qNN",
        help="A number, or with --warm-up a quantile: q50 leaves half of the pairs active.",
    ),
    option(
        "--impression-margin",
        panel=LOSS,
        callback=margin,
        default="0.3",
        show_default=True,
        metavar="NUMBER|qNN",
        help="Likewise.",
    ),
    option(
        "--surrogate",
        panel=LOSS,
        default="hinge",
        show_default=True,
        type=OneOf(("hinge", "squared_hinge", "logistic")),
        help="What a pair costs by its difference.",
    ),
    option(
        "--scale",
        panel=LOSS,
        default="probability",
        show_default=True,
        type=OneOf(("probability", "logit")),
        help="What the difference of a pair is taken of.",
    ),
    option(
        "--pairs",
        panel=LOSS,
        default="all",
        show_default=True,
        type=OneOf(("all", "group")),
        help="Which exposures make pairs: all, or those of one group.",
    ),
    option(
        "--warm-up",
        panel=LOSS,
        type=int,
        default=0,
        show_default=True,
        help="boosters: rounds of BCE before the pairs count.",
    ),
)

_OF_MODEL: Final = (
    option("--rounds", panel=MODEL, type=int, show_default="500", help="boosters: most boosting rounds."),
    option(
        "--early-stopping",
        panel=MODEL,
        type=int,
        show_default="50",
        help="boosters: rounds without a better --stop-by on validation.",
    ),
    option(
        "--stop-by",
        panel=MODEL,
        show_default="ctr_auc",
        type=MetricName(RANKING),
        help="boosters: metric on validation that stops the click's training, as in ndcg@5.",
    ),
    option("--learning-rate", panel=MODEL, type=float, show_default="0.05", help="boosters: of each round."),
    option(
        "--external-memory",
        panel=MODEL,
        is_flag=True,
        help="xgboost: keep the bins in temporary files and read them in every round.",
    ),
    option(
        "--network",
        panel=MODEL,
        multiple=True,
        type=Setting("network"),
        help="A setting of the networks, as in embedding=16 or bottom=64,32; may be repeated.",
    ),
    option(
        "--set",
        "settings",
        panel=MODEL,
        multiple=True,
        type=Setting(),
        help="A setting of a family of models: network.embedding=16, or booster.num_leaves=63 in the "
        "library's own words; may be repeated.",
    ),
    device_option,
    threads_option,
)


def dataset_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that choose a data set, its split, the loss and the training."""
    told = (json_option, quiet_option, verbose_option)
    for add in reversed((*_OF_DATA, *_OF_SIMULATION, *_OF_LOSS, *_OF_MODEL, *told)):
        command = add(command)
    return command
