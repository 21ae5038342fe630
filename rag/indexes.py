"""The store's changes in, the next snapshot of both indexes out.

Both indexes stand at a mark of the store's history. Catching up replays what came later; an index
whose mark is not in the history (a backup was restored, files were exchanged) is built anew.
"""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from corpus.errors import StoreError
from corpus.store import START, Mark, Store
from corpus.types import Chunk
from embeddings import lists
from embeddings.encoder import Encoder, FloatArray
from embeddings.index import EXACT_UP_TO, VectorIndex
from embeddings.lexical import Entry, LexicalIndex, LexicalView, State

_LOG = logging.getLogger(__name__)

Progress = Callable[[str, int, int], None]
Fresh = Mapping[int, tuple[int, Sequence[Chunk]]]  # document: first chunk's id, chunks


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Both indexes and the encoder that fits them, at one moment."""

    encoder: Encoder
    lexical: LexicalView
    vectors: VectorIndex
    mark: Mark


class Indexes:
    """Keeps both indexes of a home folder in step with its store; whoever calls holds the lock."""

    def __init__(self, home: Path, store: Store, *, exact_up_to: int = EXACT_UP_TO) -> None:
        self._store = store
        self._folder = home / "vectors"
        self._exact_up_to = exact_up_to
        self.lexical = _opened(home / "lexical")

    def start(self, encoder: Encoder) -> Snapshot:
        """The first snapshot: both indexes up to the store's last change."""
        mark = self._store.mark()
        view = self._lexical_at(mark, {})
        return Snapshot(encoder, view, self._all_vectors(encoder, mark), mark)

    def next(self, last: Snapshot, encoder: Encoder, fresh: Fresh | None = None) -> Snapshot:
        """The snapshot at the store's last change; `fresh` spares reading what was just written."""
        mark = self._store.mark()
        view = self._lexical_at(mark, fresh or {})
        return Snapshot(encoder, view, self._vectors_at(last, encoder, mark), mark)

    def follow(self, last: Snapshot) -> Snapshot:
        """What another process has completed meanwhile, without the lock across processes.

        The indexes are left as they are; vectors that the store lacks are put into it.
        """
        try:
            view = self.lexical.reload()
        except (OSError, ValueError, RuntimeError):
            return last  # damaged in use; whoever holds the lock next mends it
        mark = _mark(view.state)
        restored = not self._store.knows(last.mark)
        if not self._store.knows(mark) or not (restored or mark.generation > last.mark.generation):
            return last
        vectors = self._vectors_at(last, last.encoder, mark, keep=False)
        if vectors.count != view.count:
            return last  # changed again meanwhile: this would be half of the state after that
        return Snapshot(last.encoder, view, vectors, mark)

    def rebuild(self, encoder: Encoder) -> Snapshot:
        """Build both indexes anew from the store, while the last snapshot goes on serving."""
        mark = self._store.mark()
        self._reopen_lexical()
        view = self._apply((), self._store_entries(self._current()), mark, anew=True)
        for file in self._folder.glob("vectors.*"):
            file.unlink(missing_ok=True)
        return Snapshot(encoder, view, self._all_vectors(encoder, mark), mark)

    # -- words ------------------------------------------------------------------------------

    def _lexical_at(self, mark: Mark, fresh: Fresh) -> LexicalView:
        try:
            view = self.lexical.reload()
        except (OSError, ValueError, RuntimeError):
            self._reopen_lexical()  # damaged in use: this sets it aside
            view = self.lexical.view
        since = _mark(view.state)
        if since == mark:
            return view
        if not self._store.knows(since) or since == START:
            return self._apply((), self._store_entries(self._current()), mark, anew=True)
        changes = self._store.changes_between(since, mark)
        # What is put in is taken out first: a changed title puts a document in once more.
        removed = (*changes.removed, *changes.added)
        return self._apply(removed, self._entries(changes.added, fresh), mark)

    def _reopen_lexical(self) -> None:
        with suppress(OSError, ValueError, RuntimeError):
            self.lexical.finish()  # else its writer would keep the next one out
        self.lexical = _opened(self.lexical.folder)

    def _apply(
        self, removed: Sequence[int], entries: Iterator[Entry], mark: Mark, *, anew: bool = False
    ) -> LexicalView:
        state = State(mark.generation, mark.token, self._store.n_chunks())
        try:
            return self.lexical.apply(removed, entries, state, anew=anew)
        except (OSError, ValueError, RuntimeError) as error:
            raise _failed(self.lexical.folder, error) from error

    def _entries(self, documents: Sequence[int], fresh: Fresh) -> Iterator[Entry]:
        for number in documents:
            if number in fresh:
                first, chunks = fresh[number]
                for i, c in enumerate(chunks, first):
                    yield Entry(i, number, c.heading, c.body)
            else:
                yield from self._store_entries([number])

    def _store_entries(self, documents: Sequence[int]) -> Iterator[Entry]:
        for number in documents:
            for c in self._store.chunks(number):
                yield Entry(c.id, number, c.heading, c.body)

    def _current(self) -> list[int]:
        return [info.id for info in self._store.documents()]

    # -- vectors ----------------------------------------------------------------------------

    def _vectors_at(
        self, last: Snapshot, encoder: Encoder, mark: Mark, *, keep: bool = True
    ) -> VectorIndex:
        if encoder is not last.encoder or not self._store.knows(last.mark):
            return self._all_vectors(encoder, mark)
        if mark == last.mark:
            return last.vectors
        changes = self._store.changes_between(last.mark, mark)
        removed = [
            i
            for first, n in self._store.chunk_ranges(changes.removed)
            for i in range(first, first + n)
        ]
        ids, vectors = self._stored(encoder, changes.added)
        index = last.vectors.changed(ids, vectors, removed)
        if not index.needs_merge:
            return index
        index = index.merged(exact_up_to=self._exact_up_to)
        return self._kept(index, encoder, mark) if keep else index

    def _all_vectors(self, encoder: Encoder, mark: Mark) -> VectorIndex:
        ids, vectors = self._stored(encoder, None)
        saved = lists.load(
            self._folder, encoder.fingerprint, lambda g, t: self._store.knows(Mark(g, t))
        )
        index = VectorIndex.build(ids, vectors, saved=saved, exact_up_to=self._exact_up_to)
        if index.lists is None or (saved is not None and len(saved.known["ids"]) == len(ids)):
            return index
        return self._kept(index, encoder, mark)

    def _stored(
        self, encoder: Encoder, documents: Sequence[int] | None
    ) -> tuple[npt.NDArray[np.int64], FloatArray]:
        """Vectors of documents, those encoded first that another process left to us."""
        ids, vectors = self._store.vectors(encoder.fingerprint, documents=documents)
        n_wanted = (
            self._store.n_chunks()
            if documents is None
            else sum(n for _, n in self._store.chunk_ranges(documents))
        )
        if len(ids) < n_wanted and encode_missing(self._store, encoder, among=documents):
            ids, vectors = self._store.vectors(encoder.fingerprint, documents=documents)
        if not len(ids):
            vectors = np.zeros((0, encoder.dim), np.float32)
        return ids, vectors

    def _kept(self, index: VectorIndex, encoder: Encoder, mark: Mark) -> VectorIndex:
        """Save the lists for the next start; that they cannot be saved costs time only."""
        try:
            index.save(self._folder, encoder.fingerprint, *mark)
        except OSError as error:
            _LOG.warning("cannot save %s (%s); the next start trains anew", self._folder, error)
        return index


def encode_missing(
    store: Store,
    encoder: Encoder,
    progress: Progress | None = None,
    *,
    among: Collection[int] | None = None,
    batch: int = 400_000,
) -> int:
    """Encode what has no vectors of this model yet, `batch` characters at a time; how many.

    `among` names the documents that are needed now: while another process changes the model, all
    the rest may be without vectors of this one, and need none any more.
    """
    missing = store.documents_without_vectors(encoder.fingerprint)
    if among is not None:
        missing = [number for number in missing if number in among]
    pending: dict[int, list[str]] = {}
    size = 0
    for done, number in enumerate(missing, 1):
        pending[number] = [index_text(c) for c in store.chunks(number)]
        size += sum(map(len, pending[number]))
        if size >= batch or done == len(missing):
            rows = encoder.encode_document([text for texts in pending.values() for text in texts])
            cuts = np.cumsum([len(texts) for texts in pending.values()])[:-1]
            parts = np.split(rows, cuts)
            store.put_vectors(encoder.fingerprint, dict(zip(pending, parts, strict=True)))
            pending, size = {}, 0
            if progress:
                progress("重新编码", done, len(missing))
    return len(missing)


def index_text(chunk: Chunk) -> str:
    """What is encoded of a chunk: the titles above it count."""
    return f"{chunk.heading} {chunk.body}"


def _opened(folder: Path) -> LexicalIndex:
    try:
        return LexicalIndex.open(folder)
    except (OSError, ValueError, RuntimeError) as error:
        raise _failed(folder, error) from error


def _mark(state: State) -> Mark:
    return Mark(state.generation, state.token)


def _failed(folder: Path, error: Exception) -> StoreError:
    return StoreError(
        f"索引 {folder} 无法写入（{error}），请检查磁盘空间和权限；文档已存入数据库，"
        f"空间恢复后会自动补上索引。",
        f"index {folder} cannot be written: {error}; check disk space and permissions; the "
        f"documents are in the store and will be indexed as soon as that is mended",
    )
