"""An answer in, a file to download out."""

from dataclasses import dataclass
from urllib.parse import quote

from rag.types import Answer
from ui.chat import plain_answer
from ui.conversations import title_of
from ui.text import Lang


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


def export_answer(answer: Answer, kind: str, lang: Lang) -> Exported | None:
    """The answer with its sources as Markdown; None for other kinds."""
    if kind != "md":
        return None
    text = f"# {answer.completed_question or answer.question}\n\n{plain_answer(answer, lang)}\n"
    return Exported(f"{_file_name(answer)}.md", "text/markdown; charset=utf-8", text.encode())


def _file_name(answer: Answer) -> str:
    """The question without what file systems do not take."""
    return (
        "".join(c for c in title_of(answer.question) if c not in '\\/:*?"<>|?？').strip()
        or "answer"
    )
