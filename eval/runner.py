"""An assistant and questions in, a scored run out: retrieval and answers, overall and by type."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from corpus.errors import CorpusError, UserError
from eval.answers import AnswerScore, score_answer
from eval.questions import Question, Span, gold_spans
from eval.ranking import Interval, interval, score_run
from rag.assistant import Assistant

TOP_K = 10
RETRIEVAL = ("Success@1", "Success@5", "Success@10", "R@5", "R@10", "RR@10", "nDCG@10")
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


@dataclass(frozen=True, slots=True)
class Run:
    """A whole evaluation."""

    date: str
    split: str
    model: str
    answerer: str
    rows: tuple[Row, ...]

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


def refusal_curve(run: Run) -> list[tuple[float, dict[str, float]]]:
    """The rates at every threshold of the confidence from 0 to 1 in steps of 0.05."""
    return [
        (
            step / 20,
            refusal_rates([(row.answerable, row.confidence < step / 20) for row in run.rows]),
        )
        for step in range(21)
    ]


def evaluate(
    assistant: Assistant,
    questions: Sequence[Question],
    *,
    split: str = "all",
    progress: Progress | None = None,
) -> Run:
    """Ask every question and score retrieval and answers.

    Raises
    ------
    CorpusError
        If the evidence of a question stands in no document.
    """
    documents = {i.id: assistant.library.document(i.id) for i in assistant.library.documents()}
    golds: dict[str, list[Span]] = {}
    for question in questions:
        spans = gold_spans(question, documents.values())
        if None in spans:
            lost = question.evidence[spans.index(None)].text
            raise CorpusError(
                f"问题 {question.id} 的依据不在任何文档中:“{lost[:40]}”,请先添加该文档或改正问题集",
                f"evidence of question {question.id} stands in no document",
            )
        golds[question.id] = [span for span in spans if span is not None]
    qrels: dict[str, list[str]] = {}
    results: dict[str, dict[str, float]] = {}
    rows: list[tuple[Question, Row]] = []
    for done, question in enumerate(questions):
        row, relevant, ranked = _ask(assistant, question, golds[question.id])
        if question.answerable:
            qrels[question.id], results[question.id] = relevant, ranked
        rows.append((question, row))
        if progress:
            progress("评测", done + 1, len(questions))
    scores = score_run(qrels, results, RETRIEVAL) if qrels else None
    for question, row in rows:
        if scores and question.answerable:
            row.metrics.update({m: scores.by_query[m][question.id] for m in RETRIEVAL})
    return Run(
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        split=split,
        model=assistant.library.encoder.name,
        answerer=assistant.config.answerer,
        rows=tuple(row for _, row in rows),
    )


def _ask(
    assistant: Assistant, question: Question, gold: Sequence[Span]
) -> tuple[Row, list[str], dict[str, float]]:
    """The row of one question, the ids that count as relevant, and the ranking over them.

    What is to be found are the pieces of evidence: a hit stands for the first piece that it
    overlaps and no earlier hit stands for, any other hit for itself.
    """
    documents = {span.document: assistant.library.document(span.document) for span in gold}
    try:
        answer = assistant.ask(question.question, history=question.history)
    except UserError as error:
        row = _failed_row(question, str(error))
        return row, [f"gold-{i}" for i in range(len(gold))], {}
    hits = assistant.search(answer.completed_question, top_k=TOP_K)
    ranked: dict[str, float] = {}
    for hit in hits:
        span = Span(hit.chunk.document_id, hit.chunk.start, hit.chunk.end)
        pieces = [f"gold-{i}" for i, g in enumerate(gold) if span.overlaps(g)]
        for name in [p for p in pieces if p not in ranked] or [f"chunk-{hit.chunk.id}"]:
            # One chunk can hold several pieces; they share its place.
            ranked[name] = 1.0 / hit.rank
    for citation in answer.citations:
        if citation.document_id not in documents:
            documents[citation.document_id] = assistant.library.document(citation.document_id)
    score = score_answer(question, answer, gold, documents)
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
        retrieved=tuple(hit.chunk.text for hit in hits[:3]),
        confidence=answer.confidence,
        refused=answer.refused,
        failed=score.failed(question),
        metrics=_applying(score),
    )
    return row, [f"gold-{i}" for i in range(len(gold))], ranked


def _failed_row(question: Question, answer: str) -> Row:
    return Row(
        id=question.id, type=question.type, question=question.question, history=question.history,
        completed=question.question, answerable=question.answerable,
        gold=tuple(e.text for e in question.evidence), must=question.must, answer=answer,
        cited=(), retrieved=(), confidence=0.0, refused=False, failed=True, metrics={},
    )  # fmt: skip


def _applying(score: AnswerScore) -> dict[str, float]:
    values = {name: getattr(score, name) for name in (*ANSWERS, "seconds")}
    return {name: float(value) for name, value in values.items() if value is not None}


def save_run(run: Run, folder: Path) -> Path:
    """Keep a run as JSON, so that a later one can be compared with it."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{run.date.replace(':', '')}-{run.split}.json"
    file.write_text(json.dumps(asdict(run), ensure_ascii=False), "utf-8")
    return file


def load_run(file: Path) -> Run:
    """Read back `save_run`."""
    values = json.loads(file.read_text("utf-8"))
    rows = tuple(_row_from_json(row) for row in values.pop("rows"))
    return Run(**values, rows=rows)


def _row_from_json(values: dict[str, Any]) -> Row:
    values["must"] = tuple(tuple(fact) for fact in values["must"])
    for name in ("history", "gold", "cited", "retrieved"):
        values[name] = tuple(values[name])
    return Row(**values)


def run_json(run: Run) -> dict[str, object]:
    """What `zhengwen eval --json` prints."""
    names = (*RETRIEVAL, *ANSWERS)

    def means(kind: str) -> Mapping[str, object]:
        return {name: asdict(run.mean(name, kind)) for name in names if run.values(name, kind)}

    p50, p95 = run.latency_ms
    return {
        "date": run.date,
        "split": run.split,
        "model": run.model,
        "answerer": run.answerer,
        "n_questions": len(run.rows),
        "overall": means(""),
        "by_type": {kind: means(kind) for kind in run.types},
        "refusal": {k: None if math.isnan(v) else v for k, v in run.refusal.items()},
        "latency_ms": {"p50": p50, "p95": p95},
        "failed": [row.id for row in run.rows if row.failed],
    }


def _mean(values: Sequence[bool]) -> float:
    return sum(values) / len(values) if values else math.nan
