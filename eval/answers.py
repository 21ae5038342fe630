"""An answer and its question in, how good the answer is out.

A citation is right if it shares text with a gold excerpt; a gold excerpt is found if any citation
shares text with it. A fact is said if any of its alternatives stands in the answer, after folding.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from corpus.types import Document
from embeddings.fold import fold
from eval.questions import Question, Span
from rag.types import Answer, Citation


@dataclass(frozen=True, slots=True)
class AnswerScore:
    """How one answer did; None where a measure does not apply."""

    refused: bool
    must: float | None  # share of the must-have facts that it says
    precision: float | None  # share of its citations that are right
    recall: float | None  # share of the gold excerpts that it cites
    verbatim: float | None  # share of its quotes that stand in the document as quoted
    seconds: float

    def failed(self, question: Question) -> bool:
        """Whether someone should look at it."""
        return bool(self.causes(question))

    def causes(self, question: Question) -> tuple[str, ...]:
        """Why it failed: refused, answered, must, precision, recall, verbatim."""
        if not question.answerable:
            return () if self.refused else ("answered",)
        if self.refused:
            return ("refused",)
        names = ("must", "precision", "recall", "verbatim")
        return tuple(n for n in names if (v := getattr(self, n)) is not None and v < 1)


def score_answer(
    question: Question, answer: Answer, gold: Sequence[Span], documents: dict[int, Document]
) -> AnswerScore:
    """Score one answer; a refusal of an answerable question says and cites nothing."""
    cited = answer.citations
    verbatim = None
    if cited:
        verbatim = sum(is_verbatim(c, documents) for c in cited) / len(cited)
    if not question.answerable:
        return AnswerScore(answer.refused, None, None, None, verbatim, answer.seconds)
    spans = [Span(c.document_id, c.start, c.end) for c in cited]
    text = normal(answer.answer) if not answer.refused else ""
    said = [any(normal(alternative) in text for alternative in fact) for fact in question.must]
    right = [any(span.overlaps(g) for g in gold) for span in spans]
    found = [any(span.overlaps(g) for span in spans) for g in gold]
    return AnswerScore(
        refused=answer.refused,
        must=_share(said) if said else None,
        precision=_share(right) if right else 0.0,
        recall=_share(found) if found else None,
        verbatim=verbatim,
        seconds=answer.seconds,
    )


def is_verbatim(citation: Citation, documents: dict[int, Document]) -> bool:
    """Whether a quote is exactly what stands at its place."""
    document = documents.get(citation.document_id)
    return document is not None and document.text[citation.start : citation.end] == citation.quote


def normal(text: str) -> str:
    """Folded, without blanks and without the numbers of citations."""
    return re.sub(r"\s|\[\d+\]", "", fold(text))


def _share(values: Sequence[bool]) -> float:
    return sum(values) / len(values)
