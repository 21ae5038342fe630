"""An answer in, a file to download out."""

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


def export_answer(answer: Answer, kind: str) -> Exported | None:
    """The answer with its sources as Word or Markdown; None for other kinds."""
    if kind not in KINDS:
        return None
    data = to_docx(answer) if kind == "docx" else to_markdown(answer).encode()
    return Exported(f"{_file_name(answer)}.{kind}", KINDS[kind], data)


def _file_name(answer: Answer) -> str:
    """The question without what file systems do not take."""
    name = "".join(c for c in title_of(answer.question) if c.isprintable() and c not in _FORBIDDEN)
    return name.strip(" .") or "answer"


_FORBIDDEN = frozenset('\\/:*?"<>|？')
