"""A run in, a table for the terminal or a self-contained HTML page out (no outside resources)."""

import html
import math
import unicodedata
from collections.abc import Sequence
from datetime import datetime

from corpus.errors import halves
from eval.calibrate import Calibration, calibrate
from eval.charts import bars, refusal_chart
from eval.ranking import Interval
from eval.runner import ANSWERS, RETRIEVAL, Row, Run
from eval.runs import Difference
from eval.words import CAUSES, LABELS, MODELS, SPLITS, TYPES, Lang, listed, named, say
from rag.config import AnswerConfig

_SHOWN = ("Success@1", "Success@5", "RR@10", *ANSWERS)


def text_report(run: Run, differences: Sequence[Difference] = (), lang: Lang = "zh") -> str:
    """A table for the terminal."""
    lines = [_about(run, lang), ""]
    for name in LABELS:
        if values := run.values(name):
            label = _pad(named(LABELS, name, lang), 20)
            lines.append(f"{label}{_interval(run.mean(name))}  n={len(values)}")
    refusal = run.refusal
    lines += [
        "",
        f"{_pad(say('due', lang), 23)}{_number(refusal['unanswerable_refused'])}",
        f"{_pad(say('undue', lang), 23)}{_number(refusal['answerable_refused'])}",
        f"{_pad(say('refusal_precision', lang), 23)}{_number(refusal['precision'])}",
    ]
    p50, p95 = run.latency_ms
    lines += ["", say("time_taken", lang, p50=p50, p95=p95), "", _type_table(run, lang)]
    if differences:
        lines += ["", _text_differences(differences, lang)]
    if run.problems:
        lines += ["", say("left_out", lang, n=len(run.problems)), *_problems(run, lang)[:20]]
    return "\n".join(lines)


def calibration_of(run: Run) -> Calibration:
    """The refusal curve of the run's dev questions, or of all where the run has none."""
    rows = [row for row in run.rows if row.split == "dev"] or run.rows
    return calibrate([(row.answerable, row.confidence) for row in rows])


def _about(run: Run, lang: Lang) -> str:
    return say(
        "about",
        lang,
        date=_local(run.date),
        n=len(run.rows),
        split=named(SPLITS, run.split, lang),
        model=named(MODELS, run.model, lang),
        answerer=named(MODELS, run.answerer, lang),
    )


def _local(date: str) -> str:
    """The time of a run, which is kept in UTC, as clocks here show it."""
    try:
        return datetime.fromisoformat(date).astimezone().strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return date


def _type_table(run: Run, lang: Lang) -> str:
    titles = [*_SHOWN, say("whole", lang)]
    head = _pad(say("type", lang), 22) + f"{'n':>4}" + "".join(_pad_left(t, 18) for t in titles)
    rows = [head]
    for kind in run.types:
        n = sum(row.type == kind for row in run.rows)
        cells = [run.values(name, kind) for name in _SHOWN]
        means = [f"{sum(c) / len(c):.3f}" if c else "-" for c in cells]
        means.append(f"{run.answered[kind]:.3f}" if kind in run.answered else "-")
        shown = "".join(f"{mean:>18}" for mean in means)
        rows.append(f"{_pad(named(TYPES, kind, lang), 22)}{n:>4}{shown}")
    return "\n".join(rows)


def _text_differences(differences: Sequence[Difference], lang: Lang) -> str:
    titles = [say(key, lang) for key in ("before", "after", "change", "p_value")]
    rows = [" " * 20 + "".join(_pad_left(title, 9) for title in titles) + f"{'n':>6}"]
    rows += [
        f"{_pad(named(LABELS, d.metric, lang), 20)}{d.before:>9.3f}{d.after:>9.3f}"
        f"{d.after - d.before:>+9.3f}{d.p_value:>9.3f}{d.n_questions:>6}"
        f"{'  *' if d.significant else ''}"
        for d in differences
    ]
    return "\n".join(rows)


def _pad(text: str, width: int) -> str:
    """Pad to a width in terminal columns, of which a Chinese character takes two."""
    return text + " " * max(1, width - _columns(text))


def _pad_left(text: str, width: int) -> str:
    return " " * max(1, width - _columns(text)) + text


def _columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


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


def html_report(run: Run, differences: Sequence[Difference] = (), lang: Lang = "zh") -> str:
    """A whole page that can be kept, sent and printed."""
    return (
        f'<!doctype html><html lang="{"zh-CN" if lang == "zh" else "en"}"><head>'
        '<meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        # Whatever a question or a document holds, the page loads and runs nothing.
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'\">"
        f"<title>{html.escape(say('title', lang))} {html.escape(_local(run.date))}</title></head>"
        f'<body style="margin:0">{html_body(run, differences, lang)}</body></html>'
    )


def html_body(run: Run, differences: Sequence[Difference] = (), lang: Lang = "zh") -> str:
    """The report without the page around it, for the evaluation tab."""
    failed = [row for row in run.rows if row.failed]
    failures = "".join(_html_failure(row, lang) for row in failed)
    p50, p95 = run.latency_ms

    def title(key: str, level: int = 2, **values: object) -> str:
        return f"<h{level}>{html.escape(say(key, lang, **values))}</h{level}>"

    parts = [
        f'<style>{_STYLE}</style><div class="report">{title("title", 1)}'
        f'<p class="quiet">{html.escape(_about(run, lang))}</p>{_tiles(run, lang)}',
        f'{title("overall")}<p class="quiet">{say("intervals", lang)}</p>'
        f"{title('retrieval', 3)}{_bars(run, RETRIEVAL, lang)}"
        f"{title('answers', 3)}{_bars(run, ANSWERS, lang)}",
        _html_differences(differences, lang) if differences else "",
        f"{title('by_type')}{_html_types(run, lang)}",
        f"{title('refusal')}{_html_refusal(run, lang)}",
        f"{title('time')}<p>{say('time_taken', lang, p50=p50, p95=p95)}</p>",
        _html_problems(run, lang),
        title("failed", n=len(failed)) + (failures or f"<p>{say('all_right', lang)}</p>"),
        "</div>",
    ]
    return "".join(parts)


def _tiles(run: Run, lang: Lang) -> str:
    refusal = run.refusal
    tiles = [
        (named(LABELS, name, lang), run.mean(name).mean)
        for name in ("Success@5", "must", "precision", "recall", "verbatim")
        if run.values(name)
    ]
    tiles += [
        (say("due", lang), refusal["unanswerable_refused"]),
        (say("undue", lang), refusal["answerable_refused"]),
    ]
    items = "".join(
        f'<li><b>{_number(value)}</b><span class="quiet">{html.escape(label)}</span></li>'
        for label, value in tiles
    )
    return f'<ul class="tiles">{items}</ul>'


def _bars(run: Run, names: Sequence[str], lang: Lang) -> str:
    shown = [name for name in names if run.values(name)]
    return bars([(named(LABELS, name, lang), run.mean(name)) for name in shown])


def _html_types(run: Run, lang: Lang) -> str:
    rows = []
    for kind in run.types:
        n = sum(row.type == kind for row in run.rows)
        cells = [run.values(name, kind) for name in _SHOWN]
        values = [str(n), *(f"{sum(c) / len(c):.2f}" if c else "–" for c in cells)]
        values.append(f"{run.answered[kind]:.2f}" if kind in run.answered else "–")
        rows.append((named(TYPES, kind, lang), "".join(f"<td>{v}</td>" for v in values)))
    titles = [say("type", lang), say("questions", lang)]
    titles += [named(LABELS, name, lang) for name in _SHOWN]
    return _html_table([*titles, say("whole", lang)], rows)


def _html_differences(differences: Sequence[Difference], lang: Lang) -> str:
    rows = []
    for d in differences:
        change = d.after - d.before
        look = "" if not d.significant else ' class="up"' if change > 0 else ' class="down"'
        cells = (
            f"<td>{d.before:.3f}</td><td>{d.after:.3f}</td><td{look}>{change:+.3f}</td>"
            f"<td>{d.p_value:.3f}</td><td>{d.n_questions}</td>"
        )
        rows.append((named(LABELS, d.metric, lang), cells))
    titles = [say(key, lang) for key in ("before", "after", "change", "p_value", "questions")]
    return (
        f"<h2>{html.escape(say('compared', lang))}</h2>"
        f'<p class="quiet">{html.escape(say("compared_how", lang))}</p>'
        f"{_html_table(['', *titles], rows)}"
    )


def _html_table(titles: Sequence[str], rows: Sequence[tuple[str, str]]) -> str:
    """`rows` are a name and the cells after it, which are markup already."""
    head = "".join(f'<th scope="col">{html.escape(title)}</th>' for title in titles)
    body = "".join(f'<tr><th scope="row">{html.escape(n)}</th>{cells}</tr>' for n, cells in rows)
    return (
        f'<div class="scroll" tabindex="0"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _html_refusal(run: Run, lang: Lang) -> str:
    rates = run.refusal
    calibration = calibration_of(run)
    chosen = calibration.chosen
    said = say(
        "refusal_rates",
        lang,
        due=_number(rates["unanswerable_refused"]),
        undue=_number(rates["answerable_refused"]),
        precision=_number(rates["precision"]),
    )
    best = say(
        "best_threshold",
        lang,
        threshold=chosen.threshold,
        recall=_number(chosen.recall),
        false=_number(chosen.false),
        precision=_number(chosen.precision),
    )
    return (
        f"<p>{html.escape(said)}</p>"
        f"{refusal_chart(calibration, AnswerConfig().refuse_below, lang)}"
        f'<p class="quiet">{html.escape(best)}</p>'
    )


def _problems(run: Run, lang: Lang) -> list[str]:
    return [halves(problem)[lang == "en"] for problem in run.problems]


def _html_problems(run: Run, lang: Lang) -> str:
    if not run.problems:
        return ""
    items = "".join(f"<li>{html.escape(problem)}</li>" for problem in _problems(run, lang))
    return f"<h2>{html.escape(say('left_out', lang, n=len(run.problems)))}</h2><ul>{items}</ul>"


def _html_failure(row: Row, lang: Lang) -> str:
    history = say("history", lang, asked=listed(list(row.history), lang)) if row.history else ""
    tags = "".join(
        f'<span class="tag">{html.escape(named(CAUSES, cause, lang))}</span>'
        for cause in row.causes
    )
    notes = [f"{named(LABELS, k, lang)} {v:.2f}" for k, v in row.metrics.items() if k in ANSWERS]
    notes.append(say("confidence", lang, value=row.confidence))
    if row.must:
        facts = listed([" / ".join(fact) for fact in row.must], lang)
        notes.append(say("facts", lang, facts=facts))
    if row.completed != row.question:
        notes.append(say("completed", lang, question=row.completed))
    gold = row.gold or [say("no_gold", lang)]
    retrieved = say("retrieved", lang, n=len(row.retrieved))
    return (
        f"<details><summary>{html.escape(row.id)} · {html.escape(named(TYPES, row.type, lang))} · "
        f"{html.escape(row.question)}{html.escape(history)}{tags}</summary>"
        f'<p class="quiet">{html.escape(" · ".join(notes))}</p>'
        f'<div class="pair"><div><h3>{say("answer", lang)}</h3>{_quotes([row.answer])}</div>'
        f'<div class="gold"><h3>{say("gold", lang)}</h3>{_quotes(gold)}</div></div>'
        f"<h3>{html.escape(retrieved)}</h3>{_quotes(row.retrieved)}</details>"
    )


def _quotes(texts: Sequence[str]) -> str:
    return "".join(f"<blockquote>{html.escape(text)}</blockquote>" for text in texts)
