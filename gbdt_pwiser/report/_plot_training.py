"""Training curves: CTR AUC on validation round by round."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from gbdt_pwiser.evaluation.details import TrainingCurve
from gbdt_pwiser.models import MODELS
from gbdt_pwiser.report._plots import Drawing, Plot, Styles, add_loss_legend, finish, new_panels

TRAINING: Final = Plot(
    section="models",
    heading=lambda c: "Training",
    label="Plot of training curves",
    draw=lambda c: plot_training(c.details.curves, c.styles),
    caption=lambda c: (
        f"CTR AUC on validation after each round{c.of_first_seed}, at the weight that was chosen. "
        "The mark is the round that counts: training stops\n"
        "  when none has been better for a while. The first tenth of the rounds may lie below the picture.\n"
    ),
)


def plot_training(curves: Sequence[TrainingCurve], styles: Styles) -> Drawing | None:
    """Draw a panel per model and a line per loss, its best round marked; None where nothing was recorded."""
    curves = [c for c in curves if c.ctr_auc and np.isfinite(c.ctr_auc).all()]
    if not curves:
        return None
    models = list(dict.fromkeys(c.model for c in curves))
    figure, panels = new_panels(len(models), columns=2, height=2.2)
    for panel, model in zip(panels, models, strict=True):
        for c in (c for c in curves if c.model == model):
            panel.plot(
                np.arange(1, len(c.ctr_auc) + 1),
                c.ctr_auc,
                **styles[c.loss],
                markevery=[c.best - 1] if c.best else [],
                markersize=6,
                linewidth=1.4,
            )
        # The first rounds, far below, would squeeze what tells the losses apart into a line.
        panel.set_ylim(bottom=min(float(np.quantile(c.ctr_auc, 0.1)) for c in curves if c.model == model))
        panel.grid(axis="y", alpha=0.35, linewidth=0.6)
        panel.set_title(model)
        panel.set_xlabel(MODELS[model].rounds if model in MODELS else "round")
    add_loss_legend(figure, styles, (c.loss for c in curves))
    best = "; ".join(
        f"{c.model} {c.loss} {c.ctr_auc[c.best - 1]:.4f} in round {c.best}" for c in curves if c.best
    )
    data = [
        {"model": c.model, "loss": c.loss, "round": number, "ctr_auc": value, "counts": number == c.best}
        for c in curves
        for number, value in enumerate(c.ctr_auc, start=1)
    ]
    return finish(figure, "training", f"CTR AUC on validation by round or epoch. Best: {best}", data)
