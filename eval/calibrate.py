"""Confidences of answers in, the threshold for refusing and its curve out.

A question is refused when the confidence of its answer is below the threshold. Refusing is right
for a question that the documents do not answer: precision is the share of refusals that are right,
recall the share of unanswerable questions that are refused.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

MAX_FALSE = 0.05  # of the answerable questions may be refused


@dataclass(frozen=True, slots=True)
class Point:
    """What a threshold does; NaN where there is nothing to divide by."""

    threshold: float
    precision: float
    recall: float  # share of the unanswerable questions that are refused
    false: float  # share of the answerable questions that are refused


@dataclass(frozen=True, slots=True)
class Calibration:
    """The whole curve, and the point that would be chosen from it."""

    points: tuple[Point, ...]
    chosen: Point

    def table(self) -> str:
        """The curve in steps of about 0.05, and the chosen point."""
        lines = ["threshold  precision  recall  answerable refused"]
        step = -1
        for point in self.points:
            if int(point.threshold * 20) > step or point is self.chosen:
                step = int(point.threshold * 20)
                mark = "  <- chosen" if point is self.chosen else ""
                lines.append(
                    f"{point.threshold:9.3f}  {_shown(point.precision):>9}  "
                    f"{_shown(point.recall):>6}  {_shown(point.false):>18}{mark}"
                )
        return "\n".join(lines)


def calibrate(pairs: Sequence[tuple[bool, float]], max_false: float = MAX_FALSE) -> Calibration:
    """The curve of `(answerable, confidence)` pairs and the best threshold that it allows.

    Of the thresholds that refuse at most `max_false` of the answerable questions, the one that
    refuses most of the others is chosen; among equals the one in the middle of the gap, because
    the next question will not have exactly these confidences.
    """
    values = sorted({confidence for _, confidence in pairs})
    between = [(low + high) / 2 for low, high in pairwise(values)]
    thresholds = sorted({0.0, *between, 1.0})
    points = tuple(_point(pairs, threshold) for threshold in thresholds)
    allowed = [p for p in points if math.isnan(p.false) or p.false <= max_false]
    best = max(0.0 if math.isnan(p.recall) else p.recall for p in allowed)
    equal = [p for p in allowed if math.isnan(p.recall) or p.recall == best]
    return Calibration(points, equal[len(equal) // 2])


def _point(pairs: Sequence[tuple[bool, float]], threshold: float) -> Point:
    refused = [answerable for answerable, confidence in pairs if confidence < threshold]
    n_answerable = sum(answerable for answerable, _ in pairs)
    return Point(
        threshold,
        precision=_ratio(refused.count(False), len(refused)),
        recall=_ratio(refused.count(False), len(pairs) - n_answerable),
        false=_ratio(refused.count(True), n_answerable),
    )


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else math.nan


def _shown(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"
