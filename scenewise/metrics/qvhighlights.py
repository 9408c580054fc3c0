"""The report of QVHighlights' evaluator, under its own names: percent with two decimals.

It knows names and rounding, so that a figure can be laid beside a published table; the formulas
are those of ``moments`` and ``highlights``.
"""

from __future__ import annotations

from typing import Any

from scenewise.metrics.highlights import HighlightFigures
from scenewise.metrics.moments import AP_IOUS, MomentFigures


def qvhighlights_report(
    moments: MomentFigures | None = None, highlights: HighlightFigures | None = None
) -> dict[str, Any]:
    """``brief`` and the whole arrays, as ``standalone_eval`` writes them to its JSON.

    A length that no true window has is left out, where the evaluator would write nan.
    """
    brief: dict[str, float] = {}
    report: dict[str, Any] = {"brief": brief}
    if moments is not None:
        for name, part in {"full": moments, **moments.by_length}.items():
            if part.queries:
                report[name] = _moments(part)
                brief[f"MR-{name}-mAP"] = report[name]["MR-mAP"]["average"]
        for iou in ("0.5", "0.75"):
            brief[f"MR-full-mAP@{iou}"] = report["full"]["MR-mAP"][iou]
        for iou in ("0.5", "0.7"):
            brief[f"MR-full-R1@{iou}"] = report["full"]["MR-R1"][iou]
    if highlights is not None:
        for level, figures in highlights.levels.items():
            precision, hit = percent(figures.mean_average_precision), percent(figures.hit_at_1)
            report[f"HL-min-{level}"] = {"HL-mAP": precision, "HL-Hit1": hit}
            brief[f"HL-min-{level}-mAP"], brief[f"HL-min-{level}-Hit1"] = precision, hit
    return report


def percent(share: float) -> float:
    """A share in percent with two decimals, rounded as the evaluator rounds."""
    return float(f"{100 * share:.2f}")


def _moments(part: MomentFigures) -> dict[str, dict[str, float]]:
    precision = {str(iou): percent(part.precision[iou]) for iou in AP_IOUS}
    recall = {str(iou): percent(part.recall[1][iou]) for iou in AP_IOUS}
    precision["average"] = percent(part.mean_average_precision)
    return {"MR-mAP": precision, "MR-R1": recall}
