"""What watched folders have given: files that were read, as they were then, and their documents.

A document remembers the folder it came from (`documents.origin`, written with it). It belongs there
as long as some file of the folder is known to hold it.
"""

from collections.abc import Iterable

from corpus.people import People

WATCHED_SCHEMA = """
ALTER TABLE documents ADD COLUMN origin TEXT NOT NULL DEFAULT '';
CREATE INDEX documents_origin ON documents (origin) WHERE origin <> '' AND state = 'current';
CREATE TABLE watched (
  folder TEXT NOT NULL, path TEXT NOT NULL, size INTEGER NOT NULL, changed INTEGER NOT NULL,
  document INTEGER NOT NULL REFERENCES documents (id), PRIMARY KEY (folder, path, document))
"""

Stamp = tuple[int, int]  # size in bytes, time of the last change in ns


class Watched(People):
    """Files of watched folders."""

    def watched_files(self, folder: str) -> dict[str, Stamp]:
        """The files that were read, by their path below the folder, as they were then."""
        with self.reading() as db:
            rows = db.execute("SELECT path, size, changed FROM watched WHERE folder = ?", (folder,))
            return {path: (size, changed) for path, size, changed in rows}

    def note_watched(self, folder: str, path: str, stamp: Stamp, documents: Iterable[int]) -> None:
        """Take note that a file holds these documents and no others."""
        with self.writing() as db:
            db.execute("DELETE FROM watched WHERE folder = ? AND path = ?", (folder, path))
            db.executemany(
                "INSERT OR IGNORE INTO watched VALUES (?, ?, ?, ?, ?)",
                [(folder, path, *stamp, document) for document in documents],
            )

    def forget_watched(self, folder: str, paths: Iterable[str]) -> None:
        """Take note that files are gone."""
        with self.writing() as db:
            db.executemany(
                "DELETE FROM watched WHERE folder = ? AND path = ?", [(folder, p) for p in paths]
            )

    def left_over(self, folder: str) -> dict[int, str]:
        """Names of current documents that came from the folder and that no file holds any more."""
        with self.reading() as db:
            rows = db.execute(
                "SELECT id, name FROM documents d WHERE origin = ? AND origin <> ''"
                " AND state = 'current' AND NOT EXISTS"
                " (SELECT 1 FROM watched w WHERE w.folder = d.origin AND w.document = d.id)",
                (folder,),
            )
            return dict(rows.fetchall())
