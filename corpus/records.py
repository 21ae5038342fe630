"""What the store takes and gives besides documents: marks of its history, lists, reports."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from corpus.types import Chunk, Document, Metadata

State = Literal["current", "replaced", "removed"]
Outcome = Literal["added", "replaced", "unchanged"]
FloatArray = npt.NDArray[np.float32]


class Mark(NamedTuple):
    """A point in the history of a store.

    The random token tells apart histories that share a number: those of a store and of a backup
    that was restored and then changed.
    """

    generation: int
    token: str


START = Mark(0, "")


@dataclass(frozen=True, slots=True)
class DocumentInfo:
    """A document as lists show it."""

    id: int
    name: str
    title: str
    place: str
    date: str
    department: str
    theme: str
    size: int  # characters
    n_chunks: int
    added: str  # ISO time, UTC
    state: State
    version: int  # 1, 2, … under the same name
    replaced_by: int | None
    origin: str  # the watched folder it came from

    @property
    def metadata(self) -> Metadata:
        """What is known about it, as stored: the title may be empty."""
        return Metadata(self.title, self.place, self.date, self.department, self.theme)


@dataclass(frozen=True, slots=True)
class NewDocument:
    """A document that is ready to be stored; its chunks and vectors go along."""

    document: Document
    chunks: Sequence[Chunk]
    vectors: FloatArray  # (n_chunks, dim)


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of a new document; for an unchanged one the id is that of the known one."""

    id: int
    outcome: Outcome
    first_chunk: int


@dataclass(frozen=True, slots=True)
class Changes:
    """The difference between two marks: documents to put in and to take out, each only once."""

    added: tuple[int, ...]
    removed: tuple[int, ...]
