"""A question in, the evidence for its answer out: hits, sentences, a section, a confidence."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from corpus.types import Chunk, Document
from rag.confidence import confidence
from rag.library import Library
from rag.questions import Intent
from rag.sections import Section, choose_section
from rag.select import Candidate, candidates
from rag.types import Hit


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


def gather(question: str, intent: Intent, hits: Sequence[Hit], library: Library) -> Evidence:
    """Select the sentences and the section that may answer `question`."""
    lexical = library.snapshot().lexical
    total = lexical.count

    @cache
    def weight(term: str) -> float:
        return math.log(1 + (total + 0.5) / (lexical.document_frequency(term) + 0.5))

    def open_document(number: int) -> tuple[Document, Sequence[Chunk]]:
        return library.document(number), library.store.chunks(number)

    found = candidates(question, intent, hits, library.encoder, weight)
    section = None
    if intent.kind in ("list", "how"):
        section = choose_section(question, intent, hits, open_document, library.encoder, weight)
    return Evidence(
        question=question,
        intent=intent,
        hits=tuple(hits),
        candidates=tuple(found),
        section=section,
        confidence=confidence(intent, hits, found),
        n_cases=library.store.n_cases(),
    )
