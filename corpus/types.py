"""The values that cross package boundaries: nodes, documents, chunks.

All offsets are counted in characters (code points) of `Document.text`, start inclusive, end
exclusive. Text shown to a person is always `document.text[start:end]`.
"""

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Literal

NodeKind = Literal[
    "document",  # the root
    "case",  # 案例N + title
    "chapter",  # 第X章 / 第X节 / Markdown or Word heading above a section
    "section",  # 一、 / 第X条
    "subsection",  # (一) / 1.
    # The kinds below are leaves; in order they tile the whole text.
    "heading",  # the line that opens a case, chapter, section or subsection
    "item",  # 一是 …, (1) …, a list entry
    "paragraph",
    "row",  # one row of a table
    "preface",  # before the first case: belongs to no case
    "trailer",  # 责任编辑:…: belongs to nobody
]


@dataclass(frozen=True, slots=True)
class Node:
    """One node of a document's outline; `parent` is the id of another node of the document."""

    id: int  # position in document order; the root is 0
    parent: int | None
    kind: NodeKind
    label: str  # "案例一", "一、", "(一)", "一是", "第三条" as written, else ""
    title: str  # without the label; for an item its first sentence
    start: int
    end: int
    case: int | None = None  # the number of the case the node lies in


@dataclass(frozen=True, slots=True)
class Metadata:
    """What is known about a document; empty where it is not known."""

    title: str = ""
    place: str = ""
    date: str = ""  # ISO: 2024, 2024-03 or 2024-03-15
    department: str = ""
    theme: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """A document as stored: its text, its outline, where it came from."""

    id: int
    name: str  # the file's name, as shown in lists
    text: str
    sha256: str  # of the file's bytes
    outline: tuple[Node, ...]
    metadata: Metadata = field(default_factory=Metadata)
    pages: tuple[int, ...] = ()  # start offset of every page, for formats that have pages
    origin: str = ""  # the watched folder it came from
    told: tuple[str, ...] = ()  # fields of the metadata that a person gave; only written
    notice: str = ""  # what of the file was not read; told when it is added, not stored

    def page_at(self, offset: int) -> int | None:
        """The page, from 1, that an offset of the text lies on; None without pages."""
        return bisect_right(self.pages, offset) or None

    @property
    def title(self) -> str:
        """The document's title, or its file name where it has none."""
        return self.metadata.title or self.name


# A document, and the number and title of a case in it: parts of one may both have a case 1.
Home = tuple[int, int | None, str]


@dataclass(frozen=True, slots=True)
class Chunk:
    """The unit that is embedded and retrieved: whole sentences of one outline node."""

    id: int  # unique in the store, never used again after a removal
    document_id: int
    node: int  # id of the outline node it lies in
    start: int
    end: int
    text: str  # == document.text[start:end]
    document: str  # the document's title
    case: int | None
    case_title: str
    section: str  # "一、以能动司法强化平等保护企业产权 › (一)…", "" outside sections
    place: str = ""  # of the case, else of the document
    page: int | None = None  # 1-based
    others: str = ""  # full or short names, from elsewhere in the document, of what it mentions

    @property
    def home(self) -> Home:
        """The case that it lies in, where the document has cases, else the document."""
        return self.document_id, self.case, self.case_title

    @property
    def body(self) -> str:
        """The text with the other names of what it mentions, as it is indexed."""
        return f"{self.text} {self.others}" if self.others else self.text

    @property
    def heading(self) -> str:
        """The titles above the chunk, which are indexed with it."""
        return " ".join(part for part in (self.case_title or self.document, self.section) if part)
