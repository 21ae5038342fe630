"""The statements that change documents; each runs inside a transaction of the store.

What a person has told about a document (`documents.told`) is kept apart from what was read in it:
the next version of the file is described by the person again.
"""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import fields

from corpus.packing import pack_outline, pack_pages, pack_text, pack_vectors
from corpus.records import NewDocument, State, Stored
from corpus.types import Metadata

TOLD_SCHEMA = "ALTER TABLE documents ADD COLUMN told TEXT NOT NULL DEFAULT ''"

_FIELDS = tuple(field.name for field in fields(Metadata))
_INSERT_DOCUMENT = (
    "INSERT INTO documents (name, sha256, title, place, date, department, theme, size,"
    " first_chunk, n_chunks, added, version, origin, told)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_INSERT_CHUNK = (
    "INSERT INTO chunks (id, document, node, start, end, case_number, case_title, section, place,"
    " page, others) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


def current_with(db: sqlite3.Connection, sha256: str) -> tuple[int, int] | None:
    """Id and first chunk of the current document with this content."""
    found: tuple[int, int] | None = db.execute(
        # Left to itself, SQLite walks all current documents instead.
        "SELECT id, first_chunk FROM documents INDEXED BY documents_sha256"
        " WHERE sha256 = ? AND state = 'current'",
        (sha256,),
    ).fetchone()
    return found


def insert_document(db: sqlite3.Connection, new: NewDocument, model: str, added: str) -> Stored:
    """Store one document unless its content is known; see `Store.add_documents`."""
    document = new.document
    if known := current_with(db, document.sha256):
        return Stored(known[0], "unchanged", known[1])
    versions = db.execute(
        "SELECT max(version), max(CASE WHEN state = 'current' THEN id END) FROM documents"
        " WHERE name = ?",
        (document.name,),
    ).fetchone()
    first = _next_chunk(db)
    number = db.execute(
        _INSERT_DOCUMENT,
        (
            document.name, document.sha256, *_metadata_row(document.metadata), len(document.text),
            first, len(new.chunks), added, (versions[0] or 0) + 1, document.origin,
            " ".join(document.told),
        ),
    ).lastrowid  # fmt: skip
    assert number is not None
    if versions[1]:
        retire_document(db, versions[1], "replaced", by=number)
    db.execute(
        "INSERT INTO contents (document, text, outline, pages) VALUES (?, ?, ?, ?)",
        (
            number,
            pack_text(document.text),
            pack_outline(document.outline),
            pack_pages(document.pages),
        ),
    )
    db.executemany(
        _INSERT_CHUNK,
        [
            (
                i, number, c.node, c.start, c.end, c.case, c.case_title, c.section, c.place, c.page,
                c.others,
            )
            for i, c in enumerate(new.chunks, first)
        ],
    )  # fmt: skip
    if len(new.vectors) != len(new.chunks):
        raise ValueError(f"{len(new.vectors)} vectors for {len(new.chunks)} chunks")
    write_vectors(db, number, model, pack_vectors(new.vectors))
    db.execute("INSERT INTO changes (document, action) VALUES (?, 'add')", (number,))
    return Stored(number, "replaced" if versions[1] else "added", first)


def retire_document(
    db: sqlite3.Connection, document: int, state: State, *, by: int | None = None
) -> None:
    """Take a current document out; one that is out already stays as it is."""
    found = db.execute(
        "UPDATE documents SET state = ?, replaced_by = ? WHERE id = ? AND state = 'current'",
        (state, by, document),
    )
    if not found.rowcount:
        return
    # The text stays for old citations; the vectors serve nobody any more.
    db.execute("DELETE FROM vectors WHERE document = ?", (document,))
    db.execute("INSERT INTO changes (document, action) VALUES (?, 'remove')", (document,))


def update_document(
    db: sqlite3.Connection,
    document: int,
    metadata: Metadata,
    model: str,
    vectors: bytes,
    placed: Sequence[int],
) -> None:
    """Correct the metadata; all chunks but `placed`, which have a place of their own, follow it."""
    old = db.execute(
        f"SELECT told, {', '.join(_FIELDS)} FROM documents WHERE id = ?", (document,)
    ).fetchone()
    before, now = Metadata(*old[1:]), _metadata_row(metadata)
    new = zip(_FIELDS, _metadata_row(before), now, strict=True)
    told = {*old[0].split(), *(name for name, was, is_now in new if was != is_now)}
    db.execute(
        "UPDATE documents SET title = ?, place = ?, date = ?, department = ?, theme = ?, told = ?"
        " WHERE id = ?",
        (*now, " ".join(sorted(told)), document),
    )
    db.execute(
        "UPDATE chunks SET place = ? WHERE id IN (SELECT c.id FROM chunks c"
        " JOIN documents d ON c.id >= d.first_chunk AND c.id < d.first_chunk + d.n_chunks"
        " WHERE d.id = ?) AND id NOT IN (SELECT value FROM json_each(?))",
        (metadata.place, document, json.dumps(placed)),
    )
    # Vectors of other models would lag behind the title, so they are made anew when needed.
    db.execute("DELETE FROM vectors WHERE document = ?", (document,))
    write_vectors(db, document, model, vectors)
    db.execute(
        "INSERT INTO changes (document, action) SELECT id, 'add' FROM documents"
        " WHERE id = ? AND state = 'current'",
        (document,),
    )


def told_of(db: sqlite3.Connection, name: str) -> dict[str, str]:
    """What a person has told about the current document of this name, by field."""
    row = db.execute(
        f"SELECT told, {', '.join(_FIELDS)} FROM documents WHERE name = ? AND state = 'current'"
        " ORDER BY id DESC LIMIT 1",
        (name,),
    ).fetchone()
    known = dict(zip(_FIELDS, row[1:], strict=True)) if row else {}
    return {field: known[field] for field in row[0].split()} if row else {}


def write_vectors(db: sqlite3.Connection, document: int, model: str, data: bytes) -> None:
    """Keep the vectors of a document under a model."""
    db.execute("INSERT OR IGNORE INTO models (fingerprint) VALUES (?)", (model,))
    db.execute(
        "INSERT OR REPLACE INTO vectors (document, model, data)"
        " SELECT d.id, m.id, ? FROM documents d, models m"
        " WHERE d.id = ? AND d.state = 'current' AND m.fingerprint = ?",
        (data, document, model),
    )


def _next_chunk(db: sqlite3.Connection) -> int:
    """The next id that was never used."""
    row = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'chunks'").fetchone()
    return int(row[0]) + 1 if row else 1


def _metadata_row(metadata: Metadata) -> tuple[str, ...]:
    m = metadata
    return (m.title, m.place, m.date, m.department, m.theme)
