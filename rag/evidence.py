"""A question and its hits in, evidence out: sentences, a section, a confidence."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from corpus.outline import chinese_numeral
from corpus.types import Chunk, Document
from rag.confidence import confidence
from rag.library import Library
from rag.questions import Intent, compared_parts, read_intent
from rag.sections import Section, choose_section, list_cases
from rag.select import Asked, Candidate, candidates
from rag.types import Filters, Hit

Search = Callable[[str, Filters | None], Sequence[Hit]]

LITERAL_CONFIDENCE = 0.95  # of a question over all cases whose topic stands in one

_QUOTED = re.compile(r"[“\"《]([^”\"》]{1,40})[”\"》]")
_JOINING = re.compile(r"案例|里面?|中|过|与|跟|和|或者?|以及|有关|相关|企业$|的")


@dataclass(frozen=True, slots=True)
class Part:
    """One of the things that a question compares, with its own evidence."""

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
    section: Section | None = None  # for questions that ask for a list
    confidence: float = 0.0  # 0 to 1: how surely the documents answer
    n_cases: int = 0  # cases in all documents
    parts: tuple[Part, ...] = ()  # for comparisons
    literal: str = ""  # what a case must hold word for word, for questions over all cases


def gather(
    question: str, intent: Intent, hits: Sequence[Hit], library: Library, search: Search
) -> Evidence:
    """Select the sentences and the section that may answer `question`.

    `search(question, filters)` is asked again for every part of a comparison.
    """

    def open_document(number: int) -> tuple[Document, Sequence[Chunk]]:
        return library.document(number), library.store.chunks(number)

    def scope(hit: Hit) -> str:
        return _scope(library.document(hit.chunk.document_id), hit.chunk.case)

    def select(text: str, own: Intent, own_hits: Sequence[Hit]) -> tuple[Asked, list[Candidate]]:
        asked = Asked(own, text, library.encoder, library.matcher(own.topic), scope)
        return asked, candidates(asked, own_hits)

    asked, found = select(question, intent, hits)
    parts = []
    if intent.kind == "compare":
        for name, text in compared_parts(question, intent).items():
            own = read_intent(text, [name] if name in intent.places else [])
            part_hits = search(text, _filters(name, intent))
            _, best = select(text, replace(own, kind="fact"), part_hits)
            parts.append(Part(name, tuple(best), confidence(best)))
    section = None
    if intent.overview and intent.kind == "across":
        section = list_cases([open_document(i.id) for i in library.documents()], intent.places)
    elif intent.overview or intent.kind in ("list", "how"):
        section = choose_section(asked, hits, open_document)
    literal = literal_topic(question, intent, found) if intent.kind == "across" else ""
    sure = LITERAL_CONFIDENCE if any(literal and literal in c.text for c in found) else 0.0
    if intent.overview and section:
        sure = LITERAL_CONFIDENCE
    return Evidence(
        question=question,
        intent=intent,
        hits=tuple(hits),
        candidates=tuple(found),
        section=section,
        parts=tuple(parts),
        confidence=max([sure, confidence(found), *(p.confidence for p in parts)]),
        n_cases=library.store.n_cases(),
        literal=literal,
    )


def _filters(name: str, intent: Intent) -> Filters | None:
    if name in intent.places:
        return Filters(places=(name,))
    case = next((c for c in intent.cases if name == f"案例{chinese_numeral(c)}"), None)
    return Filters(cases=(case,)) if case else None


def _scope(document: Document, case: int | None) -> str:
    """The text that tells which places a chunk is about: its case, else the whole document."""
    if case is None:
        return f"{document.title} {document.metadata.place} {document.text}"
    node = next(n for n in document.outline if n.kind == "case" and n.case == case)
    return document.text[node.start : node.end]


def literal_topic(question: str, intent: Intent, found: Sequence[Candidate]) -> str:
    """What a case must hold word for word: a quoted word, or the topic if some sentence has it."""
    if quoted := _QUOTED.search(question):
        return quoted[1]
    words = _JOINING.sub(" ", intent.topic).split()
    present = [word for word in words if any(word in c.text for c in found)]
    return max(present, key=len) if words and len(present) == len(words) else ""
