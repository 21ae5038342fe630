"""A question in, hits out: words and vectors each propose chunks, one score ranks them."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from embeddings.tokens import CHAR_MARK, terms
from rag import rerank
from rag.config import RetrievalConfig
from rag.library import Library, Snapshot
from rag.questions import topic
from rag.types import Filters, Hit, Mode

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Retriever:
    """Searches a library; holds no state of its own."""

    library: Library
    config: RetrievalConfig
    weights: rerank.RerankWeights

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
        lexical: dict[int, float] = {}
        dense: dict[int, float] = {}
        query = self.library.encoder.encode_query([question])
        if mode in ("hybrid", "lexical"):
            lexical = self._lexical(snapshot, question, n, allowed)
        if mode in ("hybrid", "dense"):
            dense = self._dense(snapshot, query, n, allowed)
        if mode == "hybrid":
            return self._ranked(question, lexical, self._completed(dense, lexical, query), top_k)
        scores = lexical or dense
        best = sorted(scores, key=lambda i: (-scores[i], i))
        chunks = self.library.store.chunks_by_id(best)[:top_k]
        return [Hit(rank, scores[c.id], c) for rank, c in enumerate(chunks, 1)]

    def _ranked(
        self, question: str, lexical: dict[int, float], dense: dict[int, float], top_k: int
    ) -> list[Hit]:
        """Re-rank the best by a plain weighted sum; the rest follow in that sum's order."""
        best = max(lexical.values(), default=0.0) or 1.0
        weight = self.config.dense_weight
        plain = {
            i: (1 - weight) * lexical.get(i, 0.0) / best + weight * dense.get(i, 0.0)
            for i in lexical.keys() | dense.keys()
        }
        order = sorted(plain, key=lambda i: (-plain[i], i))
        head = self.library.store.chunks_by_id(order[: self.config.n_reranked])
        if not head:
            return []
        matcher = self.library.matcher(topic(question))
        scores = rerank.scores(rerank.features(matcher, head, lexical, dense), self.weights)
        ranked = sorted(zip(scores.tolist(), head, strict=True), key=lambda p: (-p[0], p[1].id))
        if len(ranked) < top_k:
            tail = self.library.store.chunks_by_id(order[self.config.n_reranked : 2 * top_k])
            floor = ranked[-1][0]
            ranked += [(floor * plain[c.id] / (plain[c.id] + 1), c) for c in tail]
        return [Hit(rank, score, c) for rank, (score, c) in enumerate(ranked[:top_k], 1)]

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

    def _completed(
        self, dense: dict[int, float], lexical: dict[int, float], query: FloatArray
    ) -> dict[int, float]:
        """The cosines of all candidates, also of those that only their words proposed."""
        missing = [i for i in lexical if i not in dense]
        if not missing or not query.any():
            return dense
        found = self.library.store.vectors_by_id(self.library.encoder.fingerprint, missing)
        more = {i: float(vector.astype(np.float32) @ query[0]) for i, vector in found.items()}
        return {**dense, **more}
