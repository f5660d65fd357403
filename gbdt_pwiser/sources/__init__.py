"""Where exposures come from: released data sets, a user's own files, simulation."""

from gbdt_pwiser.sources.ali_ccp import prepare_ali_ccp
from gbdt_pwiser.sources.aliexpress import prepare_aliexpress
from gbdt_pwiser.sources.described import load_description
from gbdt_pwiser.sources.description import Description
from gbdt_pwiser.sources.guess import Guess, describe
from gbdt_pwiser.sources.registry import KnownDataset, known_datasets, load, prepare, resolve_data_dir
from gbdt_pwiser.sources.simulate import Simulation, simulate

__all__ = [
    "Description",
    "Guess",
    "KnownDataset",
    "Simulation",
    "describe",
    "known_datasets",
    "load",
    "load_description",
    "prepare",
    "prepare_ali_ccp",
    "prepare_aliexpress",
    "resolve_data_dir",
    "simulate",
]
