"""An assistant and questions in, a scored run out: retrieval and answers, overall and by type."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from corpus.chunks import opening
from corpus.errors import CorpusError, UserError, halves
from corpus.types import Document
from eval.answers import AnswerScore, score_answer
from eval.questions import NAMED, Question, Span, gold_spans
from eval.ranking import Interval, interval, score_evidence, score_run
from rag.assistant import Assistant

TOP_K = 10
SHOWN = 3  # hits whose text is kept for the report
RANKED = ("Success@1", "Success@5", "Success@10", "RR@10", "nDCG@10", "AP@10")  # over chunks
RETRIEVAL = ("Success@1", "Success@5", "Success@10", "R@5", "R@10", "RR@10", "nDCG@10", "AP@10")
ANSWERS = ("must", "precision", "recall", "verbatim")

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Row:
    """One question with what came of it."""

    id: str
    type: str
    question: str
    history: tuple[str, ...]
    completed: str
    answerable: bool
    gold: tuple[str, ...]
    must: tuple[tuple[str, ...], ...]
    answer: str
    cited: tuple[str, ...]
    retrieved: tuple[str, ...]  # the first hits' texts
    confidence: float
    refused: bool
    failed: bool
    metrics: dict[str, float]  # those that apply to the question
    split: str = ""
    causes: tuple[str, ...] = ()  # why it failed: a metric, "refused", "answered" or "error"


@dataclass(frozen=True, slots=True)
class Run:
    """A whole evaluation."""

    date: str
    split: str
    model: str
    answerer: str
    rows: tuple[Row, ...]
    problems: tuple[str, ...] = ()  # questions that were left out, and why

    def values(self, metric: str, kind: str = "") -> list[float]:
        """The values of a metric, of one question type if given."""
        chosen = [r for r in self.rows if not kind or r.type == kind]
        return [r.metrics[metric] for r in chosen if metric in r.metrics]

    def mean(self, metric: str, kind: str = "") -> Interval:
        """Mean and 95 % interval of a metric."""
        return interval(self.values(metric, kind))

    @property
    def types(self) -> list[str]:
        """The question types in order of appearance."""
        return list(dict.fromkeys(row.type for row in self.rows))

    @property
    def refusal(self) -> dict[str, float]:
        """How refusals did: both rates, and precision and recall of refusing."""
        return refusal_rates([(row.answerable, row.refused) for row in self.rows])

    @property
    def answered(self) -> dict[str, float]:
        """By type of the answerable questions: the share that was answered with all facts."""
        result = {}
        for kind in self.types:
            rows = [row for row in self.rows if row.type == kind and row.answerable]
            if rows:
                whole = [
                    not r.refused and "error" not in r.causes and r.metrics.get("must", 1.0) == 1.0
                    for r in rows
                ]
                result[kind] = _mean(whole)
        return result

    @property
    def latency_ms(self) -> tuple[float, float]:
        """Median and 95th percentile of the time to a full answer."""
        values = np.array(self.values("seconds") or [0.0]) * 1000
        return float(np.percentile(values, 50)), float(np.percentile(values, 95))


def refusal_rates(pairs: Sequence[tuple[bool, bool]]) -> dict[str, float]:
    """Rates from `(answerable, refused)` pairs; NaN where there is nothing to divide by."""
    unanswerable = [refused for answerable, refused in pairs if not answerable]
    answerable = [refused for answerable, refused in pairs if answerable]
    refusals = [not answerable for answerable, refused in pairs if refused]
    return {
        "unanswerable_refused": _mean(unanswerable),
        "answerable_refused": _mean(answerable),
        "precision": _mean(refusals),
    }


def evaluate(
    assistant: Assistant,
    questions: Sequence[Question],
    *,
    split: str = "all",
    progress: Progress | None = None,
    problems: Sequence[str] = (),
) -> Run:
    """Ask every question and score retrieval and answers.

    A question whose evidence stands in no document is left out and named in the run's problems,
    after those given.

    Raises
    ------
    CorpusError
        If no question is left.
    """
    library = assistant.library
    documents = {info.id: library.document(info.id) for info in library.documents()}
    found = list(problems)
    judge = _Judge(assistant, documents, {})
    asked: list[tuple[Question, list[Span]]] = []
    for question in questions:
        spans = gold_spans(question, documents.values())
        lost = [e.text for e, s in zip(question.evidence, spans, strict=True) if s is None]
        if lost:
            asked_for, excerpt = question.question[:NAMED], lost[0][:NAMED]
            found.append(
                f"题目“{asked_for}”的依据“{excerpt}”不在任何文档中"
                f" (“{excerpt}”, the evidence of “{asked_for}”, is in no document)"
            )
        else:
            asked.append((question, [span for span in spans if span]))
    if not asked:
        zh, en = halves(found[0]) if found else ("没有问题", "no questions")
        raise CorpusError(
            f"没有可评测的问题：{zh}，请先添加相应文档或改正问题集。", f"nothing to evaluate: {en}"
        )
    rows = []
    run: dict[str, dict[str, float]] = {}
    for done, (question, gold) in enumerate(asked, 1):
        row, run[question.id] = judge.ask(question, gold)
        rows.append(row)
        if progress:
            progress("评测", done, len(asked))
    judge.score_retrieval(rows, {q.id: gold for q, gold in asked if q.answerable}, run)
    return Run(
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        split=split,
        model=library.encoder.name,
        answerer=assistant.config.answerer,
        rows=tuple(rows),
        problems=tuple(found),
    )


@dataclass(frozen=True, slots=True)
class _Judge:
    assistant: Assistant
    documents: dict[int, Document]
    shown: dict[int, dict[str, Span]]  # chunks of the documents that hold evidence, with headings

    def ask(self, question: Question, gold: Sequence[Span]) -> tuple[Row, dict[str, float]]:
        """The row of one question, and its ranking of chunks for the ranking measures."""
        try:
            answer = self.assistant.ask(question.question, history=question.history)
            hits = self.assistant.search(answer.completed_question, top_k=TOP_K)
        except UserError as error:
            return _failed_row(question, str(error)), {}
        score = score_answer(question, answer, gold, self.documents)
        row = Row(
            id=question.id,
            type=question.type,
            question=question.question,
            history=question.history,
            completed=answer.completed_question,
            answerable=question.answerable,
            gold=tuple(e.text for e in question.evidence),
            must=question.must,
            answer=answer.answer,
            cited=tuple(c.quote for c in answer.citations),
            retrieved=tuple(hit.text for hit in hits[:SHOWN]),
            confidence=answer.confidence,
            refused=answer.refused,
            failed=score.failed(question),
            metrics=_applying(score),
            split=question.split,
            causes=score.causes(question),
        )
        # Ranks, not scores: equal scores would leave the order to the measures' library.
        return row, {str(hit.chunk.id): 1.0 / hit.rank for hit in hits}

    def score_retrieval(
        self,
        rows: Sequence[Row],
        golds: Mapping[str, Sequence[Span]],
        run: Mapping[str, Mapping[str, float]],
    ) -> None:
        """Add the retrieval measures to the rows of questions that have evidence."""
        if not golds:
            return
        pieces = {q: [self._holding(span) for span in gold] for q, gold in golds.items()}
        qrels = {
            q: list(dict.fromkeys(i for ids in found for i in ids)) for q, found in pieces.items()
        }
        scores = score_run(qrels, run, RANKED).by_query | score_evidence(pieces, run)
        for row in rows:
            if row.id in golds:
                row.metrics.update({m: scores[m][row.id] for m in RETRIEVAL})

    def _holding(self, gold: Span) -> list[str]:
        """Ids of the chunks that, as they are shown, share text with a piece of evidence."""
        if gold.document not in self.shown:
            library = self.assistant.library
            document = library.document(gold.document)
            self.shown[gold.document] = {
                str(chunk.id): Span(
                    document.id, chunk.start - len(opening(document, chunk)), chunk.end
                )
                for chunk in library.store.chunks(document.id)
            }
        return [key for key, span in self.shown[gold.document].items() if span.overlaps(gold)]


def _failed_row(question: Question, answer: str) -> Row:
    asked_for = ("must", "precision", "recall") if question.must else ("precision", "recall")
    nothing = dict.fromkeys(asked_for if question.answerable else (), 0.0)
    return Row(
        id=question.id, type=question.type, question=question.question, history=question.history,
        completed=question.question, answerable=question.answerable,
        gold=tuple(e.text for e in question.evidence), must=question.must, answer=answer,
        cited=(), retrieved=(), confidence=0.0, refused=False, failed=True, metrics=nothing,
        split=question.split, causes=("error",),
    )  # fmt: skip


def _applying(score: AnswerScore) -> dict[str, float]:
    values = {name: getattr(score, name) for name in (*ANSWERS, "seconds")}
    return {name: float(value) for name, value in values.items() if value is not None}


def _mean(values: Sequence[bool]) -> float:
    return sum(values) / len(values) if values else math.nan
