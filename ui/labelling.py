"""The office's own evaluation questions: a form out, what was filled in checked and kept.

A question is kept as `eval.questions` reads it: its type, evidence that stands in a document word
for word, facts that a good answer must state. It can be begun from an answer that was given.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from corpus.errors import UserError
from corpus.people import Question
from corpus.types import Document
from rag.export import self_contained
from rag.questions import clean_question
from rag.types import Answer
from ui.markup import escape, icon_button
from ui.text import Lang, say

UNANSWERABLE: Final = "unanswerable"
TYPES: Final = ("fact", "how", "list", "multi", "compare", "count", "paraphrase", UNANSWERABLE)
MAX_EXCERPT = 3000  # characters of one piece of evidence
MAX_PIECES = 20  # of evidence, of facts
_OR = re.compile(r"\s+/\s+|／")  # a bare stroke may belong to the fact: 元/吨
_LIST_MARK = re.compile(r"^\s*[-*•]\s+")


@dataclass(frozen=True, slots=True)
class Label:
    """What the form holds: excerpts to choose from, those that are chosen, the facts."""

    question: str = ""
    type: str = "fact"
    excerpts: tuple[str, ...] = ()
    chosen: bool = True  # whether the excerpts are evidence, or only near
    facts: tuple[tuple[str, ...], ...] = ()
    id: int = 0  # of the kept question that is changed, 0 = a new one


def label_of(answer: Answer) -> Label:
    """A form begun from an answer: its question made self-contained, what it cites."""
    question = self_contained(answer)
    if answer.refused:
        near = tuple(c.quote.strip() for c in answer.nearest)
        return Label(question, UNANSWERABLE, near, chosen=False)
    quotes = dict.fromkeys(c.quote.strip() for c in answer.citations)
    return Label(question, "compare" if answer.table else "fact", tuple(quotes))


def label_from(kept: Question) -> Label:
    """A form for a question that was kept; odd data gives an emptier form."""
    try:
        data = json.loads(kept.data)
        excerpts = tuple(str(piece["text"]) for piece in data.get("evidence", ()))
        facts = tuple(tuple(map(str, fact)) for fact in data.get("must", ()))
        return Label(kept.question, str(data.get("type")), excerpts, facts=facts, id=kept.id)
    except (ValueError, TypeError, KeyError, AttributeError):
        return Label(kept.question, id=kept.id)


def label_data(fields: dict[str, object], documents: Iterable[Document]) -> tuple[str, str]:
    """The question and its data to keep, from what the form sent.

    Raises
    ------
    UserError
        If the question is empty, evidence is missing or stands in no document, or a fact is in
        none of the evidence.
    """
    question = clean_question(str(fields.get("question") or ""))
    kind = str(fields.get("type") or "")
    if kind not in TYPES:
        raise ValueError(f"label: unknown type {kind!r}")
    if kind == UNANSWERABLE:
        return question, json.dumps({"type": kind, "evidence": [], "must": []})
    listed = fields.get("evidence")
    excerpts = [str(e).strip() for e in listed] if isinstance(listed, list) else []
    excerpts += [e.strip() for e in re.split(r"\n\s*\n", str(fields.get("pasted") or ""))]
    excerpts = [e for e in dict.fromkeys(excerpts) if e]
    if len(excerpts) > MAX_PIECES:
        raise _refused("label_many", n=MAX_PIECES)
    if too_long := next((e for e in excerpts if len(e) > MAX_EXCERPT), None):
        raise _refused("label_long", text=too_long[:40], n=MAX_EXCERPT)
    evidence = _verbatim(excerpts, documents)
    if not evidence:
        raise _refused("label_no_evidence")
    facts = _facts(str(fields.get("facts") or ""))
    said = "".join(_bare(str(piece["text"])) for piece in evidence)
    for fact in facts:
        if not any(_bare(wording) in said for wording in fact):
            raise _refused("label_fact", fact=" / ".join(fact))
    data = {"type": kind, "evidence": evidence, "must": facts}
    return question, json.dumps(data, ensure_ascii=False)


def find_excerpt(text: str, excerpt: str) -> tuple[int, int] | None:
    """Where an excerpt stands in a text; blanks and line breaks may have changed in copying."""
    at = text.find(excerpt)
    if at >= 0:
        return at, at + len(excerpt)
    letters = map(re.escape, "".join(excerpt.split()))
    found = re.search(r"\s*".join(letters), text)
    return found.span() if found else None


def render_form(label: Label, lang: Lang) -> str:
    """The form, for a dialog."""
    types = "".join(
        f'<option value="{kind}"{" selected" if kind == label.type else ""}>'
        f"{escape(say('type_' + kind, lang))}</option>"
        for kind in TYPES
    )
    facts = "\n".join(" / ".join(fact) for fact in label.facts)
    return (
        f'<form class="label" data-id="{label.id}"><h2>{escape(say("label_title", lang))}</h2>'
        f"{_area('question', label.question, 2, lang)}"
        f"<label><span>{escape(say('label_type', lang))}</span>"
        f'<select name="type">{types}</select></label>'
        f'<fieldset class="basis"><legend>{escape(say("label_evidence", lang))}</legend>'
        f"{_choices(label)}{_area('pasted', '', 3, lang)}</fieldset>"
        f'<div class="basis">{_area("facts", facts, 2, lang)}</div>'
        '<p class="warn" role="alert" hidden></p><div class="acts">'
        f'<button type="button" class="tb" data-do="close-dialog">{escape(say("cancel", lang))}'
        f'</button><button type="submit" class="primary">{escape(say("save", lang))}</button>'
        "</div></form>"
    )


def render_questions(kept: Sequence[Question], lang: Lang) -> str:
    """The office's questions with ways to change and delete them."""
    rows = "".join(_row(question, lang) for question in reversed(kept))
    listed = f'<ul class="remarks labels">{rows}</ul>' if rows else ""
    return (
        f"<h2>{escape(say('office_title', lang, n=len(kept)))}</h2>"
        f'<p class="quiet">{escape(say("office_hint", lang))} '
        f'<button type="button" class="link" data-do="label">{escape(say("label_add", lang))}'
        f"</button></p>{listed}"
    )


def _row(kept: Question, lang: Lang) -> str:
    label = label_from(kept)
    kind = say("type_" + label.type, lang) if label.type in TYPES else label.type
    return (
        f'<li data-id="{kept.id}"><b>{escape(kind)}</b><span>{escape(kept.question)}</span>'
        f'<span class="tools">{icon_button("edit", say("edit_question", lang), "label")}'
        f"{icon_button('delete', say('delete', lang), 'unlabel')}</span></li>"
    )


def _area(name: str, value: str, rows: int, lang: Lang) -> str:
    hint = escape(say(f"label_{name}_hint", lang))
    return (
        f"<label><span>{escape(say('label_' + name, lang))}</span>"
        f'<textarea name="{name}" rows="{rows}" placeholder="{hint}">{escape(value)}</textarea>'
        "</label>"
    )


def _choices(label: Label) -> str:
    ticked = " checked" if label.chosen else ""
    return "".join(
        f'<label class="choice"><input type="checkbox" name="evidence" value="{escape(text)}"'
        f"{ticked}><span>{escape(text)}</span></label>"
        for text in label.excerpts
    )


def _verbatim(
    excerpts: Sequence[str], documents: Iterable[Document]
) -> list[dict[str, str | int | None]]:
    """The excerpts as their documents write them, each with its case."""
    found: dict[str, dict[str, str | int | None]] = {}
    for document in documents:
        for excerpt in excerpts:
            if excerpt in found:
                continue
            if span := find_excerpt(document.text, excerpt):
                case = next(
                    (n.case for n in document.outline if n.start <= span[0] < n.end and n.case),
                    None,
                )
                found[excerpt] = {"case": case, "text": document.text[span[0] : span[1]]}
        if len(found) == len(excerpts):
            break
    for excerpt in excerpts:
        if excerpt not in found:
            raise _refused("label_not_verbatim", text=excerpt[:40])
    return [found[excerpt] for excerpt in excerpts]


def _facts(text: str) -> list[list[str]]:
    lines = [_LIST_MARK.sub("", line).strip() for line in text.splitlines()]
    facts = [[part.strip() for part in _OR.split(line) if part.strip()] for line in lines if line]
    return facts[:MAX_PIECES]


def _bare(text: str) -> str:
    return "".join(text.split())


def _refused(key: str, **values: object) -> UserError:
    return UserError(say(key, "zh", **values), say(key, "en", **values))
