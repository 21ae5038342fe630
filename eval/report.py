"""A run in, a table for the terminal or a self-contained HTML page out (no outside resources)."""

import html
import math
import unicodedata
from collections.abc import Sequence

from eval.calibrate import Calibration, calibrate
from eval.charts import bars, refusal_chart
from eval.ranking import Interval
from eval.runner import ANSWERS, RETRIEVAL, Row, Run
from eval.runs import Difference
from rag.config import AnswerConfig

LABELS = {
    "Success@1": "首条命中 hit@1",
    "Success@5": "前五命中 hit@5",
    "Success@10": "前十命中 hit@10",
    "R@5": "召回 recall@5",
    "R@10": "召回 recall@10",
    "RR@10": "MRR@10",
    "nDCG@10": "nDCG@10",
    "AP@10": "MAP@10",
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
CAUSES = {
    "refused": "误拒", "answered": "应拒未拒", "must": "缺要点", "precision": "引用不准",
    "recall": "引用不全", "verbatim": "引文不符", "error": "出错",
}  # fmt: skip
_SHOWN = ("Success@1", "Success@5", "RR@10", *ANSWERS)


def text_report(run: Run, differences: Sequence[Difference] = ()) -> str:
    """A table for the terminal."""
    lines = [f"{len(run.rows)} 个问题 · {run.split} · {run.model} · {run.answerer}", ""]
    for name, label in LABELS.items():
        if values := run.values(name):
            lines.append(f"{_pad(label, 20)}{_interval(run.mean(name))}  n={len(values)}")
    refusal = run.refusal
    lines += [
        "",
        f"{_pad('应拒的被拒答', 20)}{_number(refusal['unanswerable_refused'])}",
        f"{_pad('不应拒的被误拒', 20)}{_number(refusal['answerable_refused'])}",
        f"{_pad('拒答的准确率', 20)}{_number(refusal['precision'])}",
    ]
    p50, p95 = run.latency_ms
    lines += ["", f"用时 p50 {p50:.0f} ms, p95 {p95:.0f} ms", "", _type_table(run)]
    if differences:
        lines += ["", _text_differences(differences)]
    if run.problems:
        lines += ["", f"{len(run.problems)} 个问题未评测 (left out):", *run.problems[:20]]
    return "\n".join(lines)


def calibration_of(run: Run) -> Calibration:
    """The refusal curve of the run's dev questions, or of all where the run has none."""
    rows = [row for row in run.rows if row.split == "dev"] or run.rows
    return calibrate([(row.answerable, row.confidence) for row in rows])


def _type_table(run: Run) -> str:
    head = f"{'type':<14}{'n':>4}" + "".join(f"{name:>11}" for name in (*_SHOWN, "answered"))
    rows = [head]
    for kind in run.types:
        n = sum(row.type == kind for row in run.rows)
        cells = [run.values(name, kind) for name in _SHOWN]
        means = [f"{sum(c) / len(c):>11.3f}" if c else f"{'-':>11}" for c in cells]
        means.append(f"{run.answered[kind]:>11.3f}" if kind in run.answered else f"{'-':>11}")
        rows.append(f"{kind:<14}{n:>4}" + "".join(means))
    return "\n".join(rows)


def _text_differences(differences: Sequence[Difference]) -> str:
    rows = [f"{'':<20}{'before':>8}{'after':>8}{'change':>9}{'p':>8}{'n':>6}"]
    rows += [
        f"{_pad(LABELS[d.metric], 20)}{d.before:>8.3f}{d.after:>8.3f}{d.after - d.before:>+9.3f}"
        f"{d.p_value:>8.3f}{d.n_questions:>6}{'  *' if d.significant else ''}"
        for d in differences
    ]
    return "\n".join(rows)


def _pad(text: str, width: int) -> str:
    """Pad to a width in terminal columns, of which a Chinese character takes two."""
    columns = sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
    return text + " " * max(1, width - columns)


def _interval(value: Interval) -> str:
    return f"{value.mean:.3f}  [{value.low:.3f}, {value.high:.3f}]"


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"


# -- HTML ----------------------------------------------------------------------------------------

_STYLE = """
.report { --ink: #1c2733; --quiet: #56636f; --rule: #dfe5ea; --bar: #1f4e79; --track: #eef2f5;
  --bad: #b3261e; --third: #7a8794; --paper: #fff; color: var(--ink); background: var(--paper);
  font: 15px/1.7 "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", "Source Han Sans SC",
  system-ui, sans-serif; max-width: 960px; margin: 0 auto; padding: 24px 16px 48px; }
.report h1 { font-size: 24px; line-height: 1.3; margin: 0 0 4px; }
.report h2 { font-size: 18px; margin: 36px 0 10px; padding-top: 10px;
  border-top: 2px solid var(--bar); }
.report h3 { font-size: 15px; margin: 18px 0 6px; } .report .quiet { color: var(--quiet); }
.report .tiles { display: grid;
  grid-template-columns: repeat(auto-fit, minmax(116px, 1fr)); gap: 10px;
  margin: 20px 0 0; padding: 0; list-style: none; }
.report .tiles li { border: 1px solid var(--rule); border-radius: 6px; padding: 8px 12px; }
.report .tiles b { display: block; font-size: 22px; line-height: 1.4;
  font-variant-numeric: tabular-nums; }
.report table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
.report th, .report td { text-align: right; padding: 5px 8px; border-bottom: 1px solid var(--rule);
  white-space: nowrap; } .report thead th { color: var(--quiet); font-weight: 600; }
.report th:first-child, .report td:first-child { text-align: left; }
.report tbody th { font-weight: 400; }
.report .scroll { overflow-x: auto; } .report svg { max-width: 100%; height: auto; display: block; }
.report svg text { font-family: inherit; font-size: 13px; fill: var(--ink); }
.report svg text.quiet { fill: var(--quiet); font-size: 12px; }
.report svg text.figure { font-weight: 600; } .report .track { fill: var(--track); }
.report .bar { fill: var(--bar); } 
.report .whisker { stroke: var(--bad); stroke-width: 1.5; fill: none; }
.report .grid { stroke: var(--rule); } 
.report .mark { stroke: var(--quiet); stroke-dasharray: 4 3; }
.report .line { fill: none; stroke-width: 2; } .report .good { stroke: var(--bar); }
.report .bad { stroke: var(--bad); } 
.report .third { stroke: var(--third); stroke-dasharray: 2 3; }
.report details { border-bottom: 1px solid var(--rule); padding: 6px 0; }
.report summary { cursor: pointer; } 
.report summary:focus-visible { outline: 2px solid var(--bar); }
.report .tag { border: 1px solid var(--bad); color: var(--bad); border-radius: 3px; font-size: 12px;
  padding: 0 5px; margin-left: 6px; white-space: nowrap; }
.report .pair { display: grid;
  grid-template-columns: repeat(auto-fit, minmax(280px, 1fr)); gap: 0 20px; }
.report blockquote { margin: 2px 0 8px; padding: 2px 12px; border-left: 3px solid var(--rule);
  white-space: pre-wrap; overflow-wrap: anywhere; }
.report .gold blockquote { border-color: var(--bar); } .report .up { color: #17692f; }
.report .down { color: var(--bad); }
@media print { .report { padding: 0; font-size: 12px; } .report details { break-inside: avoid; }
  .report svg, .report tr { break-inside: avoid; } .report * { print-color-adjust: exact; } }
"""


def html_report(run: Run, differences: Sequence[Difference] = ()) -> str:
    """A whole page that can be kept, sent and printed."""
    return (
        '<!doctype html><html lang="zh-CN"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        # Whatever a question or a document holds, the page loads and runs nothing.
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'\">"
        f"<title>政问评测 {html.escape(run.date)}</title></head>"
        f'<body style="margin:0">{html_body(run, differences)}</body></html>'
    )


def html_body(run: Run, differences: Sequence[Difference] = ()) -> str:
    """The report without the page around it, for the evaluation tab."""
    about = f"{run.date} · {len(run.rows)} 个问题（{run.split}）· 模型 {run.model} · {run.answerer}"
    failed = [row for row in run.rows if row.failed]
    p50, p95 = run.latency_ms
    parts = [
        f'<style>{_STYLE}</style><div class="report"><h1>政问评测报告</h1>'
        f'<p class="quiet">{html.escape(about)}</p>{_tiles(run)}',
        f"<h2>总体</h2><p class='quiet'>红线为 95% 置信区间（自助法）。</p>"
        f"<h3>检索</h3>{_bars(run, RETRIEVAL)}<h3>回答</h3>{_bars(run, ANSWERS)}",
        _html_differences(differences) if differences else "",
        f"<h2>分题型</h2>{_html_types(run)}",
        f"<h2>拒答</h2>{_html_refusal(run)}",
        f"<h2>用时</h2><p>中位数 {p50:.0f} 毫秒，95% 的问题在 {p95:.0f} 毫秒以内。</p>",
        _html_problems(run),
        f"<h2>未完全答对的问题（{len(failed)}）</h2>{''.join(map(_html_failure, failed))}</div>",
    ]
    return "".join(parts)


def _tiles(run: Run) -> str:
    refusal = run.refusal
    tiles = [
        (LABELS[name], run.mean(name).mean)
        for name in ("Success@5", "must", "precision", "recall", "verbatim")
        if run.values(name)
    ]
    tiles += [
        ("应拒的被拒答", refusal["unanswerable_refused"]),
        ("误拒", refusal["answerable_refused"]),
    ]
    items = "".join(
        f'<li><b>{_number(value)}</b><span class="quiet">{html.escape(label)}</span></li>'
        for label, value in tiles
    )
    return f'<ul class="tiles">{items}</ul>'


def _bars(run: Run, names: Sequence[str]) -> str:
    return bars([(LABELS[name], run.mean(name)) for name in names if run.values(name)])


def _html_types(run: Run) -> str:
    head = "".join(f'<th scope="col">{html.escape(LABELS[name])}</th>' for name in _SHOWN)
    rows = []
    for kind in run.types:
        n = sum(row.type == kind for row in run.rows)
        cells = [run.values(name, kind) for name in _SHOWN]
        shown = "".join(f"<td>{sum(c) / len(c):.2f}</td>" if c else "<td>–</td>" for c in cells)
        whole = f"{run.answered[kind]:.2f}" if kind in run.answered else "–"
        name = html.escape(TYPES.get(kind, kind))
        rows.append(f'<tr><th scope="row">{name}</th><td>{n}</td>{shown}<td>{whole}</td></tr>')
    return (
        '<div class="scroll" tabindex="0"><table><thead><tr><th scope="col">题型</th>'
        f'<th scope="col">题数</th>{head}<th scope="col">完整答出</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _html_differences(differences: Sequence[Difference]) -> str:
    rows = []
    for d in differences:
        change = d.after - d.before
        look = "" if not d.significant else ' class="up"' if change > 0 else ' class="down"'
        rows.append(
            f'<tr><th scope="row">{html.escape(LABELS[d.metric])}</th><td>{d.before:.3f}</td>'
            f"<td>{d.after:.3f}</td><td{look}>{change:+.3f}</td><td>{d.p_value:.3f}</td>"
            f"<td>{d.n_questions}</td></tr>"
        )
    head = "".join(
        f'<th scope="col">{h}</th>' for h in ("", "此前", "本次", "变化", "p 值", "题数")
    )
    return (
        '<h2>与此前比较</h2><p class="quiet">配对置换检验；p 值小于 0.05 的变化着色。</p>'
        f'<div class="scroll" tabindex="0"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _html_refusal(run: Run) -> str:
    rates = run.refusal
    calibration = calibration_of(run)
    chosen = calibration.chosen
    return (
        f"<p>材料没有的问题，{_number(rates['unanswerable_refused'])} 被拒答；"
        f"材料有的问题，{_number(rates['answerable_refused'])} 被误拒；"
        f"拒答的准确率 {_number(rates['precision'])}。</p>"
        f"{refusal_chart(calibration, AnswerConfig().refuse_below)}"
        f'<p class="quiet">只看把握的话，误拒不超过 5% 的最佳阈值是 {chosen.threshold:.2f}：'
        f"应拒的拒答 {_number(chosen.recall)}，误拒 {_number(chosen.false)}，"
        f"准确率 {_number(chosen.precision)}。曲线取自开发集（没有开发集问题时取全部）。</p>"
    )


def _html_problems(run: Run) -> str:
    if not run.problems:
        return ""
    items = "".join(f"<li>{html.escape(problem)}</li>" for problem in run.problems)
    return f"<h2>未评测的问题（{len(run.problems)}）</h2><ul>{items}</ul>"


def _html_failure(row: Row) -> str:
    marks = "，".join(f"{LABELS[k]} {v:.2f}" for k, v in row.metrics.items() if k in ANSWERS)
    history = f"（此前问：{html.escape('；'.join(row.history))}）" if row.history else ""
    tags = "".join(f'<span class="tag">{html.escape(CAUSES.get(c, c))}</span>' for c in row.causes)
    facts = "；".join(" / ".join(fact) for fact in row.must)
    completed = row.completed if row.completed != row.question else ""
    notes = [marks, f"把握 {row.confidence:.2f}", f"要点：{facts}" if facts else ""]
    notes.append(f"补全为：{completed}" if completed else "")
    return (
        f"<details><summary>{html.escape(row.id)} · {html.escape(TYPES.get(row.type, row.type))} · "
        f"{html.escape(row.question)}{history}{tags}</summary>"
        f'<p class="quiet">{html.escape(" · ".join(filter(None, notes)))}</p>'
        f'<div class="pair"><div><h3>回答</h3>{_quotes([row.answer])}</div>'
        f'<div class="gold"><h3>标准依据</h3>{_quotes(row.gold or ["（材料没有）"])}</div></div>'
        f"<h3>检索到的前{len(row.retrieved)}段</h3>{_quotes(row.retrieved)}</details>"
    )


def _quotes(texts: Sequence[str]) -> str:
    return "".join(f"<blockquote>{html.escape(text)}</blockquote>" for text in texts)
