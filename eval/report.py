"""A run in, a table for the terminal or a self-contained HTML page out (no outside resources)."""

import html
import math
from collections.abc import Sequence

from eval.ranking import Interval
from eval.runner import ANSWERS, Row, Run, refusal_curve

LABELS = {
    "Success@1": "首条命中 hit@1",
    "Success@5": "前五命中 hit@5",
    "Success@10": "前十命中 hit@10",
    "R@5": "召回 recall@5",
    "R@10": "召回 recall@10",
    "RR@10": "MRR@10",
    "nDCG@10": "nDCG@10",
    "must": "要点齐全",
    "precision": "引用准确",
    "recall": "引用完整",
    "verbatim": "逐字一致",
}
TYPES = {
    "fact": "事实", "how": "做法", "list": "清单", "multi": "多案例", "compare": "比较",
    "count": "计数", "paraphrase": "换说法", "followup": "追问", "unanswerable": "材料没有",
    "typo": "错别字", "english": "英文",
}  # fmt: skip
_SHOWN = ("Success@1", "Success@5", "RR@10", *ANSWERS)


def text_report(run: Run) -> str:
    """A table for the terminal."""
    lines = [f"{len(run.rows)} 个问题 · {run.split} · {run.model} · {run.answerer}", ""]
    for name, label in LABELS.items():
        if run.values(name):
            lines.append(f"{label:<22}{_interval(run.mean(name))}  n={len(run.values(name))}")
    lines += ["", "拒答 refusal"]
    lines += [f"  {k:<24}{_number(v)}" for k, v in run.refusal.items()]
    p50, p95 = run.latency_ms
    lines += ["", f"用时 p50 {p50:.0f} ms, p95 {p95:.0f} ms", "", _type_table(run)]
    return "\n".join(lines)


def _type_table(run: Run) -> str:
    head = f"{'type':<14}{'n':>4}" + "".join(f"{name:>11}" for name in _SHOWN)
    rows = [head]
    for kind in run.types:
        n = sum(row.type == kind for row in run.rows)
        cells = [run.values(name, kind) for name in _SHOWN]
        means = [f"{sum(c) / len(c):>11.3f}" if c else f"{'-':>11}" for c in cells]
        rows.append(f"{kind:<14}{n:>4}" + "".join(means))
    return "\n".join(rows)


def _interval(value: Interval) -> str:
    return f"{value.mean:.3f}  [{value.low:.3f}, {value.high:.3f}]"


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"


# -- HTML ----------------------------------------------------------------------------------------

_STYLE = """
.report { font: 15px/1.7 system-ui, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC",
  sans-serif; color: #1d2733; max-width: 960px; margin: 0 auto; padding: 24px 16px; }
.report h1 { font-size: 24px; margin: 0 0 4px; } .report h2 { font-size: 18px; margin: 32px 0 8px; }
.report .muted { color: #5a6675; } .report table { border-collapse: collapse; width: 100%; }
.report th, .report td { text-align: right; padding: 5px 8px; border-bottom: 1px solid #e3e8ee; }
.report th:first-child, .report td:first-child { text-align: left; }
.report .scroll { overflow-x: auto; } .report svg { max-width: 100%; height: auto; }
.report svg text { font: 13px system-ui, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC",
  sans-serif; fill: #1d2733; }
.report details { border-top: 1px solid #e3e8ee; padding: 8px 0; }
.report summary { cursor: pointer; } .report blockquote { margin: 4px 0 8px; padding: 2px 12px;
  border-left: 3px solid #1f4e79; white-space: pre-wrap; }
@media print { .report details { break-inside: avoid; } }
"""


def html_report(run: Run) -> str:
    """A whole page that can be kept, sent and printed."""
    return (
        '<!doctype html><html lang="zh-CN"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>政问评测 {html.escape(run.date)}</title></head>"
        f"<body>{html_body(run)}</body></html>"
    )


def html_body(run: Run) -> str:
    """The report without the page around it, for the evaluation tab."""
    overall = [(LABELS[n], run.mean(n)) for n in LABELS if run.values(n)]
    p50, p95 = run.latency_ms
    about = f"{run.date} · {len(run.rows)} 个问题（{run.split}）· 模型 {run.model} · {run.answerer}"
    failed = [row for row in run.rows if row.failed]
    return (
        f'<style>{_STYLE}</style><div class="report"><h1>政问评测报告</h1>'
        f'<p class="muted">{html.escape(about)}</p>'
        f"<h2>总体（横线为 95% 置信区间）</h2>{bars(overall)}"
        f"<h2>分题型</h2>{_html_types(run)}"
        f"<h2>拒答</h2>{_html_refusal(run)}{curve(run)}"
        f"<h2>用时</h2><p>中位数 {p50:.0f} 毫秒，95% 的问题在 {p95:.0f} 毫秒以内。</p>"
        f"<h2>未完全答对的问题（{len(failed)}）</h2>{''.join(map(_html_failure, failed))}</div>"
    )


def bars(values: Sequence[tuple[str, Interval]]) -> str:
    """Horizontal bars from 0 to 1 with confidence intervals, as SVG."""
    height = 30 * len(values) + 10
    rows = []
    for i, (label, value) in enumerate(values):
        y = 30 * i + 6
        x0, x1, mean = (170 + 480 * v for v in (value.low, value.high, value.mean))
        rows.append(
            f'<text x="0" y="{y + 15}">{html.escape(label)}</text>'
            f'<rect x="170" y="{y}" width="480" height="20" fill="#eef2f6"/>'
            f'<rect x="170" y="{y}" width="{mean - 170:.1f}" height="20" fill="#1f4e79"/>'
            f'<path d="M{x0:.1f} {y + 10}H{x1:.1f}" stroke="#c8102e" stroke-width="2"/>'
            f'<text x="660" y="{y + 15}">{value.mean:.3f}</text>'
        )
    described = "；".join(f"{label} {value.mean:.3f}" for label, value in values)
    return (
        f'<svg viewBox="0 0 720 {height}" width="720" role="img" '
        f'aria-label="{html.escape(described)}">{"".join(rows)}</svg>'
    )


def curve(run: Run) -> str:
    """Both refusal rates over the threshold of the confidence, as SVG."""
    points = refusal_curve(run)
    lines = []
    for key, colour, label in (
        ("unanswerable_refused", "#1f4e79", "材料没有的问题被拒答"),
        ("answerable_refused", "#c8102e", "材料有的问题被误拒"),
    ):
        known = [(t, rates[key]) for t, rates in points if not math.isnan(rates[key])]
        if known:
            path = " ".join(f"{60 + 560 * t:.1f},{210 - 180 * rate:.1f}" for t, rate in known)
            y = 24 if colour == "#1f4e79" else 44
            lines.append(
                f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
                f'<path d="M70 {y - 4}h24" stroke="{colour}" stroke-width="2"/>'
                f'<text x="100" y="{y}">{label}</text>'
            )
    grid = "".join(
        f'<path d="M60 {210 - 180 * v}h560" stroke="#e3e8ee"/>'
        f'<text x="24" y="{215 - 180 * v}">{v}</text>'
        f'<text x="{52 + 560 * v}" y="230">{v}</text>'
        for v in (0, 0.5, 1)
    )
    return (
        '<svg viewBox="0 0 680 250" width="680" role="img" aria-label="拒答率随阈值变化">'
        f'{grid}{"".join(lines)}<text x="300" y="248">拒答阈值</text></svg>'
    )


def _html_types(run: Run) -> str:
    head = "".join(f"<th>{html.escape(LABELS[name])}</th>" for name in _SHOWN)
    rows = []
    for kind in run.types:
        n = sum(row.type == kind for row in run.rows)
        cells = [run.values(name, kind) for name in _SHOWN]
        shown = "".join(f"<td>{sum(c) / len(c):.2f}</td>" if c else "<td>–</td>" for c in cells)
        rows.append(f"<tr><td>{html.escape(TYPES.get(kind, kind))}</td><td>{n}</td>{shown}</tr>")
    return (
        f'<div class="scroll"><table><tr><th>题型</th><th>题数</th>{head}</tr>'
        f"{''.join(rows)}</table></div>"
    )


def _html_refusal(run: Run) -> str:
    rates = run.refusal
    return (
        f"<p>材料没有的问题，{_number(rates['unanswerable_refused'])} 被拒答；"
        f"材料有的问题，{_number(rates['answerable_refused'])} 被误拒；"
        f"拒答的准确率 {_number(rates['precision'])}。</p>"
    )


def _html_failure(row: Row) -> str:
    gold = "\n".join(row.gold) or "（材料没有）"
    marks = "，".join(f"{LABELS[k]} {v:.2f}" for k, v in row.metrics.items() if k in ANSWERS)
    history = f"（此前问：{html.escape('；'.join(row.history))}）" if row.history else ""
    return (
        f"<details><summary>{html.escape(row.id)} · {html.escape(TYPES.get(row.type, row.type))} · "
        f"{html.escape(row.question)}{history}</summary>"
        f'<p class="muted">{marks or "应拒答而未拒答"} · 把握 {row.confidence:.2f}</p>'
        f"<p>回答</p><blockquote>{html.escape(row.answer)}</blockquote>"
        f"<p>标准依据</p><blockquote>{html.escape(gold)}</blockquote>"
        f"<p>检索到的前三段</p><blockquote>{html.escape(chr(10).join(row.retrieved))}</blockquote>"
        "</details>"
    )
