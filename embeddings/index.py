"""Stored vectors in, an index of their neighbours out.

A `VectorIndex` is an immutable snapshot: a base that FAISS holds, and a small exact part for what
was added since, with the removed ids left out of every result. A writer makes the next snapshot
and swaps it in, because FAISS crashes when vectors are added during a search.

Up to EXACT_UP_TO vectors the base is exact (inner product); beyond, it is inverted lists over
8-bit vectors, probed as widely as its recall against exact search, measured when it is built,
demands. FAISS does not notice damaged files, so a manifest holds the SHA-256 of the base; whatever
does not match is set aside and built anew from the stored vectors.
"""

import hashlib
import json
import logging
import os
import time
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

import faiss
import numpy as np
import numpy.typing as npt

from embeddings.encoder import FloatArray

EXACT_UP_TO = 100_000  # vectors
WANTED_RECALL = 0.985  # of an approximate base, at 10, against exact search
MERGE_FROM = 2_000  # vectors beside the base before it is built anew

_LOG = logging.getLogger(__name__)
_SAMPLE = 200  # queries that the recall is measured with
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a written base is; it is only used if all of it fits."""

    model: str  # fingerprint of the encoder
    generation: int  # of the store when the base was built
    count: int
    sha256: str = ""  # of the index file and the ids file
    recall: float = 1.0  # at 10, against exact search
    nprobe: int = 0


class VectorIndex:
    """A snapshot of all vectors; safe to search from many threads."""

    def __init__(
        self,
        base: "faiss.Index",
        ids: IntArray,
        manifest: Manifest,
        *,
        extra: tuple[IntArray, FloatArray] | None = None,
        removed: frozenset[int] = frozenset(),
        generation: int | None = None,
    ) -> None:
        dim = base.d
        self._base, self._ids = base, ids
        self.manifest = manifest
        self._extra_ids, self._extra = extra or (
            np.zeros(0, np.int64),
            np.zeros((0, dim), np.float32),
        )
        self._removed = removed
        self.generation = manifest.generation if generation is None else generation
        self.dim = int(dim)

    @classmethod
    def build(
        cls, ids: IntArray, vectors: npt.NDArray[np.float16], manifest: Manifest
    ) -> "VectorIndex":
        """Build the base from `ids` (n,) and `vectors` (n, dim)."""
        rows = np.ascontiguousarray(vectors, np.float32)
        dim = rows.shape[1]
        started = time.perf_counter()
        if len(rows) <= EXACT_UP_TO:
            base = faiss.IndexFlatIP(dim)
            base.add(rows)
            found = replace(manifest, count=len(ids))
        else:
            base, nprobe, recall = _approximate(rows)
            found = replace(manifest, count=len(ids), nprobe=nprobe, recall=recall)
        _LOG.info("indexed %d vectors in %.1f s", len(rows), time.perf_counter() - started)
        return cls(base, ids, found)

    def changed(
        self, added: tuple[IntArray, FloatArray], removed: Collection[int], generation: int
    ) -> "VectorIndex":
        """The next snapshot: with more vectors, without some ids; this one stays as it is."""
        gone = self._removed | frozenset(removed)
        # An id that is added again (its document's titles changed) is alive in the extra part.
        keep = ~np.isin(self._extra_ids, [*gone, *added[0].tolist()])
        ids = np.concatenate([self._extra_ids[keep], added[0]])
        rows = np.concatenate([self._extra[keep], added[1].reshape(-1, self.dim)])
        return VectorIndex(
            self._base,
            self._ids,
            self.manifest,
            extra=(ids, rows),
            removed=gone,
            generation=generation,
        )

    @property
    def needs_merge(self) -> bool:
        """Whether so much lies beside the base that it should be built anew."""
        return len(self._extra_ids) + len(self._removed) > max(MERGE_FROM, len(self._ids) // 10)

    def search(
        self, queries: FloatArray, top_k: int, *, allowed: Collection[int] | None = None
    ) -> tuple[FloatArray, IntArray]:
        """Nearest ids by inner product: scores and ids, both `(n_queries, top_k)`.

        Rows with fewer results are padded with id -1 and score -inf.
        """
        queries = np.ascontiguousarray(queries, np.float32)
        scores, ids = self._search_base(queries, top_k, allowed)
        if len(self._extra_ids):
            more = queries @ self._extra.T
            extra_ids = np.broadcast_to(self._extra_ids, more.shape)
            if allowed is not None:
                wanted = np.isin(self._extra_ids, list(allowed))
                more = np.where(wanted, more, -np.inf)
            scores = np.concatenate([scores, more], axis=1)
            ids = np.concatenate([ids, extra_ids], axis=1)
        order = np.argsort(-scores, axis=1, kind="stable")[:, :top_k]
        scores = np.take_along_axis(scores, order, 1)
        ids = np.where(np.isneginf(scores), -1, np.take_along_axis(ids, order, 1))
        pad = top_k - scores.shape[1]
        if pad > 0:
            scores = np.pad(scores, ((0, 0), (0, pad)), constant_values=-np.inf)
            ids = np.pad(ids, ((0, 0), (0, pad)), constant_values=-1)
        return np.asarray(scores, np.float32), np.asarray(ids, np.int64)

    def _search_base(
        self, queries: FloatArray, top_k: int, allowed: Collection[int] | None
    ) -> tuple[FloatArray, IntArray]:
        n = len(self._ids)
        if not n:
            empty = (len(queries), 0)
            return np.zeros(empty, np.float32), np.zeros(empty, np.int64)
        dead = set(self._removed) | set(self._extra_ids.tolist())
        selector = None
        if allowed is not None:
            positions = np.flatnonzero(np.isin(self._ids, list(allowed)))
            selector = faiss.IDSelectorBatch(positions.astype(np.int64))
        parameters = None
        if self.manifest.nprobe:
            parameters = faiss.SearchParametersIVF(sel=selector, nprobe=self.manifest.nprobe)
        elif selector is not None:
            parameters = faiss.SearchParameters(sel=selector)
        k = min(n, top_k + len(dead))
        scores, positions = self._base.search(queries, k, params=parameters)
        ids = np.where(positions >= 0, self._ids[positions], -1)
        lost = (ids < 0) | np.isin(ids, list(dead)) if dead else ids < 0
        return np.where(lost, -np.inf, scores).astype(np.float32), ids

    # -- files ------------------------------------------------------------------------------

    def save(self, folder: Path) -> None:
        """Write base and manifest, each beside its old file and then renamed over it."""
        folder.mkdir(parents=True, exist_ok=True)
        data = faiss.serialize_index(self._base).tobytes()
        ids = self._ids.astype("<i8").tobytes()
        manifest = replace(self.manifest, sha256=_digest(data, ids))
        _write(folder / "vectors.faiss", data)
        _write(folder / "vectors.ids", ids)
        # The manifest is renamed last: until then the old one does not fit the new files.
        fields = {name: getattr(manifest, name) for name in manifest.__slots__}
        _write(folder / "vectors.json", json.dumps(fields).encode())

    @classmethod
    def load(cls, folder: Path, model: str) -> "VectorIndex | None":
        """Read what `save` wrote; None if there is nothing, or nothing that can be trusted.

        Files that are damaged are renamed to `*.damaged`, so that they can be looked at.
        """
        names = ["vectors.json", "vectors.faiss", "vectors.ids"]
        try:
            manifest = Manifest(**json.loads((folder / names[0]).read_text("utf-8")))
            data = (folder / names[1]).read_bytes()
            raw = (folder / names[2]).read_bytes()
            if manifest.model != model:
                return None
            if _digest(data, raw) != manifest.sha256:
                raise ValueError("checksum does not match")
            base = faiss.deserialize_index(np.frombuffer(data, np.uint8))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError, RuntimeError) as error:
            _LOG.warning("vector index in %s is damaged (%s); building it anew", folder, error)
            quarantine(folder, names)
            return None
        return cls(base, np.frombuffer(raw, "<i8").astype(np.int64), manifest)


def quarantine(folder: Path, names: Collection[str]) -> None:
    """Rename damaged files out of the way."""
    for name in names:
        if (folder / name).exists():
            (folder / name).replace(folder / f"{name}.damaged")


def _approximate(rows: FloatArray) -> tuple["faiss.Index", int, float]:
    """Inverted lists over 8-bit vectors, and how many lists to probe for WANTED_RECALL."""
    dim = rows.shape[1]
    n_lists = int(4 * np.sqrt(len(rows)))
    quantizer = faiss.IndexFlatIP(dim)
    base = faiss.IndexIVFScalarQuantizer(
        quantizer, dim, n_lists, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
    )
    base.own_fields = True
    quantizer.this.disown()
    rng = np.random.default_rng(0)
    base.train(rows[rng.permutation(len(rows))[: 40 * n_lists]])
    base.add(rows)
    sample = rows[rng.permutation(len(rows))[:_SAMPLE]]
    # A query is not one of the vectors; noise keeps the sample from finding only itself.
    noise = rng.standard_normal(sample.shape).astype(np.float32) / np.sqrt(dim)
    sample = sample + 0.5 * noise
    sample /= np.linalg.norm(sample, axis=1, keepdims=True)
    exact = np.argsort(-(sample @ rows.T), axis=1)[:, :10]
    nprobe, recall = 8, 0.0
    while nprobe < n_lists:
        found = base.search(sample, 10, params=faiss.SearchParametersIVF(nprobe=nprobe))[1]
        hits = [len(set(a) & set(b)) for a, b in zip(found.tolist(), exact.tolist(), strict=True)]
        recall = sum(hits) / exact.size
        if recall >= WANTED_RECALL:
            break
        nprobe *= 2
    return base, nprobe, recall


def _digest(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def _write(file: Path, data: bytes) -> None:
    temporary = file.with_name(f"{file.name}.{os.getpid()}.tmp")
    with temporary.open("wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    temporary.replace(file)
