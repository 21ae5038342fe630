"""Documents in, a searchable library out: the store with its two indexes, kept in step.

A change goes through the store first, in one transaction; the indexes then replay the store's
changes. Whoever opens a library, or finds that another process has changed it, replays what is
missing, so a process that dies between the two leaves nothing half done.
"""

import hashlib
import logging
import math
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from corpus.builtin import builtin_document
from corpus.chunks import split_chunks
from corpus.errors import CorpusError, StoreError, UserError
from corpus.outline import parse_outline
from corpus.readers import Extracted, expand, read_document
from corpus.store import FILE_NAME, DocumentInfo, NewDocument, Store
from corpus.types import Chunk, Document, Metadata
from embeddings.encoder import BagEncoder, Encoder, load_encoder
from embeddings.index import Manifest, VectorIndex
from embeddings.lexical import Entry, LexicalIndex
from embeddings.words import WordVectors
from rag.match import Matcher

Progress = Callable[[str, int, int], None]
Source = Path | tuple[str, bytes]

BATCH_CHARS = 400_000  # text that is encoded and committed at a time
LOCK_S = 120.0  # how long a writer waits for another process

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that was not added, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class AddReport:
    """What became of the files; numbers are document ids."""

    added: tuple[int, ...] = ()
    replaced: tuple[int, ...] = ()  # new versions of documents of the same name
    unchanged: tuple[int, ...] = ()
    failed: tuple[Failure, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What a check found; no problems means that all is well."""

    documents: int
    chunks: int
    vectors: int
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Both indexes at one moment."""

    lexical: LexicalIndex
    vectors: VectorIndex


class Library:
    """The documents of one home folder; safe to use from many threads and processes."""

    def __init__(self, home: Path, encoder: Encoder, store: Store, lexical: LexicalIndex) -> None:
        self.home = home
        self.encoder = encoder
        self.store = store
        self._lexical = lexical
        self._vectors = VectorIndex.build(
            np.zeros(0, np.int64),
            np.zeros((0, encoder.dim), np.float16),
            Manifest(encoder.fingerprint, 0, 0),
        )
        self._words = WordVectors(encoder if isinstance(encoder, BagEncoder) else load_encoder())
        self._file_lock = FileLock(home / "write.lock", timeout=LOCK_S)
        self._lock = threading.RLock()

    @classmethod
    def open(cls, home: Path, encoder: Encoder, progress: Progress | None = None) -> "Library":
        """Open or create the library in `home`; the first time, the built-in cases are added.

        Raises
        ------
        StoreError
            If the folder or the database cannot be used.
        """
        store = Store(home / FILE_NAME)
        library = cls(home, encoder, store, LexicalIndex.open(home / "lexical"))
        with library._writing():
            new = store.generation() == 0
            stale = store.documents_without_vectors(encoder.fingerprint)
            if stale:
                library._encode_again(stale, progress)
            library._load_vectors()
            library._catch_up()
        if new:
            library.add([builtin_document()], progress)
        return library

    def close(self) -> None:
        """Close the store; the indexes are on disk already."""
        self.store.close()

    # -- reading ----------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """The indexes as they are now, with what other processes have changed."""
        if self.store.generation() != self._vectors.generation:
            with self._lock:
                self._catch_up()
        return Snapshot(self._lexical, self._vectors)

    def documents(self) -> list[DocumentInfo]:
        """The current documents, oldest first."""
        return self.store.documents()

    def document(self, number: int) -> Document:
        """One document by its id, removed ones too."""
        return self.store.cached_document(number)

    def matcher(self, topic: str) -> Matcher:
        """What of a question to look for, with words weighted by how rare they are here."""
        total = self._lexical.count

        @cache
        def weight(term: str) -> float:
            return math.log(1 + (total + 0.5) / (self._lexical.document_frequency(term) + 0.5))

        return Matcher(topic, weight, self._words)

    # -- changing ---------------------------------------------------------------------------

    def add(
        self,
        sources: Sequence[Source],
        progress: Progress | None = None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> AddReport:
        """Add files, folders (recursively) or `(name, bytes)` pairs; bad ones are reported.

        The same content is not added twice; another content under a known name becomes its new
        version. What has been committed when `cancelled` becomes true stays.
        """
        added: list[int] = []
        replaced: list[int] = []
        unchanged: list[int] = []
        failed: list[Failure] = []
        files = list(_files(sources, failed))
        pending: list[tuple[Document, list[Chunk]]] = []
        seen: set[str] = set()
        size = 0

        def commit() -> None:
            nonlocal size
            for number, was_known in self._commit(pending):
                (replaced if was_known else added).append(number)
            pending.clear()
            size = 0

        for done, (name, load) in enumerate(files):
            if cancelled():
                break
            if progress:
                progress("读取", done, len(files))
            for document in self._read(name, load, failed):
                known = self.store.find_sha256(document.sha256)
                if known is not None or document.sha256 in seen:
                    unchanged.extend([known] if known is not None else [])
                    continue
                seen.add(document.sha256)
                pending.append((document, split_chunks(document)))
                size += len(document.text)
                if size >= BATCH_CHARS:
                    commit()
        commit()
        if progress and files:
            progress("读取", len(files), len(files))
        return AddReport(tuple(added), tuple(replaced), tuple(unchanged), tuple(failed))

    def add_texts(
        self, rows: Iterable[tuple[str, str, str]], progress: Progress | None = None
    ) -> None:
        """Add many small texts `(name, title, text)` at once, as benchmarks do; names are new."""
        pending: list[tuple[Document, list[Chunk]]] = []
        size = 0
        for done, (name, title, text) in enumerate(rows, 1):
            document = _document(name, text.encode("utf-8", "replace"), Extracted(text), title)
            pending.append((document, split_chunks(document)))
            size += len(text)
            if size >= 10 * BATCH_CHARS:
                self._commit(pending, bulk=True)
                pending, size = [], 0
                if progress:
                    progress("编码", done, 0)
        self._commit(pending, bulk=True)
        with self._writing():
            self._rebuild_vectors()

    def remove(self, ids: Sequence[int]) -> None:
        """Take documents out; conversations that cite them keep their quotes."""
        with self._writing():
            self.store.remove_documents(ids)
            self._catch_up()

    def update_metadata(self, number: int, metadata: Metadata) -> None:
        """Correct what is known about a document."""
        with self._writing():
            self.store.update_metadata(number, metadata)
            self._catch_up()

    def rebuild(self) -> None:
        """Build both indexes anew from the store."""
        with self._writing():
            self._lexical.clear()
            self._catch_up()
            self._rebuild_vectors()

    def backup(self, file: Path) -> None:
        """Write a copy of the store, also while serving."""
        self.store.backup(file)

    def restore(self, file: Path) -> None:
        """Take over a backup and build the indexes anew."""
        with self._writing():
            self.store.restore(file)
            stale = self.store.documents_without_vectors(self.encoder.fingerprint)
            self._encode_again(stale, None)
            self._lexical.clear()
            self._catch_up()
            self._rebuild_vectors()

    def check(self) -> CheckReport:
        """Verify the database, the offsets of all chunks, the vectors and both indexes."""
        problems = self.store.integrity_problems()
        n_chunks = 0
        infos = self.store.documents()
        for info in infos:
            try:
                document = self.store.document(info.id)
                chunks = self.store.chunks(info.id)
            except (StoreError, ValueError) as error:
                problems.append(f"文档 {info.id} 无法读取:{error}")
                continue
            n_chunks += len(chunks)
            length = len(document.text)
            problems += [
                f"文档 {info.id} 的片段 {c.id} 越界"
                for c in chunks
                if not 0 <= c.start < c.end <= length
            ]
        ids, vectors = self.store.vectors(self.encoder.fingerprint)
        norms = np.linalg.norm(vectors.astype(np.float32), axis=1) if len(ids) else np.zeros(0)
        wrong = int(
            np.sum((norms > 1.01) | ((norms < 0.99) & (norms > 0.01)) | ~np.isfinite(norms))
        )
        if wrong:
            problems.append(f"{wrong} 个向量不是单位长度,请运行 zhengwen rebuild")
        for name, count in (("向量", len(ids)), ("词语索引", self._lexical.count)):
            if count != n_chunks:
                problems.append(f"{name}有 {count} 条,应有 {n_chunks} 条,请运行 zhengwen rebuild")
        return CheckReport(len(infos), n_chunks, len(ids), tuple(problems))

    # -- inside -----------------------------------------------------------------------------

    def _writing(self) -> "_Writing":
        return _Writing(self._lock, self._file_lock, self.home)

    def _read(
        self, name: str, load: Callable[[], bytes], failed: list[Failure]
    ) -> Iterator[Document]:
        """The documents of one file: one, or those of an archive; failures are noted."""
        try:
            for part, data in expand(name, load()):
                try:
                    yield _document(part, data, read_document(part, data))
                except UserError as error:
                    failed.append(Failure(part, str(error)))
        except (UserError, OSError) as error:
            reason = str(error) if isinstance(error, UserError) else _unreadable(name, error)
            failed.append(Failure(name, reason))

    def _commit(
        self, pending: Sequence[tuple[Document, list[Chunk]]], *, bulk: bool = False
    ) -> list[tuple[int, bool]]:
        """Encode and store documents; `(id, whether its name was known)` of each."""
        if not pending:
            return []
        texts = [f"{c.heading} {c.text}" for _, chunks in pending for c in chunks]
        rows = self.encoder.encode_document(texts).astype(np.float16)
        news, at = [], 0
        for document, chunks in pending:
            news.append(NewDocument(document, chunks, rows[at : at + len(chunks)]))
            at += len(chunks)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with self._writing():
            known = [not bulk and self.store.find_name(d.name) is not None for d, _ in pending]
            ids = self.store.add_documents(news, self.encoder.fingerprint, now)
            self._catch_up(bulk=bulk)
        return list(zip(ids, known, strict=True))

    def _encode_again(self, documents: Sequence[int], progress: Progress | None) -> None:
        """Encode documents whose vectors are of another model; the others' are then dropped."""
        if not documents:
            return
        for done, number in enumerate(documents):
            if progress:
                progress("重新编码", done, len(documents))
            chunks = self.store.chunks(number)
            rows = self.encoder.encode_document([f"{c.heading} {c.text}" for c in chunks])
            self.store.put_vectors(
                self.encoder.fingerprint, [c.id for c in chunks], rows.astype(np.float16)
            )
        self.store.drop_other_vectors(self.encoder.fingerprint)
        if progress:
            progress("重新编码", len(documents), len(documents))

    def _load_vectors(self) -> None:
        found = VectorIndex.load(self.home / "vectors", self.encoder.fingerprint)
        if found is None or found.generation > self.store.generation():
            self._rebuild_vectors()
        else:
            self._vectors = found

    def _rebuild_vectors(self) -> None:
        generation = self.store.generation()
        ids, vectors = self.store.vectors(self.encoder.fingerprint)
        if not len(ids):
            vectors = np.zeros((0, self.encoder.dim), np.float16)
        manifest = Manifest(self.encoder.fingerprint, generation, len(ids))
        self._vectors = VectorIndex.build(ids, vectors, manifest)
        self._vectors.save(self.home / "vectors")

    def _catch_up(self, *, bulk: bool = False) -> None:
        """Replay the store's changes on both indexes."""
        generation = self.store.generation()
        if self._lexical.generation > generation:  # the store was exchanged for an older one
            self._lexical.clear()
        if self._lexical.generation < generation:
            self._catch_up_lexical(generation)
        else:
            self._lexical.reload()
        if bulk or self._vectors.generation == generation:
            return
        added, removed = self._changes(self._vectors.generation)
        gone = [c.id for number in removed for c in self.store.chunks(number)]
        ids, rows = self.store.vectors(self.encoder.fingerprint, documents=added)
        rows = rows if len(ids) else np.zeros((0, self.encoder.dim), np.float16)
        new = (ids, rows.astype(np.float32))
        self._vectors = self._vectors.changed(new, gone, generation)
        if self._vectors.needs_merge or not self._vectors.manifest.count:
            self._rebuild_vectors()

    def _catch_up_lexical(self, generation: int) -> None:
        try:
            self._file_lock.acquire(timeout=0.1)
        except Timeout:  # the process that made the change is at it
            self._lexical.reload()
            return
        try:
            added, removed = self._changes(self._lexical.generation)
            entries = (
                Entry(c.id, number, c.heading, c.text)
                for number in added
                for c in self.store.chunks(number)
            )
            again = added if self._lexical.generation else []
            self._lexical.apply([*removed, *again], entries, generation)
        finally:
            self._file_lock.release()

    def _changes(self, since: int) -> tuple[list[int], list[int]]:
        """Documents that were added and are still there, and documents that were removed."""
        last: dict[int, str] = {}
        for _, document, action in self.store.changes_since(since):
            last[document] = action
        added = [d for d, action in last.items() if action == "add"]
        return added, [d for d, action in last.items() if action == "remove"]


class _Writing:
    """Holds the lock of this process and the one across processes."""

    def __init__(self, lock: "threading.RLock", file_lock: FileLock, home: Path) -> None:
        self._lock, self._file_lock, self._home = lock, file_lock, home

    def __enter__(self) -> None:
        self._lock.acquire()
        try:
            self._file_lock.acquire()
        except Timeout as error:
            self._lock.release()
            raise StoreError(
                f"另一个进程正在写入 {self._home},请稍后再试",
                f"another process is writing to {self._home}; try again later",
            ) from error
        except OSError as error:
            self._lock.release()
            raise StoreError(
                f"数据目录 {self._home} 不可写,请检查权限,或用 --home 指定其他目录",
                f"home folder {self._home} is not writable; choose another --home",
            ) from error

    def __exit__(self, *_: object) -> None:
        self._file_lock.release()
        self._lock.release()


def _files(
    sources: Sequence[Source], failed: list[Failure]
) -> Iterator[tuple[str, Callable[[], bytes]]]:
    for source in sources:
        if isinstance(source, tuple):
            name, data = source
            yield name, lambda data=data: data  # type: ignore[misc]
        elif source.is_dir():
            for file in sorted(source.rglob("*")):
                hidden = any(p.startswith((".", "~$")) for p in file.relative_to(source).parts)
                if file.is_file() and not hidden:
                    yield file.name, file.read_bytes
        elif source.is_file():
            yield source.name, source.read_bytes
        else:
            error = CorpusError(f"没有文件 {source},请检查路径", f"no such file: {source}")
            failed.append(Failure(str(source), str(error)))


def _unreadable(name: str, error: OSError) -> str:
    reason = error.strerror or str(error)
    return str(CorpusError(f"无法读取 {name}:{reason},请检查权限", f"cannot read: {reason}"))


def _document(name: str, data: bytes, extracted: Extracted, title: str = "") -> Document:
    metadata = extracted.metadata
    if title:
        metadata = Metadata(title=title)
    return Document(
        id=0,
        name=name,
        text=extracted.text,
        sha256=hashlib.sha256(data).hexdigest(),
        outline=parse_outline(extracted.text, extracted.headings, extracted.tables),
        metadata=metadata,
        pages=extracted.pages,
    )
