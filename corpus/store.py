"""The store: documents, chunks and vectors in one SQLite file, the only source of truth.

Values of `corpus.types` go in and come back; every index can be rebuilt from them. Every change
adds rows to `changes` in the same transaction; an index that knows its mark (the last change it has
seen) catches up by replaying what came later. Nothing is overwritten: a replaced or removed
document keeps its text, so that old citations still open.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from corpus.errors import StoreError
from corpus.filters import (
    NAMING_FIELDS,
    NO_FILTERS,
    Filters,
    NamingField,
    chunk_condition,
    ranked_names,
)
from corpus.packing import pack_vectors, unpack_outline, unpack_text, unpack_vectors
from corpus.people import PEOPLE_SCHEMA
from corpus.records import START as START
from corpus.records import Changes
from corpus.records import DocumentInfo as DocumentInfo
from corpus.records import Mark as Mark
from corpus.records import NewDocument as NewDocument
from corpus.records import State as State
from corpus.records import Stored as Stored
from corpus.schema import OTHER_NAMES_SCHEMA, SCHEMA
from corpus.types import Chunk, Document, Metadata, Node
from corpus.watched import WATCHED_SCHEMA, Watched
from corpus.writing import (
    TOLD_SCHEMA,
    current_with,
    insert_document,
    retire_document,
    told_of,
    update_document,
    write_vectors,
)

FILE_NAME = "zhengwen.db"
_CACHED_TEXTS = 256  # documents
_CACHED_OUTLINES = 64
_MAX_MARKS = 30_000  # SQLite takes 32,766 question marks in one statement

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]
T = TypeVar("T")
_Key = tuple[int, str]  # a document's number and the sha256 of its content

MIGRATIONS = (SCHEMA, PEOPLE_SCHEMA, WATCHED_SCHEMA, TOLD_SCHEMA, OTHER_NAMES_SCHEMA)

_INFO = (
    "id, name, title, place, date, department, theme, size, n_chunks, added, state, version,"
    " replaced_by, origin"
)
_CHUNK = (
    "SELECT c.id, c.document, c.node, c.start, c.end, d.title, d.name, d.sha256,"
    " c.case_number, c.case_title, c.section, c.place, c.page, c.others"
    " FROM chunks c JOIN documents d ON d.id = c.document"
)


class Store(Watched):
    """All of the above; safe to use from many threads and processes."""

    def __init__(self, file: Path) -> None:
        # What is cached never changes: an edited document is another document. Numbers alone would
        # not do, for a backup that is taken over may give them to others.
        self._text = lru_cache(maxsize=_CACHED_TEXTS)(self._read_text)
        self._outline = lru_cache(maxsize=_CACHED_OUTLINES)(self._read_outline)
        self._derived: dict[str, tuple[Mark, object]] = {}
        super().__init__(file, MIGRATIONS)

    # -- history ----------------------------------------------------------------------------

    def mark(self) -> Mark:
        """The last change."""
        with self.reading() as db:
            row = db.execute(
                "SELECT generation, token FROM changes ORDER BY generation DESC LIMIT 1"
            ).fetchone()
        return Mark(*row) if row else START

    def knows(self, mark: Mark) -> bool:
        """Whether a mark lies in this store's own history."""
        with self.reading() as db:
            row = db.execute(
                "SELECT token FROM changes WHERE generation = ?", (mark.generation,)
            ).fetchone()
        return mark == START or (row is not None and row[0] == mark.token)

    def changes_between(self, since: Mark, until: Mark) -> Changes:
        """What happened after `since`, up to and with `until`."""
        with self.reading() as db:
            last: dict[int, str] = dict(
                db.execute(
                    "SELECT document, action FROM changes"
                    " WHERE generation > ? AND generation <= ? ORDER BY generation",
                    (since.generation, until.generation),
                )
            )
        return Changes(
            tuple(d for d, action in last.items() if action == "add"),
            tuple(d for d, action in last.items() if action == "remove"),
        )

    # -- documents --------------------------------------------------------------------------

    def find_sha256(self, sha256: str) -> int | None:
        """The id of the current document with this content."""
        with self.reading() as db:
            known = current_with(db, sha256)
        return known[0] if known else None

    def add_documents(self, news: Iterable[NewDocument], model: str, added: str) -> list[Stored]:
        """Store documents with chunks and vectors in one transaction.

        Content that a current document has is not stored again; a current document of the same
        name is marked replaced. `added` is the time, ISO, UTC.
        """
        with self.writing() as db:
            return [insert_document(db, new, model, added) for new in news]

    def remove_documents(self, ids: Sequence[int]) -> None:
        """Take documents out of every search; their text stays for old citations."""
        with self.writing() as db:
            for document in ids:
                retire_document(db, document, "removed")

    def update_metadata(
        self,
        document: int,
        metadata: Metadata,
        model: str,
        vectors: FloatArray,
        placed: Sequence[int] = (),
    ) -> None:
        """Correct what is known about a document; its vectors follow its title.

        Chunks follow its place, but those that are `placed` by what their case says.
        """
        with self.writing() as db:
            update_document(db, document, metadata, model, pack_vectors(vectors), placed)

    def told(self, name: str) -> dict[str, str]:
        """What a person has told about the current document of this name, by field."""
        with self.reading() as db:
            return told_of(db, name)

    def documents(self, *, all_states: bool = False) -> list[DocumentInfo]:
        """The current documents, oldest first; replaced and removed ones too if asked."""
        where = "" if all_states else "WHERE state = 'current'"
        with self.reading() as db:
            rows = db.execute(f"SELECT {_INFO} FROM documents {where} ORDER BY id").fetchall()
        return [DocumentInfo(*row) for row in rows]

    def info(self, number: int) -> DocumentInfo:
        """One document as lists show it, removed ones too.

        Raises
        ------
        StoreError
            If there never was a document with this number.
        """
        with self.reading() as db:
            row = db.execute(f"SELECT {_INFO} FROM documents WHERE id = ?", (number,)).fetchone()
        if row is None:
            raise _unknown(number)
        return DocumentInfo(*row)

    def document(self, number: int) -> Document:
        """One document with its text and outline, removed ones too.

        Raises
        ------
        StoreError
            If there never was a document with this number.
        """
        with self.reading() as db:
            row = db.execute(
                "SELECT name, sha256, title, place, date, department, theme FROM documents"
                " WHERE id = ?",
                (number,),
            ).fetchone()
        if row is None:
            raise _unknown(number)
        key = (number, str(row[1]))
        outline, pages = self._outline(key)
        return Document(
            id=number,
            name=row[0],
            text=self._text(key),
            sha256=row[1],
            outline=outline,
            metadata=Metadata(*row[2:]),
            pages=pages,
        )

    def _read_text(self, key: _Key) -> str:
        return unpack_text(self._content(key[0], "text"))

    def _read_outline(self, key: _Key) -> tuple[tuple[Node, ...], tuple[int, ...]]:
        return unpack_outline(self._content(key[0], "outline"), self._content(key[0], "pages"))

    def _content(self, number: int, column: str) -> bytes:
        with self.reading() as db:
            row = db.execute(
                f"SELECT {column} FROM contents WHERE document = ?", (number,)
            ).fetchone()
        if row is None:
            raise _unknown(number)
        return bytes(row[0])

    # -- chunks -----------------------------------------------------------------------------

    def n_chunks(self) -> int:
        """How many chunks the current documents have."""
        with self.reading() as db:
            row = db.execute(
                "SELECT total(n_chunks) FROM documents WHERE state = 'current'"
            ).fetchone()
        return int(row[0])

    def chunks(self, document: int) -> list[Chunk]:
        """The chunks of one document in document order."""
        return self._chunks(
            "c.id >= d.first_chunk AND c.id < d.first_chunk + d.n_chunks AND d.id = ?", [document]
        )

    def chunks_by_id(self, ids: Sequence[int]) -> list[Chunk]:
        """Chunks in the order of `ids`; those of documents that are gone are left out."""
        marks = ",".join("?" * len(ids))
        found = {
            c.id: c for c in self._chunks(f"c.id IN ({marks}) AND d.state = 'current'", list(ids))
        }
        return [found[i] for i in ids if i in found]

    def chunk_ranges(self, documents: Sequence[int]) -> list[tuple[int, int]]:
        """`(first chunk, number of chunks)` of documents, removed ones too."""
        return [
            row
            for part in _parts(documents)
            for row in self._rows(
                "SELECT first_chunk, n_chunks FROM documents"
                f" WHERE id IN ({','.join('?' * len(part))}) ORDER BY id",
                part,
            )
        ]

    def chunk_ids(self, filters: Filters = NO_FILTERS) -> set[int]:
        """Ids of the current chunks that fit all restrictions; see `chunk_condition`."""
        where, values = self._where(filters)
        rows = self._rows(
            f"SELECT c.id FROM chunks c JOIN documents d ON d.id = c.document WHERE {where}", values
        )
        return {row[0] for row in rows}

    def _where(self, filters: Filters) -> tuple[str, list[object]]:
        known = {c: [field for field, _ in self._fields(c)] for c in NAMING_FIELDS}
        return chunk_condition(filters, known)

    def places(self) -> list[str]:
        """The places that current chunks are about, those with most chunks first."""

        def read() -> list[str]:
            rows = self._rows(
                "SELECT c.place FROM chunks c JOIN documents d ON d.id = c.document"
                " WHERE d.state = 'current' AND c.place <> ''"
                " GROUP BY 1 ORDER BY count(*) DESC, 1"
            )
            return [row[0] for row in rows]

        return list(self._once("places", read))

    def names(self, column: NamingField) -> list[str]:
        """The departments or themes of current documents, those of most documents first."""
        return ranked_names(self._fields(column))

    def _fields(self, column: NamingField) -> list[tuple[str, int]]:
        """What stands in a column, and in how many current documents."""
        statement = (
            f"SELECT {column}, count(*) FROM documents"
            f" WHERE state = 'current' AND {column} <> '' GROUP BY 1"
        )
        return self._once(column, lambda: self._rows(statement))

    def n_cases(self, filters: Filters = NO_FILTERS) -> int:
        """How many cases the current documents hold, among those that the filters let through."""

        def read() -> int:
            where, values = self._where(filters)
            rows = self._rows(
                "SELECT count(*) FROM (SELECT DISTINCT c.document, c.case_number, c.case_title"
                f" FROM chunks c JOIN documents d ON d.id = c.document WHERE {where}"
                " AND c.case_number IS NOT NULL)",
                values,
            )
            return int(rows[0][0])

        return read() if filters else self._once("n_cases", read)

    def documents_with_cases(self) -> list[int]:
        """Ids of the current documents that hold cases, oldest first."""

        def read() -> list[int]:
            rows = self._rows(
                "SELECT DISTINCT c.document FROM chunks c JOIN documents d ON d.id = c.document"
                " WHERE d.state = 'current' AND c.case_number IS NOT NULL ORDER BY 1"
            )
            return [row[0] for row in rows]

        return list(self._once("documents_with_cases", read))

    def _once(self, key: str, read: Callable[[], T]) -> T:
        """What `read` returns, read again only after a change."""
        mark = self.mark()
        known = self._derived.get(key)
        if known is None or known[0] != mark:
            known = self._derived[key] = (mark, read())
        return known[1]  # type: ignore[return-value]

    def _rows(self, statement: str, values: Sequence[object] = ()) -> list[Any]:
        with self.reading() as db:
            return db.execute(statement, values).fetchall()

    def _chunks(self, where: str, values: Sequence[object]) -> list[Chunk]:
        rows = self._rows(f"{_CHUNK} WHERE {where} ORDER BY c.id", values)
        return [
            Chunk(*(*row[:5], self._text((row[1], row[7]))[a:b], row[5] or row[6], *row[8:]))
            for row in rows
            for a, b in [row[3:5]]
        ]

    # -- vectors ----------------------------------------------------------------------------

    def vectors(
        self, model: str, *, documents: Sequence[int] | None = None
    ) -> tuple[IntArray, FloatArray]:
        """Ids `(n,)`, ascending, and vectors `(n, dim)` of current chunks under a model."""
        statement = (
            "SELECT d.first_chunk, d.n_chunks, v.data FROM documents d JOIN vectors v"
            " ON v.document = d.id AND v.model = (SELECT id FROM models WHERE fingerprint = ?)"
            " WHERE d.state = 'current' AND d.n_chunks > 0"
        )
        rows: list[tuple[int, int, bytes]] = []
        if documents is None:
            rows = self._rows(f"{statement} ORDER BY d.first_chunk", [model])
        for part in _parts(documents or ()):
            marks = ",".join("?" * len(part))
            rows += self._rows(f"{statement} AND d.id IN ({marks})", [model, *part])
        rows.sort(key=lambda row: row[0])
        n = sum(row[1] for row in rows)
        ids = np.zeros(n, np.int64)
        out: FloatArray = np.zeros((0, 0), np.float32)
        at = 0
        for first, count, data in rows:
            part_rows = unpack_vectors(data, count)
            if not out.size:
                out = np.empty((n, part_rows.shape[1]), np.float32)
            out[at : at + count] = part_rows
            ids[at : at + count] = np.arange(first, first + count)
            at += count
        return ids, out

    def documents_without_vectors(self, model: str) -> list[int]:
        """Current documents with chunks that `model` has not encoded yet."""
        rows = self._rows(
            "SELECT id FROM documents d WHERE state = 'current' AND n_chunks > 0 AND NOT EXISTS"
            " (SELECT 1 FROM vectors v WHERE v.document = d.id"
            "  AND v.model = (SELECT id FROM models WHERE fingerprint = ?)) ORDER BY id",
            [model],
        )
        return [row[0] for row in rows]

    def put_vectors(self, model: str, vectors: dict[int, FloatArray]) -> None:
        """Keep the vectors of documents, `{document: (n_chunks, dim)}`, under a model."""
        with self.writing() as db:
            for document, rows in vectors.items():
                write_vectors(db, document, model, pack_vectors(rows))

    def drop_other_vectors(self, model: str, *, keep: int = 0) -> None:
        """Forget the vectors of all other models but the `keep` latest."""
        with self.writing() as db:
            db.execute(
                "DELETE FROM vectors WHERE model IN (SELECT id FROM models WHERE fingerprint <> ?"
                " ORDER BY id DESC LIMIT -1 OFFSET ?)",
                (model, keep),
            )
            # A model that comes back is the latest again.
            db.execute("DELETE FROM models WHERE id NOT IN (SELECT model FROM vectors)")


def _parts(values: Sequence[T]) -> list[Sequence[T]]:
    return [values[at : at + _MAX_MARKS] for at in range(0, len(values), _MAX_MARKS)]


def _unknown(number: int) -> StoreError:
    return StoreError(
        f"没有编号为 {number} 的文档，请用 zhengwen list 查看编号。",
        f"no document with id {number}; zhengwen list shows the ids",
    )
