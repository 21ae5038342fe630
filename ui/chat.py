"""Answers in, markup out: the left side of the page.

Pure functions: the same answer and language give the same escaped HTML. A citation is a button
whose `data-c` is its place in the `data-citations` list of its message, so that a message carries
all that the source pane needs, today or after a reload.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict

from corpus.outline import chinese_numeral
from rag.types import NOT_FOUND, Answer, Citation, Sentence, Stage
from ui.markup import escape, icon, icon_button, marked
from ui.text import CAUSES, Lang, say
from ui.verdicts import render_verdict

EXPORTS = ("docx", "md")  # the kinds of files that `ui.export` writes


def render_turn(
    answer: Answer,
    lang: Lang,
    *,
    kept: tuple[int, int] = (0, 0),
    rating: str = "",
    warning: str = "",
) -> str:
    """A question and its answer.

    Parameters
    ----------
    kept
        The numbers of the conversation and the message under which the answer is kept; zeros if
        it could not be saved: it can then be neither rated nor exported.
    rating
        "" or "good" or one of `CAUSES`.
    warning
        What to know about it beyond the answer: that it was not saved, say.
    """
    citations = [*answer.citations, *answer.nearest]
    payload = escape(json.dumps([citation_data(c) for c in citations], ensure_ascii=False))
    body = _refusal(answer, lang) if answer.refused else _body(answer, lang)
    notice = answer.notice_en if lang == "en" and answer.notice_en else answer.notice
    warnings = "".join(f'<p class="warn">{escape(w)}</p>' for w in (notice, warning) if w)
    note = f'<p class="note">{icon("info")}<span>{escape(answer.note)}</span></p>'
    return (
        f'<article class="turn{" refused" if answer.refused else ""}" data-message="{kept[1]}" '
        f'data-citations="{payload}" '
        f'data-question="{escape(answer.question)}">'
        f"{render_question(answer.question)}"
        f'<div class="a">{understood(answer, lang)}'
        f'<div class="body">{body}</div>'
        f"{note if answer.note else ''}"
        f"{_sources(answer, lang)}"
        f"{warnings}"
        f"{_footer(answer, lang, kept, rating)}</div></article>"
    )


def render_question(question: str) -> str:
    """What the user asked, line breaks kept."""
    return f'<h2 class="q"><span>{escape(question)}</span></h2>'


def render_live(
    question: str, lang: Lang, *, text: str = "", stages: Sequence[Stage] = (), notice: str = ""
) -> str:
    """An answer that is still being written: `text` as far as it goes, not checked yet."""
    shown = f'<p class="draft">{escape(text)}<span class="caret"></span></p>' if text else ""
    step = f"working_{stages[-1].name}" if stages else "working"
    busy = escape(notice or say(step, lang))
    return (
        f'<article class="turn live" aria-busy="true">{render_question(question)}<div class="a">'
        f'<div class="body">{shown}</div>'
        f'<p class="progress"><span class="pulse"></span><span>{busy}</span>'
        f"{render_stages(stages, lang)}</p></div></article>"
    )


def render_failed(question: str, lang: Lang, message: str, *, text: str = "") -> str:
    """A question that got no answer, with the reason and a way to ask again."""
    draft = f'<p class="draft">{escape(text)}</p>' if text else ""
    retry = (
        f'<button type="button" class="tb" data-do="retry">{icon("retry")}'
        f"<span>{escape(say('retry', lang))}</span></button>"
    )
    return (
        f'<article class="turn" data-question="{escape(question)}">{render_question(question)}'
        f'<div class="a"><div class="body">{draft}<p class="warn" role="alert">{escape(message)}'
        f'</p></div><footer class="meta">{retry}</footer></div></article>'
    )


def understood(answer: Answer, lang: Lang) -> str:
    """The completed question of a follow-up, which can be taken back into the question box."""
    if answer.completed_question in ("", answer.question):
        return ""
    question = escape(answer.completed_question)
    return (
        f'<p class="understood"><span>{escape(say("understood", lang))}<b>{question}</b></span>'
        f'<button type="button" class="link" data-do="edit" data-text="{question}">'
        f"{escape(say('edit_question', lang))}</button></p>"
    )


def render_stages(stages: Sequence[Stage], lang: Lang) -> str:
    """检索 12 毫秒 → 排序 … in small type; nothing before the first stage has ended."""
    if not stages:
        return ""
    items = "".join(
        f"<li>{escape(say('stage_' + stage.name, lang))}"
        f" <span>{escape(_duration(stage.seconds, lang))}</span></li>"
        for stage in stages
    )
    return f'<ol class="stages">{items}</ol>'


def render_sentence(sentence: Sentence, answer: Answer, lang: Lang) -> str:
    """A sentence with its answering words bold, its citations, its verdict."""
    support = sentence.support
    failed = support is not None and not support.supported
    cites = "".join(_cite(n, answer, lang) for n in sentence.citations)
    words = marked(sentence.text, [("<b>", sentence.marks)])
    tail = f'<span class="nb">{cites}{render_verdict(sentence.support, lang)}</span>'
    return f'<span class="s{" failed" if failed else ""}">{words}{tail}</span>'


def citation_data(citation: Citation) -> dict[str, object]:
    """A citation as the page carries it; the key names are those of `Citation`."""
    return asdict(citation)


def citation_from(data: object) -> Citation:
    """Read back what `citation_data` wrote and a browser returned.

    Raises
    ------
    ValueError
        If it is anything else: the browser is not trusted.
    """
    if not isinstance(data, dict):
        raise ValueError("citation: expected an object")
    try:
        case, page = data.get("case"), data.get("page")
        return Citation(
            n=int(data["n"]),
            document=str(data["document"]),
            document_id=int(data["document_id"]),
            case=None if case is None else int(case),
            case_title=str(data["case_title"]),
            section=str(data["section"]),
            chunk_id=int(data["chunk_id"]),
            start=int(data["start"]),
            end=int(data["end"]),
            quote=str(data["quote"]),
            marks=tuple((int(a), int(b)) for a, b in data.get("marks") or ()),
            page=None if page is None else int(page),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"citation: {error}") from error


def reference(citation: Citation, lang: Lang) -> str:
    """《document》案例四·section（第 N 页）: how officials name a place in a text."""
    parts = [case_name(citation.case, lang)] if citation.case is not None else []
    if citation.section:
        parts.append(citation.section)
    page = ""
    if citation.page:
        words = say("page_n", lang, n=citation.page)
        page = f"（{words}）" if lang == "zh" else f" ({words})"
    return f"《{citation.document}》{'·'.join(parts)}{page}"


def case_name(case: int | None, lang: Lang) -> str:
    """案例十四, or Case 14; empty for text outside cases."""
    if case is None:
        return ""
    return say("case_n", lang, n=chinese_numeral(case) if lang == "zh" else case)


def plain_answer(answer: Answer, lang: Lang) -> str:
    """The answer and its sources as text for the clipboard."""
    lines = [answer.answer.strip()]
    if answer.note and answer.note not in answer.answer:
        lines.append(f"{say('note', lang)}：{answer.note}")
    if answer.citations:
        lines.append("")
        lines += [f"[{c.n}] “{c.quote.strip()}”（{reference(c, lang)}）" for c in answer.citations]
    return "\n".join([*lines, "", say("disclaimer", lang)])


def _body(answer: Answer, lang: Lang) -> str:
    in_table = _in_table(answer)
    lead = f'<p class="lead">{escape(answer.lead)}</p>' if answer.lead else ""
    blocks: list[str] = []
    group = ""
    for indexes in _blocks(answer):
        shown = [i for i in indexes if i not in in_table]
        if not shown:
            continue
        name = answer.sentences[shown[0]].group
        if name != group:
            group = name
            blocks.append(f'<h3 class="group">{escape(name)}</h3>' if name else "")
        text = "".join(render_sentence(answer.sentences[i], answer, lang) for i in shown)
        blocks.append(f'<p class="line">{text}</p>')
    one = " single" if sum(b.startswith("<p") for b in blocks) == 1 else ""
    lines = f'<div class="lines{one}">{"".join(blocks)}</div>' if blocks else ""
    return lead + lines + _table(answer, lang)


def _in_table(answer: Answer) -> frozenset[int]:
    rows = answer.table.cells if answer.table else ()
    return frozenset(i for row in rows for cell in row for i in cell)


def _blocks(answer: Answer) -> list[list[int]]:
    """Indexes of the sentences, one list per line of the answer's own text."""
    blocks: list[list[int]] = []
    at = 0
    for i, sentence in enumerate(answer.sentences):
        found = answer.answer.find(sentence.text.strip(), at)
        same_line = found >= 0 and "\n" not in answer.answer[at:found]
        same_group = bool(blocks) and answer.sentences[blocks[-1][0]].group == sentence.group
        if blocks and same_line and same_group:
            blocks[-1].append(i)
        else:
            blocks.append([i])
        if found >= 0:
            at = found + len(sentence.text.strip())
    return blocks


def _table(answer: Answer, lang: Lang) -> str:
    table = answer.table
    if table is None:
        return ""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in table.columns)
    several = " several" if table.cells and len(table.cells[0]) > 1 else ""
    rows = []
    for name, cells in zip(table.rows, table.cells, strict=True):
        # On a phone the columns stand below each other, each under its name.
        heads = table.columns[-len(cells) :]
        columns = "".join(
            f'<td data-name="{escape(head)}">{_cell(cell, answer, lang)}</td>'
            for head, cell in zip(heads, cells, strict=True)
        )
        rows.append(f'<tr><th scope="row">{escape(name)}</th>{columns}</tr>')
    # A column per cell; when the columns name the row heads too, there is no empty corner.
    corner = "<td></td>" if not rows or len(table.columns) == len(table.cells[0]) else ""
    return (
        f'<div class="scroll" tabindex="0"><table class="compare{several}">'
        f"<thead><tr>{corner}{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _cell(indexes: Sequence[int], answer: Answer, lang: Lang) -> str:
    known = [i for i in indexes if 0 <= i < len(answer.sentences)]
    if not known:
        return '<span class="none">—</span>'
    return "".join(f"<p>{render_sentence(answer.sentences[i], answer, lang)}</p>" for i in known)


def _refusal(answer: Answer, lang: Lang) -> str:
    said = answer.answer.strip()
    if said in ("", NOT_FOUND):
        said = say("refused", lang)
    out = f'<p class="refusal">{icon("info")}<span>{escape(said)}</span></p>'
    if not answer.nearest:
        return out
    first = len(answer.citations)
    cards = "".join(
        f'<li><blockquote>{escape(c.quote.strip())}</blockquote><p class="place">'
        f"<span>{escape(reference(c, lang))}</span>"
        f'<button type="button" class="link" data-do="cite" data-c="{first + i}">'
        f"{escape(say('open_source', lang))}</button></p></li>"
        for i, c in enumerate(answer.nearest)
    )
    title = escape(say("nearest", lang))
    return (
        f'{out}<details class="nearest" open><summary>{title}</summary><ul>{cards}</ul></details>'
    )


def _cite(n: int, answer: Answer, lang: Lang) -> str:
    place = next((i for i, c in enumerate(answer.citations) if c.n == n), None)
    if place is None:  # a number that a model made up is never a link
        return ""
    where = escape(say("source_n", lang, n=n, place=reference(answer.citations[place], lang)))
    return (
        f'<button type="button" class="cite" data-do="cite" data-c="{place}" title="{where}" '
        f'aria-label="{where}">{n}</button>'
    )


def _sources(answer: Answer, lang: Lang) -> str:
    """The places of the citations; those of one place share a line."""
    if not answer.citations or answer.refused:
        return ""
    several = len({citation.document_id for citation in answer.citations}) > 1
    places: dict[tuple[int, str], list[int]] = {}
    for i, citation in enumerate(answer.citations):
        place = _short_place(citation, lang, with_document=several)
        places.setdefault((citation.document_id, place), []).append(i)
    items = []
    for (_, place), members in places.items():
        numbers = "".join(_cite(answer.citations[i].n, answer, lang) for i in members)
        items.append(
            f'<li>{numbers}<button type="button" class="t" data-do="cite" data-c="{members[0]}">'
            f"{escape(place)}</button></li>"
        )
    title = escape(say("sources", lang))
    return f'<div class="sources"><h3>{title}</h3><ol>{"".join(items)}</ol></div>'


def _short_place(citation: Citation, lang: Lang, *, with_document: bool) -> str:
    case = case_name(citation.case, lang)
    document = f"《{citation.document}》" if with_document or not case else ""
    parts = [document + case, citation.section or citation.case_title]
    return " · ".join(part for part in parts if part)


def _footer(answer: Answer, lang: Lang, kept: tuple[int, int], rating: str) -> str:
    text, asked = escape(plain_answer(answer, lang)), escape(answer.question)
    actions = [
        icon_button("copy", say("copy_answer", lang), "copy", extra=f'data-text="{text}"'),
        icon_button("retry", say("retry", lang), "retry"),
        icon_button("edit", say("edit_asked", lang), "edit", extra=f'data-text="{asked}"'),
    ]
    if kept[1]:
        add = icon_button("label", say("label", lang), "label")
        actions += [_export(kept, lang), add, render_rating(rating, lang)]
    how = say("extractive", lang)
    if answer.answerer != "extractive":
        how = say("model", lang, name=answer.answerer.partition(":")[2] or answer.answerer)
    total = say("total", lang, time=_duration(answer.seconds, lang))
    return (
        f'<footer class="meta"><div class="acts">{"".join(actions)}</div>'
        f'<div class="how">{render_stages(answer.stages, lang)}'
        f"<span>{escape(total)}</span><span>{escape(how)}</span></div></footer>"
    )


def _export(kept: tuple[int, int], lang: Lang) -> str:
    links = "".join(
        f'<a href="export/{kept[0]}/{kept[1]}.{kind}" download>'
        f"{escape(say('export_' + kind, lang))}</a>"
        for kind in EXPORTS
    )
    label = escape(say("export", lang))
    return (
        f'<details class="menu"><summary class="ib" title="{label}" aria-label="{label}">'
        f"{icon('download')}</summary><div>{links}</div></details>"
    )


def render_rating(rating: str, lang: Lang) -> str:
    """Thumbs up and down with the named causes; `rating` is "", "good" or a cause."""
    causes = "".join(
        f'<button type="button" data-do="rate" data-verdict="bad" data-cause="{cause}">'
        f"{escape(say('cause_' + cause, lang))}</button>"
        for cause in CAUSES
    )
    said = ""
    if rating == "good":
        said = say("rated_good", lang)
    elif rating:
        said = say(
            "rated_bad", lang, cause=say("cause_" + rating, lang) if rating in CAUSES else ""
        )
    good = icon_button(
        "good",
        say("good", lang),
        "rate",
        extra=f'data-verdict="good" aria-pressed="{"true" if rating == "good" else "false"}"',
    )
    label, note = escape(say("bad", lang)), escape(say("rate_note", lang))
    pressed = " on" if rating and rating != "good" else ""
    return (
        f'<span class="rating">{good}<details class="menu"><summary class="ib{pressed}" '
        f'title="{label}" aria-label="{label}">{icon("bad")}</summary>'
        f"<div><p>{escape(say('cause', lang))}</p>{causes}"
        f'<input maxlength="300" placeholder="{note}" aria-label="{note}"></div></details>'
        f'<span class="said" role="status">{escape(said)}</span></span>'
    )


def _duration(seconds: float, lang: Lang) -> str:
    if seconds < 1:
        return say("milliseconds", lang, n=f"{1000 * seconds:.0f}")
    return say("seconds", lang, n=f"{seconds:.1f}" if seconds < 10 else f"{seconds:.0f}")
