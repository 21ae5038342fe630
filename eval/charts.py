"""Figures in, SVG drawings out: no scripts, nothing from outside, a description for every one.

Colours are taken from the classes of the report's style sheet, so that they follow its themes.
"""

import html
import math
from collections.abc import Sequence

from eval.calibrate import Calibration
from eval.ranking import Interval
from eval.words import Lang, say

_ROW = 30  # height of one bar with its gap, px
_LEFT, _WIDTH = 176, 420  # where bars begin, and the length of a whole one


def bars(values: Sequence[tuple[str, Interval]]) -> str:
    """Horizontal bars from 0 to 1 with whiskers for the 95 % intervals."""
    rows = []
    for i, (label, value) in enumerate(values):
        y = _ROW * i + 6
        low, high = (_LEFT + _WIDTH * v for v in (value.low, value.high))
        rows.append(
            f'<text x="0" y="{y + 15}">{html.escape(label)}</text>'
            f'<rect class="track" x="{_LEFT}" y="{y}" width="{_WIDTH}" height="20" rx="3"/>'
            f'<rect class="bar" x="{_LEFT}" y="{y}" width="{_WIDTH * value.mean:.1f}" height="20" '
            f'rx="3"/><path class="whisker" d="M{low:.1f} {y + 10}H{high:.1f}M{low:.1f} {y + 5}v10'
            f'M{high:.1f} {y + 5}v10"/><text class="figure" x="{_LEFT + _WIDTH + 10}" y="{y + 15}">'
            f'{value.mean:.3f}</text><text class="quiet" x="{_LEFT + _WIDTH + 56}" y="{y + 15}">'
            f"{value.low:.2f}–{value.high:.2f}</text>"
        )
    described = "；".join(f"{label} {value.mean:.3f}" for label, value in values)
    return _svg(720, _ROW * len(values) + 8, described, "".join(rows))


def refusal_chart(
    calibration: Calibration, threshold: float | None = None, lang: Lang = "zh"
) -> str:
    """Both refusal rates and the precision of refusing over the threshold of the confidence.

    `threshold` is the one in use, if it is known; it is drawn beside the one that fits best.
    """
    lines = []
    points = calibration.points
    series = (
        ("good", say("curve_due", lang), [(p.threshold, p.recall) for p in points]),
        ("bad", say("curve_undue", lang), [(p.threshold, p.false) for p in points]),
        ("third", say("refusal_precision", lang), [(p.threshold, p.precision) for p in points]),
    )
    for i, (name, label, line) in enumerate(series):
        known = [(t, value) for t, value in line if not math.isnan(value)]
        if known:
            path = " ".join(f"{_x(t):.1f},{_y(value):.1f}" for t, value in known)
            at = 46 + 200 * i
            lines.append(
                f'<polyline class="line {name}" points="{path}"/>'
                f'<path class="line {name}" d="M{at} 12h22"/>'
                f'<text x="{at + 28}" y="16">{label}</text>'
            )
    marks = [(calibration.chosen.threshold, say("best", lang))]
    if threshold is not None:
        marks.append((threshold, say("in_use", lang)))
    for i, (value, label) in enumerate(marks):
        lines.append(
            f'<path class="mark" d="M{_x(value):.1f} {_y(1)}V{_y(0)}"/>'
            f'<text class="quiet" x="{_x(value) + 4:.1f}" y="{_y(0.9) + 16 * i:.1f}">'
            f"{label} {value:.2f}</text>"
        )
    grid = "".join(
        f'<path class="grid" d="M46 {_y(v):.1f}h580"/>'
        f'<text class="quiet" x="12" y="{_y(v) + 4:.1f}">{v:g}</text>'
        f'<text class="quiet" x="{_x(v) - 8:.1f}" y="{_y(0) + 18:.1f}">{v:g}</text>'
        for v in (0, 0.25, 0.5, 0.75, 1)
    )
    chosen = calibration.chosen
    described = say(
        "curve",
        lang,
        threshold=chosen.threshold,
        recall=_percent(chosen.recall),
        false=_percent(chosen.false),
    )
    axis = f'<text class="quiet" x="{_x(0.5) - 40:.0f}" y="278">{say("threshold", lang)}</text>'
    return _svg(680, 286, described, grid + "".join(lines) + axis)


def _x(value: float) -> float:
    return 46 + 580 * value


def _y(value: float) -> float:
    return 238 - 206 * value


def _svg(width: int, height: int, described: str, content: str) -> str:
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" role="img" '
        f'aria-label="{html.escape(described)}">{content}</svg>'
    )


def _percent(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.0%}"
