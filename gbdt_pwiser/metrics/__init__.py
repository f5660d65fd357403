"""Metrics of predictions: plain functions of arrays, and the catalogue of those that are printed."""

from gbdt_pwiser.metrics.catalogue import METRICS, Metric, check_optimisable, evaluate, pcvr_of_clicks
from gbdt_pwiser.metrics.distribution import ScoreDistribution, score_quantiles
from gbdt_pwiser.metrics.probability import (
    Reliability,
    ece,
    log_loss,
    normalized_entropy,
    pcoc,
    reliability,
)
from gbdt_pwiser.metrics.ranking import GroupAUC, gauc, group_aucs, pr_auc
from gbdt_pwiser.objectives import auc

__all__ = [
    "METRICS",
    "GroupAUC",
    "Metric",
    "Reliability",
    "ScoreDistribution",
    "auc",
    "check_optimisable",
    "ece",
    "evaluate",
    "gauc",
    "group_aucs",
    "log_loss",
    "normalized_entropy",
    "pcoc",
    "pcvr_of_clicks",
    "pr_auc",
    "reliability",
    "score_quantiles",
]
