"""Documents in, a searchable library out: the store with its two indexes, kept in step.

A change goes through the store first, in one transaction; the indexes then replay the store's
changes. Whoever opens a library, or finds that another process has changed it, replays what is
missing, so a process that dies between the two leaves nothing half done.
"""

import logging
import math
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from corpus.builtin import builtin_document
from corpus.chunks import names_its_place, split_chunks
from corpus.database import unusable
from corpus.errors import StoreError
from corpus.store import FILE_NAME, START, DocumentInfo, NewDocument, Store, Stored
from corpus.types import Chunk, Document, Metadata
from embeddings.encoder import BUILT_IN, Encoder, FloatArray, load_encoder
from embeddings.index import EXACT_UP_TO
from embeddings.words import WordVectors
from rag.health import CheckReport, examine
from rag.indexes import Indexes, encode_missing, index_text
from rag.indexes import Snapshot as Snapshot
from rag.intake import AddReport as AddReport
from rag.intake import (
    Failure,
    Notice,
    Source,
    contents_of,
    find_files,
    merged,
    read_content,
    sha256_of,
    text_document,
)
from rag.match import Matcher
from rag.reader import Reader

Progress = Callable[[str, int, int], None]

BATCH_CHARS = 400_000  # text that is encoded and committed at a time
LOCK_S = 120.0  # how long a writer waits for another process
_ENCODED_AT_ONCE = 512  # chunks between two looks at the cancel button
_FOLLOW_S = 0.0  # how long a question waits for another process's change

_LOG = logging.getLogger(__name__)


class Library:
    """The documents of one home folder; safe to use from many threads and processes."""

    def __init__(
        self, home: Path, encoder: Encoder, store: Store, *, exact_up_to: int = EXACT_UP_TO
    ) -> None:
        self.home = home
        self.store = store
        # Words have the built-in vectors whatever model encodes the passages: see `WordVectors`.
        self._words = WordVectors(encoder if encoder.name == BUILT_IN else load_encoder())
        self.reader = Reader(self._words)
        # Both locks may be given back by another thread than the one that took them.
        self._file_lock = FileLock(home / "write.lock", timeout=LOCK_S, thread_local=False)
        self._lock = threading.Lock()
        self._merge: threading.Thread | None = None
        self._take_locks()
        try:
            self._indexes = Indexes(home, store, exact_up_to=exact_up_to)
        finally:
            self._release()
        encode_missing(store, encoder)
        with self._writing():
            self._snapshot = self._indexes.start(encoder)

    @classmethod
    def open(
        cls,
        home: Path,
        encoder: Encoder,
        progress: Progress | None = None,
        *,
        builtin: bool = True,
        exact_up_to: int = EXACT_UP_TO,
    ) -> "Library":
        """Open or create the library in `home`; the first time, the built-in cases are added.

        Documents that another model has encoded are encoded again; its vectors are kept, with which
        other processes may go on. Beyond `exact_up_to` chunks the vector search is approximate.

        Raises
        ------
        StoreError
            If the folder or the database cannot be used.
        """
        store = Store(home / FILE_NAME)
        try:
            new = builtin and store.mark() == START
            if encode_missing(store, encoder, progress):
                store.drop_other_vectors(encoder.fingerprint, keep=1)
            library = cls(home, encoder, store, exact_up_to=exact_up_to)
            if new:
                library.add([builtin_document()], progress)
        except BaseException:
            store.close()
            raise
        return library

    def close(self) -> None:
        """Close the store; the indexes are on disk already, but may still be merging."""
        if self._merge is not None:
            self._merge.join()
        self.store.close()

    # -- reading ----------------------------------------------------------------------------

    @property
    def encoder(self) -> Encoder:
        """The model that serves now; `take_up` changes it."""
        return self._snapshot.encoder

    def snapshot(self) -> Snapshot:
        """Both indexes at one moment, with what other processes have completed.

        A question never waits for a writer: while one is at work, the last state serves.
        """
        if self.store.mark() != self._snapshot.mark and self._lock.acquire(blocking=False):
            self._follow()
        return self._snapshot

    def documents(self) -> list[DocumentInfo]:
        """The current documents, oldest first."""
        return self.store.documents()

    def document(self, number: int) -> Document:
        """One document by its id, removed ones too."""
        return self.store.document(number)

    def matcher(self, topic: str, context: str = "") -> Matcher:
        """What of a question to look for, with words weighted by how rare they are here."""
        lexical = self.snapshot().lexical

        @cache
        def weight(term: str) -> float:
            return math.log(1 + (lexical.count + 0.5) / (lexical.document_frequency(term) + 0.5))

        return Matcher(topic, weight, self._words, context)

    # -- changing ---------------------------------------------------------------------------

    def add(
        self,
        sources: Sequence[Source],
        progress: Progress | None = None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> AddReport:
        """Add files, folders (recursively) or `(name, bytes)` pairs; bad ones are reported.

        The same content is not added twice; another content under a known name becomes its new
        version. What has been committed when `cancelled` becomes true stays, nothing is added then.
        """
        failed: list[Failure] = []
        notices: list[Notice] = []
        stored: list[tuple[str, Stored]] = []
        batch: list[tuple[str, Document]] = []

        def commit() -> None:
            names, documents = zip(*batch, strict=True) if batch else ((), ())
            batch.clear()
            results = self._commit(documents, progress, cancelled)
            stored.extend(zip(names, results, strict=False))  # none if it was cancelled
            told = zip(documents, results, strict=False)
            notices.extend(Notice(d.name, d.notice) for d, _ in told if d.notice)

        files = find_files(sources, failed)
        for done, file in enumerate(files):
            if cancelled():
                break
            if progress:
                progress("读取", done, len(files))
            for name, data in contents_of(file, failed):
                known = self.store.find_sha256(sha256_of(data))
                if known is not None:
                    self._describe(known, file.metadata)
                    stored.append((file.name, Stored(known, "unchanged", 0)))
                elif document := read_content(name, data, file, failed, self.store.told(name)):
                    batch.append((file.name, document))
                if sum(len(d.text) for _, d in batch) >= BATCH_CHARS:
                    commit()
        commit()
        if progress and files:
            progress("读取", len(files), len(files))
        ids = {
            outcome: tuple(s.id for _, s in stored if s.outcome == outcome)
            for outcome in ("added", "replaced", "unchanged")
        }
        pairs = tuple((name, s.id) for name, s in stored)
        return AddReport(**ids, failed=tuple(failed), files=pairs, notices=tuple(notices))

    def add_texts(
        self, rows: Iterable[tuple[str, str, str]], progress: Progress | None = None
    ) -> None:
        """Add many small texts `(name, title, text)` at once, as benchmarks do; names are new."""
        batch: list[Document] = []
        size = 0
        for done, (name, title, text) in enumerate(rows, 1):
            batch.append(text_document(name, title, text))
            size += len(text)
            if size >= 2 * BATCH_CHARS:
                self._commit(batch)
                batch, size = [], 0
                if progress:
                    progress("编码", done, 0)
        self._commit(batch)

    def remove(self, ids: Sequence[int]) -> None:
        """Take documents out; conversations that cite them keep their quotes.

        Raises
        ------
        StoreError
            If there never was a document with one of these ids; nothing is removed then.
        """
        infos = [self.store.info(number) for number in ids]
        with self._writing():
            self.store.remove_documents(ids)
            self._snapshot = self._indexes.next(self._snapshot, self.encoder)
        for info in infos:
            self.store.record("remove", f"{info.id} {info.name}")

    def update_metadata(self, number: int, metadata: Metadata) -> None:
        """Correct what is known about a document; filters and titles follow at once."""
        document = self.document(number)
        title = metadata.title or document.name
        chunks = [replace(chunk, document=title) for chunk in self.store.chunks(number)]
        placed = [chunk.id for chunk in chunks if names_its_place(document, chunk)]
        encoder = self.encoder
        rows = encoder.encode_document([index_text(chunk) for chunk in chunks])
        with self._writing():
            self.store.update_metadata(number, metadata, encoder.fingerprint, rows, placed)
            self._snapshot = self._indexes.next(self._snapshot, self.encoder)
        self.store.record("metadata", str(number))

    def take_up(self, encoder: Encoder) -> None:
        """Serve with another model from now on; who holds a snapshot keeps the model in it.

        What the model has not encoded yet is encoded first, beside the vectors in use, which are
        forgotten at the end.

        Raises
        ------
        StoreError
            If the store cannot be written to; the last model goes on serving then.
        """
        encode_missing(self.store, encoder)
        with self._writing():
            self._snapshot = self._indexes.next(self._snapshot, encoder)
        self.store.drop_other_vectors(encoder.fingerprint)

    def rebuild(self, progress: Progress | None = None) -> None:
        """Build both indexes anew from the store; vectors that are damaged are made anew."""
        with self._writing():
            if any("向量" in problem for problem in self._examined().problems):
                self.store.drop_other_vectors("")
            encode_missing(self.store, self.encoder, progress)
            self._snapshot = self._indexes.rebuild(self.encoder)

    def backup(self, file: Path) -> None:
        """Write a copy of the store, also while serving."""
        self.store.backup(file)

    def restore(self, file: Path) -> None:
        """Take over a backup; the last state serves until its indexes are built."""
        with self._writing():
            self.store.restore(file)
            encode_missing(self.store, self.encoder)
            self._snapshot = self._indexes.next(self._snapshot, self.encoder)
            self.store.record("restore", file.name)

    def check(self) -> CheckReport:
        """Verify the database, the offsets of all chunks, the vectors and both indexes."""
        with self._writing():
            self._snapshot = self._indexes.next(self._snapshot, self.encoder)
            return self._examined()

    # -- inside -----------------------------------------------------------------------------

    def _describe(self, number: int, metadata: Metadata) -> None:
        """Put in what a list of files says about a document that is there already."""
        old = self.store.info(number).metadata
        new = merged(old, metadata)
        if new != old:
            self.update_metadata(number, new)

    def _examined(self) -> CheckReport:
        return examine(self.home, self.store, self._snapshot)

    def _commit(
        self,
        batch: Sequence[Document],
        progress: Progress | None = None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> list[Stored]:
        """Split, encode and store documents, and bring the indexes up to them."""
        encoder = self.encoder
        split = [split_chunks(document) for document in batch]
        texts = [index_text(chunk) for chunks in split for chunk in chunks]
        rows: FloatArray = np.zeros((len(texts), encoder.dim), np.float32)
        for at in range(0, len(texts), _ENCODED_AT_ONCE):
            if cancelled():
                return []
            if progress and len(texts) > _ENCODED_AT_ONCE:
                progress("编码", at, len(texts))
            part = slice(at, at + _ENCODED_AT_ONCE)
            rows[part] = encoder.encode_document(texts[part])
        if not batch or cancelled():
            return []
        news, at = [], 0
        for document, chunks in zip(batch, split, strict=True):
            news.append(NewDocument(document, chunks, rows[at : at + len(chunks)]))
            at += len(chunks)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with self._writing():
            stored = self.store.add_documents(news, encoder.fingerprint, now)
            fresh: dict[int, tuple[int, Sequence[Chunk]]] = {
                s.id: (s.first_chunk, new.chunks)
                for s, new in zip(stored, news, strict=True)
                if s.outcome != "unchanged"
            }
            self._snapshot = self._indexes.next(self._snapshot, self.encoder, fresh)
        return stored

    def _follow(self) -> None:
        """Take over what another process has changed; finish it if that process has died."""
        give_back = self._lock.release
        try:
            try:
                self._file_lock.acquire(timeout=_FOLLOW_S)
            except Timeout:
                self._snapshot = self._indexes.follow(self._snapshot)
            else:
                give_back = self._give_back
                self._snapshot = self._indexes.next(self._snapshot, self.encoder)
        except (StoreError, OSError) as error:
            _LOG.warning("the last state goes on serving: %s", error)
        finally:
            give_back()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Hold the lock of this process and the one across processes."""
        self._take_locks()
        try:
            yield
        finally:
            self._give_back()

    def _take_locks(self) -> None:
        self._lock.acquire()
        try:
            self._file_lock.acquire()
        except BaseException as error:
            self._lock.release()
            if isinstance(error, Timeout):
                raise StoreError(
                    f"另一个进程正在写入 {self.home}，请稍后再试。",
                    f"another process is writing to {self.home}; try again later",
                ) from error
            if isinstance(error, OSError):
                raise unusable(self.home, error) from error
            raise

    def _give_back(self) -> None:
        """Release both locks; whoever has changed something does not wait for merges first."""
        if self._indexes.lexical.merging:
            self._merge = threading.Thread(target=self._finish, name="merge")
            self._merge.start()
        else:
            self._release()

    def _finish(self) -> None:
        try:
            self._indexes.lexical.finish()
        except (OSError, ValueError, RuntimeError) as error:
            # The seal stays broken: the next opening looks closely and mends what it must.
            _LOG.warning("cannot finish the index in %s: %s", self.home, error)
        finally:
            self._release()

    def _release(self) -> None:
        self._file_lock.release()
        self._lock.release()
