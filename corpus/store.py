"""The store: one SQLite file, the only source of truth; every index can be rebuilt from it.

Documents, outlines, chunks and vectors go in and come back as the values of `corpus.types`. Every
change of them adds rows to `changes`, numbered by a growing generation, in the same transaction;
an index that knows its generation catches up by replaying what came later. Nothing is ever
overwritten: a replaced or removed document keeps its text, so that old citations still open.
"""

import json
import sqlite3
import threading
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from corpus.errors import StoreError
from corpus.people import PEOPLE_SCHEMA, People
from corpus.types import Chunk, Document, Metadata, Node

FILE_NAME = "zhengwen.db"
BUSY_S = 30.0  # how long a writer waits for another process
_CACHED_DOCUMENTS = 512

State = Literal["current", "replaced", "removed"]
IntArray = npt.NDArray[np.int64]
HalfArray = npt.NDArray[np.float16]

_SCHEMA = """
CREATE TABLE documents (
  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, sha256 TEXT NOT NULL,
  title TEXT NOT NULL, place TEXT NOT NULL, date TEXT NOT NULL, department TEXT NOT NULL,
  theme TEXT NOT NULL, text BLOB NOT NULL, outline BLOB NOT NULL, pages TEXT NOT NULL,
  size INTEGER NOT NULL, n_chunks INTEGER NOT NULL, added TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT 'current' CHECK (state IN ('current', 'replaced', 'removed')));
CREATE INDEX documents_sha256 ON documents (sha256) WHERE state = 'current';
CREATE INDEX documents_name ON documents (name) WHERE state = 'current';
CREATE TABLE chunks (
  id INTEGER PRIMARY KEY AUTOINCREMENT, document INTEGER NOT NULL REFERENCES documents (id),
  node INTEGER NOT NULL, start INTEGER NOT NULL, end INTEGER NOT NULL, case_number INTEGER,
  case_title TEXT NOT NULL, section TEXT NOT NULL, place TEXT NOT NULL, page INTEGER);
CREATE INDEX chunks_document ON chunks (document);
CREATE TABLE vectors (
  chunk INTEGER NOT NULL REFERENCES chunks (id), model TEXT NOT NULL, vector BLOB NOT NULL,
  PRIMARY KEY (model, chunk)) WITHOUT ROWID;
CREATE TABLE changes (
  generation INTEGER PRIMARY KEY AUTOINCREMENT, document INTEGER NOT NULL,
  action TEXT NOT NULL CHECK (action IN ('add', 'remove')));
"""
_MIGRATIONS: tuple[str, ...] = (_SCHEMA, PEOPLE_SCHEMA)


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


@dataclass(frozen=True, slots=True)
class NewDocument:
    """A document that is ready to be stored; its chunks and vectors go along."""

    document: Document
    chunks: Sequence[Chunk]
    vectors: HalfArray  # (n_chunks, dim)


class Store(People):
    """Reads from any thread; writes one at a time, across processes too."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._local = threading.local()
        self._open: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        self.cached_document = lru_cache(maxsize=_CACHED_DOCUMENTS)(self.document)
        with _explained(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            self._migrate()

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            for connection in self._open:
                connection.close()
            self._open.clear()

    # -- connections ------------------------------------------------------------------------

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(
                self.file, timeout=BUSY_S, isolation_level=None, check_same_thread=False
            )
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            self._local.connection = connection
            with self._lock:
                self._open.append(connection)
        return connection

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection for queries; database errors become a StoreError."""
        with _explained(self.file):
            yield self._connection()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction: committed at the end of the block, undone by an error in it."""
        with _explained(self.file):
            connection = self._connection()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def _migrate(self) -> None:
        connection = self._connection()
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > len(_MIGRATIONS):
            raise StoreError(
                f"数据库 {self.file} 由更新版本的程序写成,请升级程序",
                f"{self.file} was written by a newer version; please upgrade",
            )
        if version == len(_MIGRATIONS):
            return
        connection.execute("BEGIN IMMEDIATE")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        for migration in _MIGRATIONS[version:]:
            for statement in migration.split(";"):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")
        connection.execute("COMMIT")

    # -- documents --------------------------------------------------------------------------

    def generation(self) -> int:
        """The number of the last change."""
        with self.reading() as db:
            row = db.execute("SELECT max(generation) FROM changes").fetchone()
        return int(row[0] or 0)

    def changes_since(self, generation: int) -> list[tuple[int, int, str]]:
        """`(generation, document, "add" | "remove")` of the later changes, oldest first."""
        with self.reading() as db:
            return db.execute(
                "SELECT generation, document, action FROM changes WHERE generation > ?"
                " ORDER BY generation",
                (generation,),
            ).fetchall()

    def find_sha256(self, sha256: str) -> int | None:
        """The id of the current document with this content."""
        with self.reading() as db:
            row = db.execute(
                "SELECT id FROM documents WHERE sha256 = ? AND state = 'current'", (sha256,)
            ).fetchone()
        return int(row[0]) if row else None

    def find_name(self, name: str) -> int | None:
        """The id of the current document with this name."""
        with self.reading() as db:
            row = db.execute(
                "SELECT id FROM documents WHERE name = ? AND state = 'current'", (name,)
            ).fetchone()
        return int(row[0]) if row else None

    def add_documents(self, news: Iterable[NewDocument], model: str, added: str) -> list[int]:
        """Store documents with chunks and vectors in one transaction; returns their ids.

        A current document of the same name is marked replaced in the same transaction.
        """
        ids = []
        with self.writing() as db:
            for new in news:
                ids.append(_insert(db, new, model, added))
        return ids

    def remove_documents(self, ids: Sequence[int]) -> None:
        """Take documents out of every search; their text stays for old citations."""
        with self.writing() as db:
            for document in ids:
                _retire(db, document, "removed")

    def update_metadata(self, document: int, metadata: Metadata) -> None:
        """Correct what is known about a document; its chunks are indexed anew."""
        with self.writing() as db:
            db.execute(
                "UPDATE documents SET title = ?, place = ?, date = ?, department = ?, theme = ?"
                " WHERE id = ?",
                (*_metadata_row(metadata), document),
            )
            db.execute("INSERT INTO changes (document, action) VALUES (?, 'add')", (document,))
        self.cached_document.cache_clear()

    def documents(self, *, all_states: bool = False) -> list[DocumentInfo]:
        """The current documents, oldest first; replaced and removed ones too if asked."""
        where = "" if all_states else "WHERE state = 'current'"
        with self.reading() as db:
            rows = db.execute(
                "SELECT id, name, title, place, date, department, theme, size, n_chunks, added,"
                f" state FROM documents {where} ORDER BY id"
            ).fetchall()
        return [DocumentInfo(*row) for row in rows]

    def document(self, number: int) -> Document:
        """One document, removed ones too.

        Raises
        ------
        StoreError
            If there never was a document with this number.
        """
        with self.reading() as db:
            row = db.execute(
                "SELECT id, name, text, sha256, outline, title, place, date, department, theme,"
                " pages FROM documents WHERE id = ?",
                (number,),
            ).fetchone()
        if row is None:
            raise StoreError(f"没有编号为 {number} 的文档", f"no document with id {number}")
        return Document(
            id=row[0],
            name=row[1],
            text=_unpacked(row[2]),
            sha256=row[3],
            outline=tuple(Node(*node) for node in json.loads(_unpacked(row[4]))),
            metadata=Metadata(*row[5:10]),
            pages=tuple(json.loads(row[10])),
        )

    # -- chunks and vectors -----------------------------------------------------------------

    def chunks(self, document: int) -> list[Chunk]:
        """The chunks of one document in document order."""
        return self._chunks("document = ?", (document,))

    def chunks_by_id(self, ids: Sequence[int]) -> list[Chunk]:
        """Chunks in the order of `ids`; those of documents that are gone are left out."""
        marks = ",".join("?" * len(ids))
        found = {c.id: c for c in self._chunks(f"id IN ({marks})", tuple(ids), current=True)}
        return [found[i] for i in ids if i in found]

    def chunk_ids(
        self, *, documents: Sequence[int] = (), cases: Sequence[int] = (),
        places: Sequence[str] = (), since: str = "", until: str = "",
    ) -> set[int]:  # fmt: skip
        """Ids of the current chunks that fit all restrictions given; dates are ISO."""
        conditions, values = ["d.state = 'current'"], list[object]()
        for column, wanted in (("d.id", documents), ("c.case_number", cases), ("c.place", places)):
            if wanted:
                conditions.append(f"{column} IN ({','.join('?' * len(wanted))})")
                values += wanted
        if since:
            conditions.append("d.date >= ?")
            values.append(since)
        if until:
            # "2024" is before "2024-03" but lies within until=2024.
            conditions.append("d.date <> '' AND substr(d.date, 1, ?) <= ?")
            values += [len(until), until]
        with self.reading() as db:
            rows = db.execute(
                "SELECT c.id FROM chunks c JOIN documents d ON d.id = c.document WHERE "
                + " AND ".join(conditions),
                values,
            )
            return {row[0] for row in rows}

    def places(self) -> list[str]:
        """The places that current chunks are about, those with most chunks first."""
        with self.reading() as db:
            rows = db.execute(
                "SELECT c.place FROM chunks c JOIN documents d ON d.id = c.document"
                " WHERE d.state = 'current' AND c.place <> '' GROUP BY 1 ORDER BY count(*) DESC"
            )
            return [row[0] for row in rows]

    def n_cases(self) -> int:
        """How many cases the current documents hold."""
        with self.reading() as db:
            row = db.execute(
                "SELECT count(*) FROM (SELECT DISTINCT c.document, c.case_number FROM chunks c"
                " JOIN documents d ON d.id = c.document"
                " WHERE d.state = 'current' AND c.case_number IS NOT NULL)"
            ).fetchone()
        return int(row[0])

    def vectors(
        self, model: str, *, documents: Sequence[int] | None = None
    ) -> tuple[IntArray, HalfArray]:
        """Ids `(n,)` and vectors `(n, dim)` of the current chunks, of some documents if given."""
        only = ""
        if documents is not None:
            only = f" AND d.id IN ({','.join(str(int(i)) for i in documents)})"
        with self.reading() as db:
            rows = db.execute(
                "SELECT v.chunk, v.vector FROM documents d JOIN chunks c ON c.document = d.id"
                " JOIN vectors v ON v.chunk = c.id AND v.model = ?"
                f" WHERE d.state = 'current'{only} ORDER BY v.chunk",
                (model,),
            ).fetchall()
        ids = np.fromiter((row[0] for row in rows), np.int64, len(rows))
        data = np.frombuffer(b"".join(row[1] for row in rows), np.float16)
        return ids, data.reshape(len(rows), -1) if rows else np.zeros((0, 0), np.float16)

    def vectors_by_id(self, model: str, ids: Sequence[int]) -> dict[int, HalfArray]:
        """Stored vectors of some chunks."""
        marks = ",".join("?" * len(ids))
        with self.reading() as db:
            rows = db.execute(
                f"SELECT chunk, vector FROM vectors WHERE model = ? AND chunk IN ({marks})",
                (model, *ids),
            ).fetchall()
        return {row[0]: np.frombuffer(row[1], np.float16) for row in rows}

    def documents_without_vectors(self, model: str) -> list[int]:
        """Current documents with a chunk that `model` has not encoded yet."""
        with self.reading() as db:
            rows = db.execute(
                "SELECT DISTINCT c.document FROM chunks c JOIN documents d ON d.id = c.document"
                " LEFT JOIN vectors v ON v.chunk = c.id AND v.model = ?"
                " WHERE d.state = 'current' AND v.chunk IS NULL ORDER BY 1",
                (model,),
            )
            return [row[0] for row in rows]

    def put_vectors(self, model: str, ids: Sequence[int], vectors: HalfArray) -> None:
        """Keep the vectors of chunks under a model."""
        with self.writing() as db:
            db.executemany(
                "INSERT OR REPLACE INTO vectors (chunk, model, vector) VALUES (?, ?, ?)",
                ((int(i), model, v.tobytes()) for i, v in zip(ids, vectors, strict=True)),
            )

    def drop_other_vectors(self, model: str) -> None:
        """Forget the vectors of all other models."""
        with self.writing() as db:
            db.execute("DELETE FROM vectors WHERE model <> ?", (model,))

    def _chunks(
        self, where: str, values: tuple[object, ...], *, current: bool = False
    ) -> list[Chunk]:
        state = "AND d.state = 'current'" if current else ""
        with self.reading() as db:
            rows = db.execute(
                "SELECT c.id, c.document, c.node, c.start, c.end, c.case_number, c.case_title,"
                " c.section, c.place, c.page FROM chunks c JOIN documents d ON d.id = c.document"
                f" WHERE c.{where} {state} ORDER BY c.id",
                values,
            ).fetchall()
        return [self._chunk(row) for row in rows]

    def _chunk(self, row: tuple[int, int, int, int, int, int | None, str, str, str, int]) -> Chunk:
        document = self.cached_document(row[1])
        text = document.text[row[3] : row[4]]
        return Chunk(*row[:5], text, document.title, *row[5:])

    # -- care -------------------------------------------------------------------------------

    def integrity_problems(self) -> list[str]:
        """What SQLite's own check and the foreign keys find wrong; empty = nothing."""
        with self.reading() as db:
            rows = [row[0] for row in db.execute("PRAGMA integrity_check")]
            problems = [row for row in rows if row != "ok"]
            problems += [f"foreign key: {row}" for row in db.execute("PRAGMA foreign_key_check")]
        return problems

    def backup(self, file: Path) -> None:
        """Write a consistent copy, also while others write."""
        with _explained(file), sqlite3.connect(file) as copy:
            self._connection().backup(copy)
        copy.close()

    def restore(self, file: Path) -> None:
        """Take over the content of a backup.

        Raises
        ------
        StoreError
            If `file` is not a whole backup; the store is then as before.
        """
        if not file.is_file():
            raise StoreError(f"没有备份文件 {file},请检查路径", f"no backup file {file}")
        with _explained(file):
            source = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
            version = source.execute("PRAGMA user_version").fetchone()[0]
            whole = source.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        if not whole or not 0 < version <= len(_MIGRATIONS):
            source.close()
            raise StoreError(f"{file} 不是完整的备份,未恢复", f"{file} is not a whole backup")
        with _explained(self.file):
            source.backup(self._connection())
            source.close()
            self._migrate()
        self.cached_document.cache_clear()


def _insert(db: sqlite3.Connection, new: NewDocument, model: str, added: str) -> int:
    document = new.document
    old = db.execute(
        "SELECT id FROM documents WHERE name = ? AND state = 'current'", (document.name,)
    ).fetchone()
    if old:
        _retire(db, old[0], "replaced")
    outline = json.dumps([_node_row(node) for node in document.outline], ensure_ascii=False)
    number = db.execute(
        "INSERT INTO documents (name, sha256, title, place, date, department, theme, text,"
        " outline, pages, size, n_chunks, added) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            document.name, document.sha256, *_metadata_row(document.metadata),
            _packed(document.text), _packed(outline), json.dumps(document.pages),
            len(document.text), len(new.chunks), added,
        ),
    ).lastrowid  # fmt: skip
    assert number is not None
    for chunk, vector in zip(new.chunks, new.vectors, strict=True):
        row = db.execute(
            "INSERT INTO chunks (document, node, start, end, case_number, case_title, section,"
            " place, page) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                number, chunk.node, chunk.start, chunk.end, chunk.case, chunk.case_title,
                chunk.section, chunk.place, chunk.page,
            ),
        )  # fmt: skip
        db.execute(
            "INSERT INTO vectors (chunk, model, vector) VALUES (?, ?, ?)",
            (row.lastrowid, model, vector.tobytes()),
        )
    db.execute("INSERT INTO changes (document, action) VALUES (?, 'add')", (number,))
    return number


def _retire(db: sqlite3.Connection, document: int, state: State) -> None:
    db.execute("UPDATE documents SET state = ? WHERE id = ?", (state, document))
    # The text stays for old citations; the vectors serve nobody any more.
    db.execute(
        "DELETE FROM vectors WHERE chunk IN (SELECT id FROM chunks WHERE document = ?)",
        (document,),
    )
    db.execute("INSERT INTO changes (document, action) VALUES (?, 'remove')", (document,))


def _node_row(node: Node) -> tuple[object, ...]:
    return (
        node.id, node.parent, node.kind, node.label, node.title, node.start, node.end, node.case,
    )  # fmt: skip


def _metadata_row(metadata: Metadata) -> tuple[str, ...]:
    m = metadata
    return (m.title, m.place, m.date, m.department, m.theme)


def _packed(text: str) -> bytes:
    return zlib.compress(text.encode("utf-8", "surrogatepass"), 6)


def _unpacked(data: bytes) -> str:
    return zlib.decompress(data).decode("utf-8", "surrogatepass")


@contextmanager
def _explained(file: Path) -> Iterator[None]:
    """Turn what SQLite and the file system say into a sentence with a mend."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise _operational(file, error) from error
    except sqlite3.DatabaseError as error:
        raise StoreError(
            f"数据库 {file} 已损坏({error}),请用 zhengwen restore 从备份恢复,"
            f"或移走该文件后重新添加文档",
            f"database {file} is damaged: {error}; restore a backup or move the file away",
        ) from error
    except (PermissionError, FileExistsError, NotADirectoryError) as error:
        raise StoreError(
            f"数据目录 {file.parent} 不可用或不可写,请检查权限,或用 --home 指定其他目录",
            f"home folder {file.parent} cannot be used; check permissions or choose another --home",
        ) from error


_HINTS = (
    ("full", "磁盘已满,请清理后重试", "the disk is full; free some space"),
    ("locked", "正被其他进程占用,请稍后再试", "another process is writing; try again"),
    ("readonly", "只读,请检查权限", "read-only; check permissions"),
    (
        "unable to open",
        "无法打开,请检查权限,或用 --home 指定其他目录",
        "cannot be opened; check permissions or choose another --home",
    ),
    ("disk I/O", "读写失败,请检查磁盘", "disk I/O failed; check the disk"),
)


def _operational(file: Path, error: sqlite3.OperationalError) -> StoreError:
    text = str(error)
    for key, zh, en in _HINTS:
        if key in text:
            return StoreError(f"数据库 {file} {zh}", f"database {file}: {en}")
    return StoreError(f"数据库 {file} 出错:{text}", f"database {file}: {text}")
