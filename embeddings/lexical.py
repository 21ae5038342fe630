"""Terms in, chunk ids by BM25 out: a tantivy index over titles and bodies.

The terms come prepared (`embeddings.tokens.terms`), so tantivy only splits at blanks. Its commits
are atomic and survive a killed process; the state file beside it, written after every commit,
says which generation of the store the index stands at, and with which terms it was built.
"""

import json
import logging
import os
import shutil
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tantivy

from embeddings.encoder import FloatArray
from embeddings.tokens import TERMS_VERSION, terms

_LOG = logging.getLogger(__name__)
_HEAP = 64_000_000  # bytes a writer may use before it writes a segment
_STATE = "state.json"
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Entry:
    """A chunk as it is indexed."""

    chunk: int
    document: int
    title: str
    body: str


class LexicalIndex:
    """Searches from any thread; one process at a time writes (the library holds the lock)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        builder = tantivy.SchemaBuilder()
        for name in ("title", "body"):
            builder.add_text_field(name, tokenizer_name="whitespace", index_option="freq")
        for name in ("chunk", "document"):
            builder.add_unsigned_field(name, indexed=True, fast=True)
        self._schema = builder.build()
        self._index = tantivy.Index(self._schema, path=str(folder))
        self._index.config_reader(reload_policy="manual", num_warmers=0)

    @classmethod
    def open(cls, folder: Path) -> "LexicalIndex":
        """Open the index; one that is damaged or built with other terms is set aside first."""
        try:
            index = cls(folder)
            state = index._state()
            if state and state.get("terms") != TERMS_VERSION:
                raise ValueError("built with other terms")
            if state and state.get("chunks") is not None:
                index._index.searcher()
            return index
        except (ValueError, OSError, RuntimeError) as error:
            _LOG.warning("lexical index in %s is not usable (%s); building anew", folder, error)
            damaged = folder.with_name(folder.name + ".damaged")
            shutil.rmtree(damaged, ignore_errors=True)
            folder.replace(damaged)
            return cls(folder)

    @property
    def generation(self) -> int:
        """The store's generation up to which the index is complete; 0 if it is new."""
        return int(self._state().get("generation", 0))

    def _state(self) -> dict[str, int | str]:
        try:
            state = json.loads((self.folder / _STATE).read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return state if isinstance(state, dict) else {}

    def reload(self) -> None:
        """See what another process has committed."""
        self._index.reload()

    def apply(self, removed: Iterable[int], entries: Iterable[Entry], generation: int) -> None:
        """Take documents out, put chunks in, and stand at `generation`.

        A document that is put in is taken out first, so that a repeated call changes nothing.
        """
        writer = self._index.writer(_HEAP, 1)
        try:
            gone = set(removed)
            for document in gone:
                writer.delete_documents_by_term("document", document)
            for entry in entries:
                writer.add_document(self._document(entry))
            writer.commit()
            writer.wait_merging_threads()
        except BaseException:
            writer.rollback()
            raise
        self._index.reload()
        state = {"generation": generation, "terms": TERMS_VERSION, "chunks": self.count}
        temporary = self.folder / f"{_STATE}.{os.getpid()}.tmp"
        temporary.write_text(json.dumps(state), "utf-8")
        temporary.replace(self.folder / _STATE)

    def clear(self) -> None:
        """Take everything out."""
        writer = self._index.writer(_HEAP, 1)
        writer.delete_all_documents()
        writer.commit()
        writer.wait_merging_threads()
        (self.folder / _STATE).unlink(missing_ok=True)
        self._index.reload()

    @property
    def count(self) -> int:
        """How many chunks are indexed."""
        return int(self._index.searcher().num_docs)

    def document_frequency(self, term: str) -> int:
        """In how many chunks a term stands."""
        return int(self._index.searcher().doc_freq("body", term))

    def search(
        self,
        weights: dict[str, float] | Sequence[str],
        top_k: int,
        *,
        title_boost: float = 0.5,
        allowed: Collection[int] | None = None,
    ) -> tuple[FloatArray, IntArray]:
        """The best chunks for weighted terms by BM25: scores and ids, best first."""
        if not isinstance(weights, dict):
            weights = dict.fromkeys(weights, 1.0)
        if not weights or (allowed is not None and not allowed):
            return np.zeros(0, np.float32), np.zeros(0, np.int64)
        clauses = []
        for term, weight in weights.items():
            for field, boost in (("body", weight), ("title", weight * title_boost)):
                query = tantivy.Query.term_query(self._schema, field, term, "freq")
                clauses.append((tantivy.Occur.Should, tantivy.Query.boost_query(query, boost)))
        query = tantivy.Query.boolean_query(clauses)
        if allowed is not None:
            inside = tantivy.Query.term_set_query(self._schema, "chunk", list(allowed))
            inside = tantivy.Query.const_score_query(inside, 0.0)
            query = tantivy.Query.boolean_query(
                [(tantivy.Occur.Must, query), (tantivy.Occur.Must, inside)]
            )
        searcher = self._index.searcher()
        hits = searcher.search(query, top_k, count=False).hits
        ids = searcher.fast_field_values("chunk", [address for _, address in hits])
        scores = np.array([score for score, _ in hits], np.float32)
        return scores, np.array(ids, np.int64)

    def _document(self, entry: Entry) -> "tantivy.Document":
        document = tantivy.Document()
        document.add_text("title", " ".join(terms(entry.title)))
        document.add_text("body", " ".join(terms(entry.body)))
        document.add_unsigned("chunk", entry.chunk)
        document.add_unsigned("document", entry.document)
        return document
