"""A question and its hits in, evidence out: sentences, a section, a confidence."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import NamedTuple

from corpus.chunks import case_around
from corpus.filters import NO_FILTERS, Filters
from corpus.outline import chinese_numeral
from corpus.types import Chunk, Document
from embeddings.encoder import Encoder
from rag.across import Literals, literal_topics, stands_in
from rag.clauses import asked_apart
from rag.compared import compared_parts
from rag.confidence import confidence
from rag.figures import counted_after, figures
from rag.followup import Form, own_topic
from rag.library import Library
from rag.places import named_places
from rag.questions import Intent, about_both, about_one, read_intent, topic
from rag.reread import reread
from rag.sections import Section, list_cases, rank_sections
from rag.select import Asked, Candidate, candidates, sentences
from rag.types import Hit
from rag.wanted import marks

Select = Callable[[str, Intent, Sequence[Hit]], "_Selected"]
OpenDocument = Callable[[int], tuple[Document, Sequence[Chunk]]]

LITERAL_CONFIDENCE = 0.95  # of a question over all cases whose topic stands in one

LEAST_TOPIC = 5  # characters; what says less of its own is asked of what was asked about before
ELSEWHERE = 1.5  # score by which one of several things must be better answered in another case
NAMED = 3  # characters of the thing asked for that tell which number counts it: 2 may be chance
CLEARLY = 1.0  # logits by which the reader must prefer one number or date to the others

_ASKING = re.compile(r"多少|(?<![好十])几(?!乎|年来)|多[大高长久快]|何时|哪|什么|谁")


@dataclass(frozen=True, slots=True)
class Sources:
    """Where a question is looked up, in all its parts."""

    library: Library
    encoder: Encoder
    filters: Filters | None
    search: Callable[[str, Filters | None], Sequence[Hit]]  # for one part of a comparison


class _Selected(NamedTuple):
    """What was asked, the hits in the order of their sentences, and these, best first."""

    asked: Asked
    hits: tuple[Hit, ...]
    candidates: list[Candidate]


@dataclass(frozen=True, slots=True)
class Part:
    """One of the things that a question compares or asks for, with its own evidence."""

    name: str
    candidates: tuple[Candidate, ...]
    confidence: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """What an answerer is given; the question is self-contained."""

    question: str
    intent: Intent
    hits: tuple[Hit, ...]  # best first
    candidates: tuple[Candidate, ...] = ()  # sentences of the hits, best first
    sections: tuple[Section, ...] = ()  # for questions that ask for a list, best first
    confidence: float = 0.0  # 0 to 1: how surely the documents answer
    n_cases: int = 0  # in all documents that the filters let through
    parts: tuple[Part, ...] = ()  # of a comparison, or of a question for several things
    short: tuple[int, int] | None = None  # the words of the best sentence that answer by themselves
    form: Form = ""  # how the answer is wanted
    literals: Literals = ()  # what a case must hold one of, for questions over all cases

    @property
    def section(self) -> Section | None:
        """The best section, if there is one."""
        return self.sections[0] if self.sections else None


def gather(
    question: str,
    intent: Intent,
    hits: Sequence[Hit],
    sources: Sources,
    context: str = "",
) -> Evidence:
    """Select the sentences and the section that may answer `question`.

    `context` is the question before this one, if it goes on from that.
    """
    library = sources.library

    @cache
    def open_document(number: int) -> tuple[Document, Sequence[Chunk]]:
        return library.document(number), library.store.chunks(number)

    def select(text: str, own: Intent, own_hits: Sequence[Hit]) -> _Selected:
        asked = asking(text, own, library, sources.encoder, context)
        seen = reread(own, sentences(asked, own_hits))
        return _Selected(asked, seen.hits, candidates(own, seen))

    intent, parts, (asked, ranked, found) = _settled(question, intent, hits, sources, select)
    sections: list[Section] = []
    if intent.overview and intent.kind == "across":
        listed = list_cases(_opened(sources, open_document), intent.places)
        sections = [listed] if listed else []
    elif intent.overview or intent.kind in ("list", "how"):
        sections = rank_sections(asked, ranked, open_document)
    literals = literal_topics(question, intent, found) if intent.kind == "across" else ()
    said = any(stands_in(literals, c.text) for c in found) or (intent.overview and sections)
    sure = [LITERAL_CONFIDENCE if said else 0.0, confidence(found), *(p.confidence for p in parts)]
    if not parts:
        parts = [_thing(text, found, sources, select) for text in _things(question, intent)]
        sure.append(min((part.confidence for part in parts), default=0.0))
    return Evidence(
        question=question,
        intent=intent,
        hits=ranked,
        candidates=tuple(found),
        sections=tuple(sections),
        parts=tuple(parts),
        confidence=max(sure),
        n_cases=library.store.n_cases(sources.filters or NO_FILTERS),
        literals=literals,
        short=short_answer(asked, found[0]) if found and intent.kind == "fact" else None,
    )


def asking(
    question: str, intent: Intent, library: Library, encoder: Encoder, context: str = ""
) -> Asked:
    """What is looked for in the library's sentences."""

    def scope(hit: Hit) -> str:
        return _scope(library.document(hit.chunk.document_id), hit.chunk)

    matcher = library.matcher(intent.topic, topic(context) if context else "")
    return Asked(intent, question, encoder, matcher, library.reader, scope, context)


def _settled(
    question: str, intent: Intent, hits: Sequence[Hit], sources: Sources, select: Select
) -> tuple[Intent, list[Part], _Selected]:
    """What is asked once it is clear whether things are compared, with those things."""
    sides = compared_parts(question, intent)
    if intent.kind == "compare" and not sides:
        intent = about_one(question, intent)
    selected = select(question, intent, hits)
    best = selected.candidates[:1]
    if best and _speaks_of_all(best[0], intent) and about_both(question, intent) != intent:
        intent = about_both(question, intent)
        sides = compared_parts(question, intent)
        selected = select(question, intent, hits)
    parts = [_part(name, text, intent, sources, select) for name, text in sides.items()]
    parts = _by_themselves(parts, intent)
    if _one_sentence(parts, intent):
        intent, parts = about_one(question, intent), []
        selected = select(question, intent, hits)
    return intent, parts, selected


def _things(question: str, intent: Intent) -> tuple[str, ...]:
    """The things that are asked for one after another, where that is all a question does."""
    return asked_apart(question) if intent.kind in ("fact", "how", "list") else ()


def _thing(text: str, found: Sequence[Candidate], sources: Sources, select: Select) -> Part:
    """One of several things that are asked for, looked for where the whole is answered first."""
    intent = read_intent(text, sources.library.store.places())
    near: list[Candidate] = []
    if found:
        there = (sources.filters or NO_FILTERS).within(found[0].hit.chunk.home)
        near = select(text, intent, sources.search(text, there)).candidates
    if near and len(own_topic(text)) < LEAST_TOPIC:
        best = near
    else:
        best = select(text, intent, sources.search(text, sources.filters)).candidates
        if near and (not best or best[0].score - near[0].score < ELSEWHERE):
            best = near
    return Part(text, tuple(best), confidence(best))


def _part(name: str, text: str, whole: Intent, sources: Sources, select: Select) -> Part:
    """One of the things that a question compares, asked about by itself."""
    intent = replace(read_intent(text, [name] if name in whole.places else []), kind="fact")
    hits = sources.search(text, _part_filters(name, whole, sources.filters))
    best = select(text, intent, hits).candidates
    return Part(name, tuple(best), confidence(best))


def _speaks_of_all(best: Candidate, intent: Intent) -> bool:
    """Whether one sentence speaks of all the places that the question names."""
    n_said = len(named_places(best.text, intent.places))
    return n_said == len(intent.places) > 1


def _one_sentence(parts: Sequence[Part], intent: Intent) -> bool:
    """Whether the best sentence about one thing is that about the others, or names them."""
    if len(intent.places) > 1:  # a place may come up in a sentence about another one
        return False
    best = [part.candidates[0].text if part.candidates else part.name for part in parts]
    names = [part.name for part in parts]
    return len({*best}) < len(parts) or any(
        all(name in text for name in names if name != part.name)
        for part, text in zip(parts, best, strict=True)
    )


def _by_themselves(parts: list[Part], intent: Intent) -> list[Part]:
    """The parts without the sentences that name the others: these do not tell them apart.

    Where a figure, a date or a name is wanted, one sentence may give it of both.
    """
    if intent.wants or len(intent.places) > 1:
        return parts
    names = [part.name.strip("“”《》") for part in parts]
    kept = []
    for part, own in zip(parts, names, strict=True):
        others = [name for name in names if name != own]
        alone = [c for c in part.candidates if not any(name in c.text for name in others)]
        kept.append(replace(part, candidates=tuple(alone or part.candidates)))
    return kept


def short_answer(asked: Asked, best: Candidate) -> tuple[int, int] | None:
    """Offsets in the sentence of the number or date that answers; None if it is not clear which.

    Among those of the kind asked for, the reader must prefer one.
    """
    if asked.intent.wants not in ("number", "date") or len(_ASKING.findall(asked.question)) > 1:
        return None
    spans = marks(asked.intent, best.text)
    scored = sorted(
        zip(asked.reader.locate(asked.whole, best.place, spans), spans, strict=True), reverse=True
    )
    measured = asked.intent.wants == "date" or best.feature("unit") > 0
    if not best.fits or not scored or not measured:
        return None
    if len(scored) > 1 and scored[0][0] - scored[1][0] < CLEARLY:
        return None
    chosen = scored[0][1]
    ends = [figure.end for figure in figures(best.text)]
    told = max((counted_after(asked.intent, best.text, end) for end in ends), default=0)
    if told >= NAMED and counted_after(asked.intent, best.text, chosen[1]) < told:
        return None  # 33家兑换机构 where 1623个银行网点 are asked for
    return chosen


def _part_filters(name: str, intent: Intent, filters: Filters | None) -> Filters | None:
    """The filters with the part's own place or case, where they leave that open."""
    filters = filters or NO_FILTERS
    if name in intent.places:
        return replace(filters, places=filters.places or (name,))
    case = next((c for c in intent.cases if name == f"案例{chinese_numeral(c)}"), None)
    return replace(filters, cases=filters.cases or (case,)) if case else filters


def _opened(
    sources: Sources, open_document: OpenDocument
) -> list[tuple[Document, Sequence[Chunk]]]:
    """The documents with cases, and those of their chunks that the filters let through."""
    opened = [open_document(number) for number in sources.library.store.documents_with_cases()]
    if not sources.filters:
        return opened
    allowed = sources.library.store.chunk_ids(sources.filters)
    return [(document, [c for c in chunks if c.id in allowed]) for document, chunks in opened]


def _scope(document: Document, chunk: Chunk) -> str:
    """The text that tells which places a chunk is about: its case, else the whole document."""
    case = case_around(document.outline, document.outline[chunk.node])
    if case is None:
        known = document.metadata
        return f"{document.title} {known.place} {known.date} {document.text}"
    return document.text[case.start : case.end]
