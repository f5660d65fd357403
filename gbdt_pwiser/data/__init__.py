"""Exposures, how they are loaded and prepared, and how they are split."""

from gbdt_pwiser.sources.ali_ccp import prepare_ali_ccp
from gbdt_pwiser.sources.aliexpress import prepare_aliexpress
from gbdt_pwiser.sources.description import Description, load_description
from gbdt_pwiser.data.exposures import Exposures
from gbdt_pwiser.sources.registry import KnownDataset, known_datasets, load, prepare, resolve_data_dir
from gbdt_pwiser.sources.simulate import Simulation, simulate
from gbdt_pwiser.data.split import Dataset, Split, SplitOptions, split

__all__ = [
    "Dataset",
    "Description",
    "Exposures",
    "KnownDataset",
    "Simulation",
    "Split",
    "SplitOptions",
    "known_datasets",
    "load",
    "load_description",
    "prepare",
    "prepare_ali_ccp",
    "prepare_aliexpress",
    "resolve_data_dir",
    "simulate",
    "split",
]
