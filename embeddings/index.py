"""Vectors in, their neighbours out: an immutable snapshot over FAISS.

A `VectorIndex` has a base that FAISS holds, and beside it a small exact part for what was added
since; removed ids are masked. A writer makes the next snapshot and swaps it in, because FAISS
crashes when vectors are added during a search.

Up to EXACT_UP_TO vectors the base is exact (inner product); beyond, inverted lists that are probed
as widely as the recall wanted demands, which is measured against exact search when the lists are
trained (`embeddings/lists.py`, which also keeps them in a file). The vectors themselves always come
from the store, so no file can hold a wrong one.
"""

from collections.abc import Collection, Sequence
from pathlib import Path

import faiss
import numpy as np
import numpy.typing as npt

from embeddings.encoder import FloatArray
from embeddings.lists import InvertedLists, train

EXACT_UP_TO = 100_000  # vectors
MERGE_FROM = 2_000  # vectors beside the base before they go into it
_MERGE_SHARE = 0.1  # of the base, likewise
_RETRAIN_AT = 2.5  # times the vectors that the lists were trained on

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


class VectorIndex:
    """A snapshot of all vectors; safe to search from many threads."""

    def __init__(self, ids: IntArray, vectors: FloatArray, *, lists: InvertedLists | None) -> None:
        """Build the base from `ids` (n,) and `vectors` (n, dim); exact without `lists`."""
        self.dim = int(vectors.shape[1])
        self.lists = lists
        if lists:
            self._base, self.lists = lists.index(ids, vectors)
        else:
            self._base = _exact(vectors)
        self._ids = ids
        self._order = np.argsort(ids, kind="stable")
        self._alive: BoolArray = np.ones(len(ids), np.bool_)
        self._extra_ids: IntArray = np.zeros(0, np.int64)
        self._extra: FloatArray = np.zeros((0, self.dim), np.float32)

    @classmethod
    def build(
        cls,
        ids: IntArray,
        vectors: FloatArray,
        *,
        saved: InvertedLists | None = None,
        exact_up_to: int = EXACT_UP_TO,
    ) -> "VectorIndex":
        """Build an index; beyond `exact_up_to` vectors with `saved` lists if they still fit.

        Raises
        ------
        ValueError
            If the vectors are not `(n, dim)`, one per id, and finite.
        """
        if vectors.ndim != 2 or len(vectors) != len(ids):
            raise ValueError(f"expected {len(ids)} vectors (n, dim), found {vectors.shape}")
        if not np.isfinite(vectors).all():
            raise ValueError("vectors must be finite")
        vectors = np.ascontiguousarray(vectors, np.float32)
        if len(ids) <= exact_up_to:
            return cls(ids, vectors, lists=None)
        if saved is not None and saved.fits(len(ids), vectors.shape[1], _RETRAIN_AT):
            return cls(ids, vectors, lists=saved)
        return cls(ids, vectors, lists=train(ids, vectors))

    def changed(
        self, added: IntArray, vectors: FloatArray, removed: Collection[int]
    ) -> "VectorIndex":
        """The next snapshot: with more vectors, without some ids; this one stays as it is.

        An id that is there already gets its new vector.
        """
        if len(added) and (vectors.ndim != 2 or vectors.shape[1] != self.dim):
            raise ValueError(f"expected vectors (n, {self.dim}), found {vectors.shape}")
        gone = np.concatenate([np.fromiter(removed, np.int64, len(removed)), added])
        out = object.__new__(VectorIndex)
        out.__dict__.update(self.__dict__)
        if len(gone):
            positions = self._positions(gone)
            out._alive = self._alive.copy()
            out._alive[positions[positions >= 0]] = False
        keep = ~np.isin(self._extra_ids, gone)
        out._extra_ids = np.concatenate([self._extra_ids[keep], added])
        out._extra = np.concatenate(
            [self._extra[keep], np.asarray(vectors, np.float32).reshape(-1, self.dim)]
        )
        return out

    @property
    def count(self) -> int:
        """How many vectors can be found."""
        return int(self._alive.sum()) + len(self._extra_ids)

    @property
    def needs_merge(self) -> bool:
        """Whether so much lies beside the base that it should be built anew."""
        beside = len(self._extra_ids) + int((~self._alive).sum())
        return beside > max(MERGE_FROM, _MERGE_SHARE * len(self._ids))

    def merged(self, *, exact_up_to: int = EXACT_UP_TO) -> "VectorIndex":
        """The same vectors, all in the base; this snapshot stays as it is."""
        positions = np.flatnonzero(self._alive)
        ids = np.concatenate([self._ids[positions], self._extra_ids])
        vectors = np.concatenate([self._base_vectors(positions), self._extra])
        return VectorIndex.build(ids, vectors, saved=self.lists, exact_up_to=exact_up_to)

    def search(
        self, queries: FloatArray, top_k: int, *, allowed: Collection[int] | None = None
    ) -> tuple[FloatArray, IntArray]:
        """Nearest ids by inner product: scores and ids, both `(n_queries, top_k)`.

        Rows with fewer results are padded with id -1 and score -inf.
        """
        queries = np.ascontiguousarray(queries, np.float32)
        if queries.ndim != 2 or queries.shape[1] != self.dim:
            raise ValueError(f"expected queries (n, {self.dim}), found {queries.shape}")
        wanted = None if allowed is None else np.fromiter(allowed, np.int64, len(allowed))
        scores, ids = self._search_base(queries, top_k, wanted)
        if len(self._extra_ids):
            more = queries @ self._extra.T
            if wanted is not None:
                more[:, ~np.isin(self._extra_ids, wanted)] = -np.inf
            scores = np.concatenate([scores, more], axis=1)
            ids = np.concatenate([ids, np.broadcast_to(self._extra_ids, more.shape)], axis=1)
        order = np.argsort(-scores, axis=1, kind="stable")[:, :top_k]
        scores = np.take_along_axis(scores, order, 1)
        ids = np.where(np.isneginf(scores), -1, np.take_along_axis(ids, order, 1))
        pad = ((0, 0), (0, top_k - scores.shape[1]))
        scores = np.pad(scores, pad, constant_values=-np.inf)
        return np.asarray(scores, np.float32), np.pad(ids, pad, constant_values=-1)

    def vectors(self, ids: Sequence[int] | IntArray) -> FloatArray:
        """Vectors `(n, dim)` of some ids, in their order; zero rows for unknown ids."""
        wanted = np.asarray(ids, np.int64)
        out: FloatArray = np.zeros((len(wanted), self.dim), np.float32)
        positions = self._positions(wanted)
        found = (positions >= 0) & self._alive[positions] if len(self._ids) else positions >= 0
        out[found] = self._base_vectors(positions[found])
        place = {i: at for at, i in enumerate(self._extra_ids.tolist())}
        for row, i in enumerate(wanted.tolist()):
            if i in place:
                out[row] = self._extra[place[i]]
        return out

    def save(self, folder: Path, model: str, generation: int, token: str) -> None:
        """Keep the trained lists, if there are any, for the next start."""
        if self.lists:
            self.lists.save(folder, model, generation, token)

    # -- inside -----------------------------------------------------------------------------

    def _positions(self, ids: IntArray) -> IntArray:
        """Where ids lie in the base, -1 for those that do not."""
        if not len(self._ids):
            return np.full(len(ids), -1, np.int64)
        at = np.searchsorted(self._ids, ids, sorter=self._order)
        found = self._order[np.minimum(at, len(self._ids) - 1)]
        return np.where(self._ids[found] == ids, found, -1)

    def _base_vectors(self, positions: IntArray) -> FloatArray:
        if not len(positions):
            return np.zeros((0, self.dim), np.float32)
        return np.asarray(self._base.reconstruct_batch(positions), np.float32)

    def _search_base(
        self, queries: FloatArray, top_k: int, wanted: IntArray | None
    ) -> tuple[FloatArray, IntArray]:
        # One question is too little work to share: on busy cores the threads wait for each other
        # (50 ms instead of 2 ms for 30,000 vectors).
        faiss.omp_set_num_threads(1)
        n = len(self._ids)
        k = min(n, top_k)
        if not k or not len(queries):
            empty = (len(queries), 0)
            return np.zeros(empty, np.float32), np.zeros(empty, np.int64)
        mask = None if self._alive.all() else self._alive
        if wanted is not None:
            positions = self._positions(wanted)
            mask = np.zeros(n, np.bool_)
            mask[positions[positions >= 0]] = True
            mask &= self._alive
        # FAISS keeps a pointer to the bits, so they must outlive the search.
        bits = None if mask is None else np.packbits(mask, bitorder="little")
        selector = None if bits is None else faiss.IDSelectorBitmap(n, faiss.swig_ptr(bits))
        if self.lists:
            probes = self.lists.probes(1.0 if mask is None else float(mask.mean()))
            parameters = faiss.SearchParametersIVF(sel=selector, nprobe=probes)
        else:
            parameters = faiss.SearchParameters(sel=selector) if selector else None
        scores, positions = self._base.search(queries, k, params=parameters)
        lost = positions < 0
        ids = np.where(lost, -1, self._ids[positions])
        return np.where(lost, -np.inf, scores).astype(np.float32), ids


def _exact(vectors: FloatArray) -> "faiss.Index":
    base = faiss.IndexFlatIP(vectors.shape[1])
    base.add(vectors)
    return base
