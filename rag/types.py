"""What a search and an answer consist of; every value is immutable and made of the corpus's own.

A citation's `quote` is `document.text[start:end]`, always.
"""

from dataclasses import dataclass
from typing import Literal, Protocol

from corpus.filters import Filters as Filters
from corpus.types import Chunk

Mode = Literal["hybrid", "dense", "lexical"]
NOT_FOUND = "材料中没有找到能回答这个问题的内容。"
UNSUPPORTED = "（存疑，未通过核验）"  # after a sentence wherever it is shown as plain text
Marks = tuple[tuple[int, int], ...]  # stretches of a text, start and end
StageName = Literal["complete", "retrieve", "rank", "generate", "verify"]


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk found for a question."""

    rank: int  # from 1
    score: float  # higher is better; calibrated, about 0 to 1 in hybrid mode
    chunk: Chunk
    features: tuple[float, ...] = ()  # in the order of `rag.rerank.FEATURES`, if it was re-ranked
    opening: str = ""  # the headings right before the chunk, as they stand in the document

    @property
    def start(self) -> int:
        """Where it begins in the document, with the headings that it opens under."""
        return self.chunk.start - len(self.opening)

    @property
    def text(self) -> str:
        """The document's text from `start` to the end of the chunk."""
        return self.opening + self.chunk.text


@dataclass(frozen=True, slots=True)
class Citation:
    """The evidence of a sentence: an excerpt with its exact place."""

    n: int  # from 1, as shown in [n]
    document: str
    document_id: int
    case: int | None
    case_title: str
    section: str
    chunk_id: int
    start: int
    end: int
    quote: str  # == text of the document [start:end]
    marks: tuple[tuple[int, int], ...] = ()  # the answering words, offsets in the document
    page: int | None = None

    @classmethod
    def of(
        cls, n: int, chunk: Chunk, span: tuple[int, int], quote: str, marks: Marks = ()
    ) -> "Citation":
        """Cite the document's `span`, which reads `quote` and lies in `chunk`."""
        return cls(
            n=n,
            document=chunk.document,
            document_id=chunk.document_id,
            case=chunk.case,
            case_title=chunk.case_title,
            section=chunk.section,
            chunk_id=chunk.id,
            start=span[0],
            end=span[1],
            quote=quote,
            marks=marks,
            page=chunk.page,
        )


@dataclass(frozen=True, slots=True)
class Support:
    """The verdict on one sentence after it was checked against what it cites."""

    supported: bool
    score: float  # 0 to 1
    problems: tuple[str, ...] = ()  # Chinese, one reason each: "数字“95%”不在引文中"


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of an answer with the numbers of its citations."""

    text: str
    citations: tuple[int, ...]
    support: Support | None = None
    marks: tuple[tuple[int, int], ...] = ()  # the answering words, offsets in `text`
    group: str = ""  # the case (or place) under which it is shown, for questions on several


@dataclass(frozen=True, slots=True)
class Table:
    """A comparison: `cells[row][column]` holds indexes of the answer's sentences."""

    columns: tuple[str, ...]
    rows: tuple[str, ...]
    cells: tuple[tuple[tuple[int, ...], ...], ...]


@dataclass(frozen=True, slots=True)
class Stage:
    """A step of answering that has ended: retrieve, rank, generate, verify."""

    name: StageName
    seconds: float


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of the answer's text as it is written, before it is checked."""

    text: str


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer; `refused` means that the documents do not say."""

    question: str
    completed_question: str  # the question made self-contained from the history
    answer: str  # plain text, citations as [n]
    refused: bool
    sentences: tuple[Sentence, ...]
    citations: tuple[Citation, ...]
    answerer: str  # "extractive", "transformers:NAME", "openai:NAME"
    seconds: float
    lead: str = ""  # an opening line that only names the case; not a claim of its own
    note: str = ""  # what the documents do not say, or a corrected premise
    nearest: tuple[Citation, ...] = ()  # shown with a refusal, marked as such
    table: Table | None = None
    stages: tuple[Stage, ...] = ()
    confidence: float = 1.0  # 0 to 1: how surely the documents answer the question
    notice: str = ""  # about the answering itself: a generator that is down, say
    notice_en: str = ""  # the same in English


@dataclass(frozen=True, slots=True)
class Draft:
    """What an answerer returns before it is checked and numbered."""

    sentences: tuple[Sentence, ...] = ()
    citations: tuple[Citation, ...] = ()
    refused: bool = False
    lead: str = ""
    note: str = ""
    table: Table | None = None
    confidence: float = 1.0


class Cancel(Protocol):
    """Something that says whether the user pressed stop; a threading.Event fits."""

    def is_set(self) -> bool:
        """Tell whether to stop."""
        ...
