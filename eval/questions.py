"""A question file in, checked questions out.

A row is `{"id", "type", "question", "history"?, "cases", "evidence": [{"case", "text"}], "must":
[[alternative, …], …], "split"}`. `evidence` holds exact strings of the source; a question without
evidence is one that the documents do not answer.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from corpus.errors import CorpusError
from corpus.types import Document


@dataclass(frozen=True, slots=True)
class Evidence:
    """A gold excerpt."""

    case: int | None
    text: str


@dataclass(frozen=True, slots=True)
class Question:
    """One question with what a good answer rests on and must say."""

    id: str
    type: str
    question: str
    evidence: tuple[Evidence, ...]
    must: tuple[tuple[str, ...], ...] = ()  # facts; any of the alternatives of each will do
    history: tuple[str, ...] = ()
    split: str = ""

    @property
    def answerable(self) -> bool:
        """Whether the documents answer it."""
        return bool(self.evidence)


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a document."""

    document: int
    start: int
    end: int

    def overlaps(self, other: "Span") -> bool:
        """Whether two stretches share a character."""
        same = self.document == other.document
        return same and self.start < other.end and other.start < self.end


def load_questions(file: Path | None = None, split: str = "all") -> list[Question]:
    """Read a question file; None is the project's own set.

    Raises
    ------
    CorpusError
        Naming the file, the line and what is wrong with it.
    """
    name = str(file) if file else "eval/questions.jsonl"
    try:
        text = (file or files("eval") / "questions.jsonl").read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(
            f"无法读取问题集 {name}:{error},请给出 UTF-8 编码的 JSON Lines 文件",
            f"cannot read questions {name}: {error}",
        ) from error
    questions = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            question = _question(name, number, line)
            if split in ("all", question.split):
                questions.append(question)
    return questions


def _question(name: str, number: int, line: str) -> Question:
    try:
        row = json.loads(line)
        return Question(
            id=str(row["id"]),
            type=str(row.get("type", "fact")),
            question=str(row["question"]),
            evidence=tuple(Evidence(e.get("case"), str(e["text"])) for e in row["evidence"]),
            must=tuple(tuple(map(str, m)) for m in row.get("must") or ()),
            history=tuple(map(str, row.get("history") or ())),
            split=str(row.get("split", "")),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorpusError(
            f"问题集 {name} 第 {number} 行无效:{error!r}", f"{name}, line {number}: {error!r}"
        ) from error


def gold_spans(question: Question, documents: Iterable[Document]) -> list[Span | None]:
    """Where each piece of the question's evidence stands; None for one that is nowhere."""
    documents = list(documents)
    return [_find(evidence, documents) for evidence in question.evidence]


def _find(evidence: Evidence, documents: list[Document]) -> Span | None:
    for document in documents:
        start, end = 0, len(document.text)
        if evidence.case is not None:
            cases = [n for n in document.outline if n.kind == "case" and n.case == evidence.case]
            if not cases:
                continue
            start, end = cases[0].start, cases[0].end
        at = document.text.find(evidence.text, start, end)
        if at >= 0:
            return Span(document.id, at, at + len(evidence.text))
    return None
