"""A question in, hits out: words and vectors each propose chunks, one score ranks them.

`rag.reread` ranks the best of them again by their sentences.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from corpus.types import Chunk
from embeddings.tokens import CHAR_MARK, terms
from rag import rerank
from rag.config import RetrievalConfig
from rag.library import Library, Snapshot
from rag.linear import fitted
from rag.match import Array
from rag.questions import topic
from rag.types import Filters, Hit, Mode

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Candidates:
    """Scores by chunk id before they are fused."""

    lexical: dict[int, float]  # BM25
    dense: dict[int, float]  # cosine, of all candidates
    own_dense: dict[int, float]  # cosine, of those that the vectors proposed


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
        snapshot: Snapshot | None = None,
    ) -> list[Hit]:
        """The best chunks for `question`, best first; scores are comparable within one call.

        `snapshot` is the state of the library to search, by default that of now.
        """
        allowed = self._allowed(filters, excluded_places)
        n = max(self.config.n_candidates, 2 * top_k)
        found = self.candidates(question, allowed, n, snapshot)
        if mode == "hybrid":
            return self._ranked(question, found, top_k)
        scores = found.lexical if mode == "lexical" else found.own_dense
        chunks = self.library.store.chunks_by_id(_best_first(scores))[:top_k]
        return [Hit(rank, scores[c.id], c) for rank, c in enumerate(chunks, 1)]

    def candidates(
        self,
        question: str,
        allowed: set[int] | None,
        n: int = 100,
        snapshot: Snapshot | None = None,
    ) -> Candidates:
        """What each of the two indexes proposes, `n` chunks each."""
        snapshot = snapshot or self.library.snapshot()
        query = snapshot.encoder.encode_query([question])
        lexical = self._lexical(snapshot, question, n, allowed)
        dense = self._dense(snapshot, query, n, allowed)
        missing = [i for i in lexical if i not in dense]
        if not missing or not query.any():
            return Candidates(lexical, dense, dense)
        cosines = (snapshot.vectors.vectors(missing) @ query[0]).tolist()
        more = dict(zip(missing, cosines, strict=True))
        return Candidates(lexical, {**dense, **more}, dense)

    def head(self, found: Candidates) -> list[Chunk]:
        """The chunks that are re-ranked: the best by words and the best by vectors."""
        return self.library.store.chunks_by_id(self._order(found)[: self.config.n_reranked])

    def features(self, question: str, chunks: list[Chunk], found: Candidates) -> Array:
        """What re-ranking sees of the chunks `(n_chunks, n_features)`."""
        matcher = self.library.matcher(topic(question))
        return rerank.features(matcher, chunks, found.lexical, found.dense)

    def _order(self, found: Candidates) -> list[int]:
        """All that was proposed, by the better of its places among the words' and the vectors'."""
        words, vectors = (
            {i: place for place, i in enumerate(_best_first(scores))}
            for scores in (found.lexical, found.own_dense)
        )
        share = self.config.dense_share
        never = len(words) + len(vectors)

        def place(i: int) -> tuple[float, int, int]:
            own = words.get(i, never)
            return min(own, (vectors.get(i, never) + 0.5) / share), own, i

        return sorted(words.keys() | vectors.keys(), key=place)

    def _ranked(self, question: str, proposed: Candidates, top_k: int) -> list[Hit]:
        """Re-rank the head; the tail follows in the order in which it was proposed."""
        head = self.head(proposed)
        if not head:
            return []
        rows = self.features(question, head, proposed)
        scores = fitted("rerank", rerank.FEATURES).scores(rows).tolist()
        ranked = sorted(
            zip(scores, head, rows.tolist(), strict=True), key=lambda one: (-one[0], one[1].id)
        )
        found = [(score, chunk, tuple(row)) for score, chunk, row in ranked]
        if len(found) < top_k:
            rest = self._order(proposed)[self.config.n_reranked : 2 * top_k]
            tail = self.library.store.chunks_by_id(rest)
            floor = found[-1][0]
            found += [(floor / (2 + place), c, ()) for place, c in enumerate(tail)]
        return [Hit(rank, *one) for rank, one in enumerate(found[:top_k], 1)]

    def _allowed(self, filters: Filters | None, excluded: Collection[str]) -> set[int] | None:
        if not filters and not excluded:
            return None
        filters = filters or Filters()
        store = self.library.store
        if excluded:
            known = filters.places or store.places()
            left = tuple(place for place in known if place not in excluded)
            if not left:  # no places at all would mean all of them
                return set()
            filters = replace(filters, places=left)
        return store.chunk_ids(filters)

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


def _best_first(scores: dict[int, float]) -> list[int]:
    return sorted(scores, key=lambda i: (-scores[i], i))
