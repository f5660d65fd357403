"""Metrics of predicted click and conversion probabilities: plain functions and a catalogue.

All functions take the prediction first, then what came of it, and `sample_weight` where weights exist. A row
of weight 0 is as good as absent, and one of weight 2 as good as two. Ties count half in an AUC and share a
threshold or bin elsewhere: no value depends on the order of rows. What cannot be computed is NaN.
"""

from gbdt_pwiser.metrics.catalogue import (
    METRICS,
    check_optimisable,
    check_ranks_by_pctr,
    evaluate,
    metric_named,
    metrics_at,
    metrics_named,
)
from gbdt_pwiser.metrics.distribution import ScoreDistribution, score_quantiles
from gbdt_pwiser.metrics.group_auc import GroupAUC, gauc, group_aucs
from gbdt_pwiser.metrics.metric import Metric
from gbdt_pwiser.metrics.probability import (
    Reliability,
    ece,
    log_loss,
    normalized_entropy,
    pcoc,
    reliability,
)
from gbdt_pwiser.metrics.ranking import pcvr_of, pr_auc
from gbdt_pwiser.metrics.top_k import TopOfGroups, map_at_k, mrr, ndcg_at_k, recall_at_k
from gbdt_pwiser.objectives import auc

__all__ = [
    "METRICS",
    "GroupAUC",
    "Metric",
    "Reliability",
    "ScoreDistribution",
    "TopOfGroups",
    "auc",
    "check_optimisable",
    "check_ranks_by_pctr",
    "ece",
    "evaluate",
    "gauc",
    "group_aucs",
    "log_loss",
    "map_at_k",
    "metric_named",
    "metrics_at",
    "metrics_named",
    "mrr",
    "ndcg_at_k",
    "normalized_entropy",
    "pcoc",
    "pcvr_of",
    "pr_auc",
    "recall_at_k",
    "reliability",
    "score_quantiles",
]
