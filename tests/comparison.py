"""The module of `compare`, which its package hides behind the function of that name."""

import importlib

HARNESS = importlib.import_module("gbdt_pwiser.evaluation.compare")
