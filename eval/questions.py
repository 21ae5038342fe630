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

from corpus.errors import CorpusError, halves, reason
from corpus.people import People
from corpus.types import Document

# What the models are trained (split `train`) and fitted on (split `fit`); never measured on.
PRACTICE_FILE = Path(str(files("eval") / "practice.jsonl"))
NAMED = 40  # characters of a question or value that a problem names
OFFICE = "office"  # the split of the questions that people wrote in the page


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
    """Read a question file whose every row must be valid; None is the project's own set.

    Raises
    ------
    CorpusError
        Naming the file, the line and what is wrong with it.
    """
    questions, problems = read_questions(file, split)
    if problems:
        raise CorpusError(*halves(problems[0]))
    return questions


def read_questions(
    file: Path | None = None, split: str = "all"
) -> tuple[list[Question], tuple[str, ...]]:
    """Read the good rows of a question file, and say what is wrong with the others.

    Raises
    ------
    CorpusError
        If the file as a whole cannot be read.
    """
    name = str(file) if file else "eval/questions.jsonl"
    try:
        text = (file or files("eval") / "questions.jsonl").read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(
            f"无法读取问题集 {name}：{reason(error)}，请给出 UTF-8 编码的 JSON Lines 文件。",
            f"cannot read questions {name}: {error}",
        ) from error
    questions: dict[str, Question] = {}
    problems = []
    # Not splitlines(): JSON strings may hold U+2028 and the like as they are.
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            question = _question(json.loads(line))
            if question.id in questions:
                raise CorpusError(f"id {question.id} 重复", f"id {question.id} comes twice")
            questions[question.id] = question
        except (CorpusError, ValueError, RecursionError) as error:
            zh, en = _wrong(error)
            problems.append(
                f"问题集 {name} 第 {number} 行无效：{zh} ({name}, line {number} is invalid: {en})"
            )
    chosen = [q for q in questions.values() if split in ("all", q.split)]
    return chosen, tuple(problems)


def office_questions(store: People) -> tuple[list[Question], tuple[str, ...]]:
    """The questions that people of this office wrote, and what is wrong with any of them."""
    questions, problems = [], []
    for kept in store.questions():
        try:
            row = {**json.loads(kept.data), "question": kept.question, "split": OFFICE}
            questions.append(_question({**row, "id": f"{OFFICE}-{kept.id}"}))
        except (CorpusError, ValueError, TypeError, RecursionError) as error:
            (zh, en), asked = _wrong(error), kept.question[:NAMED]
            problems.append(f"本单位题目“{asked}”无效：{zh} (“{asked}” is invalid: {en})")
    return questions, tuple(problems)


def _wrong(error: Exception) -> tuple[str, str]:
    """What is wrong with a row, in Chinese and in English."""
    if isinstance(error, CorpusError):
        return error.zh, error.en
    return reason(error), str(error)


def _question(row: object) -> Question:
    """Check one row; a CorpusError says what is wrong with it."""
    if not isinstance(row, dict):
        raise CorpusError("应为 JSON 对象", "expected an object")
    missing = [key for key in ("id", "question") if str(row.get(key) or "").strip() == ""]
    if missing:
        raise CorpusError(f"缺少字段 {'、'.join(missing)}", f"{', '.join(missing)} missing")
    evidence = []
    for piece in _rows(row, "evidence"):
        if not isinstance(piece, dict) or not str(piece.get("text") or "").strip():
            form = "[{case, text}, …]"
            raise CorpusError(f"evidence 应为 {form}", f"evidence should be {form}")
        case = piece.get("case")
        if case is not None and not isinstance(case, int):
            raise CorpusError(
                f"case 应为整数或 null，而不是 {case!r}", f"case should be a number, not {case!r}"
            )
        evidence.append(Evidence(case, str(piece["text"])))
    # A fact with one wording may be given as a bare string.
    facts = [fact if isinstance(fact, list) else [fact] for fact in _rows(row, "must")]
    return Question(
        id=str(row["id"]),
        type=str(row.get("type") or "fact"),
        question=str(row["question"]),
        evidence=tuple(evidence),
        must=tuple(tuple(map(str, fact)) for fact in facts if fact),
        history=tuple(map(str, _rows(row, "history"))),
        split=str(row.get("split") or ""),
    )


def _rows(row: dict[str, object], key: str) -> list[object]:
    value = row.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        given = repr(value)[:NAMED]
        raise CorpusError(
            f"{key} 应为数组，而不是 {given}", f"{key} should be an array, not {given}"
        )
    return value


def gold_spans(question: Question, documents: Iterable[Document]) -> list[Span | None]:
    """Where each piece of the question's evidence stands; None for one that is nowhere."""
    documents = list(documents)
    return [_find(evidence, documents) for evidence in question.evidence]


def found_spans(question: Question, documents: Iterable[Document]) -> list[Span]:
    """Where the pieces of the question's evidence stand that stand anywhere."""
    return [span for span in gold_spans(question, documents) if span]


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
