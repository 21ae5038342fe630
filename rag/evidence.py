"""A question and its hits in, evidence out: sentences, a section, a confidence."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from corpus.types import Chunk, Document
from rag.confidence import confidence
from rag.library import Library
from rag.questions import Intent
from rag.sections import Section, choose_section
from rag.select import Asked, Candidate, candidates
from rag.types import Hit

LITERAL_CONFIDENCE = 0.95  # of a question over all cases whose topic stands in one

_QUOTED = re.compile(r"[“\"《]([^”\"》]{1,40})[”\"》]")
_JOINING = re.compile(r"案例|里面?|中|过|与|跟|和|或者?|以及|有关|相关|企业$|的")


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
    literal: str = ""  # what a case must hold word for word, for questions over all cases


def gather(question: str, intent: Intent, hits: Sequence[Hit], library: Library) -> Evidence:
    """Select the sentences and the section that may answer `question`."""

    def open_document(number: int) -> tuple[Document, Sequence[Chunk]]:
        return library.document(number), library.store.chunks(number)

    def scope(hit: Hit) -> str:
        return _scope(library.document(hit.chunk.document_id), hit.chunk.case)

    asked = Asked(intent, question, library.encoder, library.matcher(intent.topic), scope)
    found = candidates(asked, hits)
    section = None
    if intent.kind in ("list", "how"):
        section = choose_section(asked, hits, open_document)
    literal = literal_topic(question, intent, found) if intent.kind == "across" else ""
    sure = LITERAL_CONFIDENCE if any(literal and literal in c.text for c in found) else 0.0
    return Evidence(
        question=question,
        intent=intent,
        hits=tuple(hits),
        candidates=tuple(found),
        section=section,
        confidence=max(sure, confidence(found)),
        n_cases=library.store.n_cases(),
        literal=literal,
    )


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
