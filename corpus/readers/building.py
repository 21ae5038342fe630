"""Lines in, in reading order; the extracted text with its headings, rows and pages out."""

from dataclasses import dataclass, field

from corpus.types import Metadata


@dataclass(frozen=True, slots=True)
class Extracted:
    """The text of a file; offsets are characters of `text`."""

    text: str
    headings: tuple[tuple[int, int, int], ...] = ()  # (start, end, level 1-6; 0: title)
    tables: tuple[tuple[int, int], ...] = ()  # lines that are rows of a table
    pages: tuple[int, ...] = ()  # start of every page
    metadata: Metadata = field(default_factory=Metadata)
    notice: str = ""  # what of the file was not read, for a person


@dataclass(slots=True)
class Builder:
    """Collects the lines of a document; blank ones are left out."""

    _lines: list[str] = field(default_factory=list)
    _length: int = 0
    _headings: list[tuple[int, int, int]] = field(default_factory=list)
    _rows: list[tuple[int, int]] = field(default_factory=list)
    _pages: list[int] = field(default_factory=list)

    def line(self, text: str, *, level: int = 0, row: bool = False) -> None:
        """Add one line, a heading of `level` or a row of a table."""
        text = " ".join(text.split())
        if not text:
            return
        span = (self._length, self._length + len(text))
        if level:
            self._headings.append((*span, min(level, 6)))
        if row:
            self._rows.append(span)
        self._lines.append(text)
        self._length = span[1] + 1

    def page(self, back: int = 0) -> None:
        """Begin a page, or say that it began so many characters before the last line's end."""
        self._pages.append(self._length - back - 1 if back else self._length)

    def extracted(self, metadata: Metadata | None = None) -> Extracted:
        """All that was added."""
        return Extracted(
            "\n".join(self._lines),
            tuple(self._headings),
            tuple(self._rows),
            tuple(self._pages),
            metadata or Metadata(),
        )
