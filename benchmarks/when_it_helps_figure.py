"""Draw what `benchmarks.when_it_helps --part dials --json ROWS` found.

    python -m benchmarks.when_it_helps_figure ROWS docs/explanation/when_it_helps.svg

A panel per form, a line per share of bait: the gain in noise-free CTR AUC against the share of clicks that
are accidental, with 95 % intervals. Weights are chosen for CTR AUC on validation.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any, Final

from gbdt_pwiser._files import replacing_file

PANELS: Final = {
    "pwiser": "PWiseR, default margins",
    "logit": "PWiseR, logistic on logits",
    "weighted_bce": "weighted BCE",
}
COLORS: Final = ("#0072b2", "#009e73", "#d55e00")
METRIC: Final = "noise_free_ctr_auc over bce"


def dials(setting: str) -> tuple[int, int] | None:
    """Per cent of accidental clicks and of bait; None for what has another dial beside."""
    found = re.fullmatch(r"(\d+)% accidental, (\d+)% bait", setting)
    return (int(found[1]), int(found[2])) if found else None


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rows", type=Path)
    parser.add_argument("figure", type=Path, help="an SVG file")
    arguments = parser.parse_args()

    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    # The same drawing gives the same file.
    matplotlib.rcParams.update({"svg.hashsalt": "when it helps", "font.size": 9, "svg.fonttype": "none"})
    rows = json.loads(arguments.rows.read_text(encoding="utf-8"))
    figure, panels = pyplot.subplots(1, len(PANELS), figsize=(9.5, 3.2), sharey=True, layout="constrained")
    for panel, (form, title) in zip(panels, PANELS.items(), strict=True):
        drawn: dict[int, list[tuple[int, list[float]]]] = {}
        for row in rows:
            if row["form"] == form and row["rule"] == "ctr_auc" and (at := dials(row["setting"])):
                drawn.setdefault(at[1], []).append((at[0], row[METRIC]))
        for shift, (color, (bait, points)) in enumerate(zip(COLORS, sorted(drawn.items()), strict=False)):
            points.sort()
            x = [accidental + 1.2 * (shift - 1) for accidental, _ in points]
            gain: list[Any] = [values[0] for _, values in points]
            reach = [[v[0] - v[1] for _, v in points], [v[2] - v[0] for _, v in points]]
            panel.errorbar(
                x, gain, reach, color=color, marker="o", markersize=4, capsize=2, label=f"{bait} %"
            )
        panel.axhline(0, color="#777777", linewidth=0.8)
        panel.set_title(title, loc="left", fontsize=9.5)
        panel.set_xticks([0, 30, 60])
        panel.set_xlabel("accidental clicks, %")
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("gain in noise-free CTR AUC")
    panels[0].legend(title="clicks on bait", frameon=False, fontsize=8, title_fontsize=8)
    with replacing_file(arguments.figure) as temporary:
        figure.savefig(temporary, format="svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
