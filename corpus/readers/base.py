"""Which reader reads which file, and what all of them return."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePath

from corpus.errors import CorpusError
from corpus.readers.text import decode
from corpus.types import Metadata


@dataclass(frozen=True, slots=True)
class Extracted:
    """The text of a file; offsets are characters of `text`."""

    text: str
    headings: tuple[tuple[int, int, int], ...] = ()  # (start, end, level 1-6)
    tables: tuple[tuple[int, int], ...] = ()  # lines that are rows of a table
    pages: tuple[int, ...] = ()  # start of every page
    metadata: Metadata = field(default_factory=Metadata)


TEXT_SUFFIXES = (".txt", ".md", ".markdown")


def read_document(name: str, data: bytes) -> Extracted:
    """Read one file.

    Raises
    ------
    CorpusError
        If it is empty, of an unknown kind, or damaged.
    """
    suffix = PurePath(name).suffix.lower()
    if suffix not in TEXT_SUFFIXES:
        raise CorpusError(
            f"无法读取 {name}:不支持 {suffix or '没有扩展名的文件'},请另存为 .txt 或 .md",
            f"cannot read {name}: unsupported kind {suffix!r}",
        )
    try:
        text = decode(data)
    except ValueError as error:
        raise CorpusError(
            f"无法读取 {name}:无法识别文字编码,请另存为 UTF-8", "unknown text encoding"
        ) from error
    if not any(c.isalnum() for c in text):
        raise CorpusError(f"无法读取 {name}:文件里没有文字", f"{name} has no text")
    return Extracted(text, metadata=Metadata(title=PurePath(name).stem))


def expand(name: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    """The files in an archive; any other file is itself."""
    yield name, data
