"""Terms in, chunk ids by BM25 out: a tantivy index over titles and bodies.

The terms come prepared (`embeddings.tokens.terms`), so tantivy only splits at blanks. Its commits
are atomic. Each of them carries a state, an entry of its own in the index: which point in the
store's history the index stands at, so that no file beside it can disagree. `embeddings/seal.py`
notices damaged files, which tantivy itself would read without complaint.
"""

import json
import logging
import shutil
import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tantivy

from corpus.errors import StoreError
from embeddings.encoder import FloatArray
from embeddings.fold import fold
from embeddings.seal import SEAL, DamagedError, break_seal, remove_leftovers, seal, verify
from embeddings.tokens import TERMS_VERSION, terms, words

_LOG = logging.getLogger(__name__)
_HEAP = 64_000_000  # bytes a writer may use before it writes a segment
_FEW = 2_000  # allowed chunks that are looked up one by one; for more, results are filtered
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Entry:
    """A chunk as it is indexed."""

    chunk: int
    document: int
    title: str
    body: str


@dataclass(frozen=True, slots=True)
class State:
    """What a commit stands for."""

    generation: int = 0  # of the store
    token: str = ""  # of that generation
    count: int = 0  # chunks
    terms: str = TERMS_VERSION  # how the text was split; another way needs another index


class LexicalView:
    """The index as it was at one commit; safe to search from many threads."""

    def __init__(self, schema: "tantivy.Schema", searcher: "tantivy.Searcher") -> None:
        self._schema, self._searcher = schema, searcher
        self.state = _state(schema, searcher)

    @property
    def count(self) -> int:
        """How many chunks are indexed."""
        return self.state.count

    def document_frequency(self, term: str) -> int:
        """In how many chunks a term stands."""
        return int(self._searcher.doc_freq("body", term))

    def most_that_hold(self, text: str) -> int:
        """How many chunks there may be at most with all words of a text."""
        return min(map(self.document_frequency, words(fold(text))), default=0)

    def search(
        self,
        weights: Mapping[str, float] | Sequence[str],
        top_k: int,
        *,
        title_boost: float = 0.5,
        allowed: Collection[int] | None = None,
    ) -> tuple[FloatArray, IntArray]:
        """The best chunks for weighted terms by BM25: scores and ids, best first."""
        if not isinstance(weights, Mapping):
            weights = dict.fromkeys(weights, 1.0)
        if not weights or top_k < 1 or (allowed is not None and not allowed):
            return np.zeros(0, np.float32), np.zeros(0, np.int64)
        query = self._query(weights, title_boost)
        if allowed is None:
            return self._found(query, top_k)
        if len(allowed) > _FEW:
            return self._filtered(query, top_k, allowed)
        inside = tantivy.Query.term_set_query(self._schema, "chunk", list(allowed))
        inside = tantivy.Query.const_score_query(inside, 0.0)
        must = tantivy.Occur.Must
        return self._found(tantivy.Query.boolean_query([(must, query), (must, inside)]), top_k)

    def _query(self, weights: Mapping[str, float], title_boost: float) -> "tantivy.Query":
        clauses = []
        for term, weight in weights.items():
            for field, boost in (("body", weight), ("title", weight * title_boost)):
                query = tantivy.Query.term_query(self._schema, field, term, "freq")
                clauses.append((tantivy.Occur.Should, tantivy.Query.boost_query(query, boost)))
        return tantivy.Query.boolean_query(clauses)

    def _found(self, query: "tantivy.Query", top_k: int) -> tuple[FloatArray, IntArray]:
        try:
            hits = self._searcher.search(query, top_k, count=False).hits
        except BaseException as error:
            if type(error).__name__ != "PanicException":
                raise
            raise StoreError(
                "词语索引文件在使用中损坏，请运行 zhengwen rebuild。",
                "the lexical index was damaged while in use; run zhengwen rebuild",
            ) from error
        ids = self._searcher.fast_field_values("chunk", [address for _, address in hits])
        return np.array([score for score, _ in hits], np.float32), np.array(ids, np.int64)

    def _filtered(
        self, query: "tantivy.Query", top_k: int, allowed: Collection[int]
    ) -> tuple[FloatArray, IntArray]:
        """Look deeper until enough of what is found is allowed."""
        wanted = np.fromiter(allowed, np.int64, len(allowed))
        depth = 4 * top_k
        while True:
            scores, ids = self._found(query, depth)
            keep = np.isin(ids, wanted)
            if keep.sum() >= top_k or len(ids) < depth:
                return scores[keep][:top_k], ids[keep][:top_k]
            depth *= 4


class LexicalIndex:
    """The index on disk; one process at a time writes or opens it (the library holds the lock)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._schema = _schema()
        self._index = tantivy.Index(self._schema, path=str(folder))
        self._index.config_reader(reload_policy="manual", num_warmers=0)
        self._reloading = threading.Lock()
        self._merging: tantivy.IndexWriter | None = None  # has committed, may still be merging
        self.view = LexicalView(self._schema, self._index.searcher())

    @classmethod
    def open(cls, folder: Path) -> "LexicalIndex":
        """Open the index; one that is damaged or built with other terms is set aside first."""
        try:
            verify(folder)
            index = cls(folder)
            _agrees(index)
        except (DamagedError, ValueError, OSError, RuntimeError, TypeError) as error:
            _LOG.warning("lexical index in %s is not usable (%s); building anew", folder, error)
            index = cls(set_aside(folder))
        if not (folder / SEAL).exists():
            seal(folder)
        return index

    def reload(self) -> LexicalView:
        """See what has been committed, by other processes too."""
        with self._reloading:
            self._index.reload()
            searcher = self._index.searcher()
            self.view = LexicalView(self._schema, searcher)
            return self.view

    def apply(
        self, removed: Iterable[int], entries: Iterable[Entry], state: State, *, anew: bool = False
    ) -> LexicalView:
        """Take documents out, put chunks in, and stand at `state`; all at once or not at all.

        A document that is put in again must be named in `removed`. With `anew` everything that
        was there before goes. Call `finish` before the lock is given to others.
        """
        self.finish()
        remove_leftovers(self.folder)
        writer = self._index.writer(_HEAP, 1)
        try:
            if anew:
                writer.delete_all_documents()
            # delete_documents_by_term, given an int, looks for a signed number and finds none.
            gone = tantivy.Query.term_set_query(self._schema, "document", sorted(set(removed)))
            writer.delete_documents_by_query(gone)
            writer.delete_documents_by_term("kind", "state")
            for entry in entries:
                writer.add_document(_chunk_document(entry))
            writer.add_document(_state_document(state))
            break_seal(self.folder)
            writer.commit()
            self._merging = writer
        finally:
            del writer  # unless it is merging, this gives tantivy's own lock back
        return self.reload()

    @property
    def merging(self) -> bool:
        """Whether `finish` has something to wait for."""
        return self._merging is not None

    def finish(self) -> None:
        """Wait for the merges that the last commit has begun, and seal the index.

        Every eighth small commit merges up to 10,000 entries in 0.1 to 0.5 s, and exchanges
        segments once more; what was committed can be searched meanwhile.
        """
        writer, self._merging = self._merging, None
        if writer is None:
            return
        try:
            writer.wait_merging_threads()
            seal(self.folder)
        finally:
            del writer  # an error's traceback must not hold on to tantivy's own lock


def set_aside(folder: Path) -> Path:
    """Rename a damaged index out of the way, in place of an earlier one; returns its old path."""
    damaged = folder.with_name(folder.name + ".damaged")
    shutil.rmtree(damaged, ignore_errors=True)
    folder.replace(damaged)
    return folder


def _schema() -> "tantivy.Schema":
    builder = tantivy.SchemaBuilder()
    for name in ("title", "body"):
        builder.add_text_field(name, tokenizer_name="whitespace", index_option="freq")
    for name in ("chunk", "document"):
        builder.add_unsigned_field(name, indexed=True, fast=True)
    builder.add_text_field("kind", tokenizer_name="raw", index_option="basic")
    builder.add_text_field("state", stored=True, tokenizer_name="raw", index_option="basic")
    return builder.build()


def _chunk_document(entry: Entry) -> "tantivy.Document":
    document = tantivy.Document()
    document.add_text("title", " ".join(terms(entry.title)))
    document.add_text("body", " ".join(terms(entry.body)))
    document.add_unsigned("chunk", entry.chunk)
    document.add_unsigned("document", entry.document)
    return document


def _state_document(state: State) -> "tantivy.Document":
    document = tantivy.Document()
    document.add_text("kind", "state")
    document.add_text("state", json.dumps(asdict(state)))
    return document


def _state(schema: "tantivy.Schema", searcher: "tantivy.Searcher") -> State:
    """The state of a commit.

    Raises
    ------
    ValueError
        If an index with chunks has no state, or that of another version.
    """
    query = tantivy.Query.term_query(schema, "kind", "state", "basic")
    hits = searcher.search(query, 2, count=False).hits
    if not hits and not searcher.num_docs:
        return State()
    if len(hits) != 1:
        raise ValueError(f"{len(hits)} states instead of one")
    try:
        return State(**json.loads(searcher.doc(hits[0][1])["state"][0]))
    except TypeError as error:
        raise ValueError(f"a state of another version: {error}") from error


def _agrees(index: LexicalIndex) -> None:
    state = index.view.state
    if state.terms != TERMS_VERSION:
        raise ValueError(f"built with terms {state.terms}")
    found = index._index.searcher().num_docs
    if found != state.count + min(found, 1):  # the state itself is an entry
        raise ValueError(f"{found} entries, expected {state.count} chunks")
