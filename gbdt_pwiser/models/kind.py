"""What the registry knows of a model without importing its library."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gbdt_pwiser.models.protocol import Model
from gbdt_pwiser.models.ranges import Range
from gbdt_pwiser.models.settings import Settings
from gbdt_pwiser.models.spec import ModelSpec

CheckState = Callable[[ModelSpec, Mapping[str, Any], Mapping[str, str]], None]


@dataclass(frozen=True, kw_only=True)
class ModelKind:
    """How a model is made, what can be set of it, and what it can do.

    Attributes
    ----------
    make
        Returns the untrained model of a spec, whose `settings` are of the class below. InputError for what
        the model cannot be or a library that is missing.
    settings
        Class of its settings: its family.
    library
        The library behind it, by the name of its module: its version is kept with results, and losses that
        the library has of its own exist for the model. Empty for a model of NumPy alone.
    rounds
        What a round of its training is called.
    searched
        What `tune` varies of it, by the names of its settings.
    shares_tasks
        Whether click and conversion are learnt together, by trees or layers that both use.
    external_memory
        Whether its features may stay in files that are read in every round.
    on_workers
        Returns the untrained model that the workers of a Dask client train; None where they cannot.
    continues
        Whether `continue_model` can go on from a saved one.
    files
        Names that the files of a saved one may have.
    check_state
        Raises ValueError, LookupError or TypeError where the spec, the state that `Model.save` returned and
        the digests of its files by name are not those of a model.
    """

    make: Callable[[ModelSpec], Model]
    settings: type[Settings] = Settings
    library: str = ""
    rounds: str = "round"
    searched: Mapping[str, Range] = field(default_factory=dict)
    shares_tasks: bool = False
    external_memory: bool = False
    on_workers: Callable[[ModelSpec, Any], Model] | None = None
    continues: bool = False
    files: tuple[str, ...] = ()
    check_state: CheckState | None = None
