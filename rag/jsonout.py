"""Hits and answers in, the command line's JSON values out; the shapes are a contract."""

from collections.abc import Iterable
from dataclasses import asdict, is_dataclass
from typing import Any

from rag.types import Answer, Hit


def plain(value: object) -> Any:  # noqa: ANN401 - JSON is what it is
    """Dataclasses, tuples and paths as JSON values."""
    if is_dataclass(value) and not isinstance(value, type):
        return {key: plain(part) for key, part in asdict(value).items()}
    if isinstance(value, dict):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(part) for part in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def hits_json(hits: Iterable[Hit]) -> list[dict[str, Any]]:
    """The rows of `zhengwen search --json`."""
    return [
        {
            "rank": hit.rank,
            "score": round(hit.score, 6),
            "document": hit.chunk.document,
            "case": hit.chunk.case,
            "case_title": hit.chunk.case_title,
            "section": hit.chunk.section,
            "chunk_id": hit.chunk.id,
            "start": hit.start,
            "end": hit.chunk.end,
            "text": hit.text,
            **({"page": hit.chunk.page} if hit.chunk.page else {}),
        }
        for hit in hits
    ]


def answer_json(answer: Answer) -> dict[str, Any]:
    """The object of `zhengwen ask --json`."""
    return {
        "question": answer.question,
        "completed_question": answer.completed_question,
        "answer": answer.answer,
        "refused": answer.refused,
        "confidence": round(answer.confidence, 4),
        "sentences": [
            {
                "text": sentence.text,
                "citations": list(sentence.citations),
                "support": plain(sentence.support),
            }
            for sentence in answer.sentences
        ],
        "citations": plain(answer.citations),
        "nearest": plain(answer.nearest),
        "note": answer.note,
        "notice": answer.notice,
        "answerer": answer.answerer,
        "seconds": round(answer.seconds, 4),
        "stages": plain(answer.stages),
    }
