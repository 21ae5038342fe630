"""A question in, hits out: words and vectors each propose chunks, one score ranks them."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from embeddings.tokens import CHAR_MARK, terms
from rag.config import RetrievalConfig
from rag.library import Library, Snapshot
from rag.types import Filters, Hit, Mode

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Retriever:
    """Searches a library; holds no state of its own."""

    library: Library
    config: RetrievalConfig

    def search(
        self,
        question: str,
        *,
        top_k: int = 10,
        mode: Mode = "hybrid",
        filters: Filters | None = None,
        excluded_places: Collection[str] = (),
    ) -> list[Hit]:
        """The best chunks for `question`, best first; scores are comparable within one call."""
        snapshot = self.library.snapshot()
        allowed = self._allowed(filters, excluded_places)
        n = max(self.config.n_candidates, 2 * top_k)
        scores: dict[int, float] = {}
        if mode in ("hybrid", "lexical"):
            lexical = self._lexical(snapshot, question, n, allowed)
            if mode == "lexical":
                scores = lexical
        if mode in ("hybrid", "dense"):
            query = self.library.encoder.encode_query([question])
            dense = self._dense(snapshot, query, n, allowed)
            if mode == "dense":
                scores = dense
        if mode == "hybrid":
            scores = self._fused(lexical, dense, query)
        best = sorted(scores, key=lambda i: (-scores[i], i))[: top_k + len(scores) // 10]
        chunks = self.library.store.chunks_by_id(best)[:top_k]
        return [Hit(rank, scores[c.id], c) for rank, c in enumerate(chunks, 1)]

    def _allowed(self, filters: Filters | None, excluded: Collection[str]) -> set[int] | None:
        if not filters and not excluded:
            return None
        f = filters or Filters()
        store = self.library.store
        places = f.places
        if excluded:
            places = tuple(p for p in places or store.places() if p not in excluded)
        return store.chunk_ids(
            documents=f.documents, cases=f.cases, places=places, since=f.since, until=f.until
        )

    def _lexical(
        self, snapshot: Snapshot, question: str, n: int, allowed: set[int] | None
    ) -> dict[int, float]:
        weights = {
            term: self.config.char_weight if term.startswith(CHAR_MARK) else 1.0
            for term in terms(question)
        }
        scores, ids = snapshot.lexical.search(
            weights, n, title_boost=self.config.title_boost, allowed=allowed
        )
        return dict(zip(ids.tolist(), scores.tolist(), strict=True))

    def _dense(
        self, snapshot: Snapshot, query: FloatArray, n: int, allowed: set[int] | None
    ) -> dict[int, float]:
        if not query.any():
            return {}
        scores, ids = snapshot.vectors.search(query, n, allowed=allowed)
        pairs = zip(ids[0].tolist(), scores[0].tolist(), strict=True)
        return {i: score for i, score in pairs if i >= 0}

    def _fused(
        self, lexical: dict[int, float], dense: dict[int, float], query: FloatArray
    ) -> dict[int, float]:
        """Weighted sum: BM25 relative to the best chunk, cosine as it is."""
        missing = [i for i in lexical if i not in dense]
        if missing and query.any():
            model = self.library.encoder.fingerprint
            for i, vector in self.library.store.vectors_by_id(model, missing).items():
                dense[i] = float(vector.astype(np.float32) @ query[0])
        best = max(lexical.values(), default=0.0) or 1.0
        weight = self.config.dense_weight
        return {
            i: (1 - weight) * lexical.get(i, 0.0) / best + weight * dense.get(i, 0.0)
            for i in lexical.keys() | dense.keys()
        }
