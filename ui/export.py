"""An answer or a conversation in, a file to download out."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from rag.export import to_docx, to_markdown
from rag.types import Answer
from ui.conversations import title_of

KINDS = {
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "md": "text/markdown; charset=utf-8",
}


@dataclass(frozen=True, slots=True)
class Exported:
    """A file: what it is called, what it is, what it holds."""

    name: str
    media_type: str
    data: bytes

    @property
    def disposition(self) -> str:
        """The header that makes a browser save it under its name."""
        return f"attachment; filename*=UTF-8''{quote(self.name)}"


def export_answers(answers: Sequence[Answer], kind: str, title: str = "") -> Exported | None:
    """Answers with their sources as Word or Markdown; None for other kinds or no answers.

    A conversation has a `title`; a single answer goes by its question.
    """
    if kind not in KINDS or not answers:
        return None
    if kind == "docx":
        data = to_docx(*answers, title=title)
    else:
        data = to_markdown(*answers, title=title).encode()
    return Exported(f"{_file_name(title or answers[0].question)}.{kind}", KINDS[kind], data)


def _file_name(title: str) -> str:
    """The title without what file systems do not take."""
    name = "".join(c for c in title_of(title) if c.isprintable() and c not in _FORBIDDEN)
    return name.strip(" .") or "answer"


_FORBIDDEN = frozenset('\\/:*?"<>|？')
