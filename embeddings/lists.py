"""Inverted lists for many vectors: trained once, kept in a file, checked before they are used.

The file holds the centres of the lists and which vector lies in which list, never the vectors. A
manifest beside it holds its SHA-256, the model and the point in the store's history at which it
was written; a file that does not match is set aside, and the lists are trained anew.
"""

import hashlib
import json
import logging
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import faiss
import numpy as np
import numpy.typing as npt

from embeddings.encoder import FloatArray

WANTED_RECALL = 0.985  # at 10, against exact search
_SAMPLE = 200  # queries that the recall is measured with
_PER_LIST = 39  # vectors that FAISS wants for every centre
_ITERATIONS = 10  # of k-means; more did not raise the recall
_MANIFEST = "vectors.json"
_DATA = "vectors.lists"

_LOG = logging.getLogger(__name__)
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a written file is; it is used only if all of it fits."""

    model: str  # fingerprint of the encoder
    generation: int  # of the store
    token: str  # of that generation
    n_lists: int
    dim: int
    count: int  # vectors whose list is known
    trained_on: int
    nprobe: int
    recall: float
    sha256: str = ""  # of the data and of all fields above

    def sealed(self, data: bytes) -> str:
        """The checksum of the data together with the other fields."""
        fields = {key: value for key, value in asdict(self).items() if key != "sha256"}
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode() + data).hexdigest()


@dataclass(frozen=True, slots=True)
class InvertedLists:
    """Trained lists; `ids` and `lists` say where known vectors lie, so that no one asks twice."""

    centres: FloatArray  # (n_lists, dim)
    nprobe: int  # lists that a search looks into
    recall: float  # at 10, against exact search, when trained
    trained_on: int  # vectors
    known: dict[str, IntArray] = field(default_factory=dict)  # "ids" ascending, "lists"

    def fits(self, n: int, dim: int, grown: float) -> bool:
        """Whether the lists still suit `n` vectors."""
        same = self.centres.shape[1] == dim
        return same and self.trained_on / grown <= n <= self.trained_on * grown

    def probes(self, share: float) -> int:
        """How many lists to look into when only a share of the vectors is wanted."""
        wider = self.nprobe / max(share, 1e-6)
        return int(min(len(self.centres), max(self.nprobe, np.ceil(wider))))

    def index(self, ids: IntArray, vectors: FloatArray) -> tuple["faiss.Index", "InvertedLists"]:
        """A FAISS index of the vectors, and these lists knowing where each of them lies."""
        lists = self._assigned(ids, vectors)
        order = np.argsort(ids, kind="stable")
        known = {"ids": ids[order], "lists": lists[order]}
        return _filled(self.centres, vectors, lists), replace(self, known=known)

    def _assigned(self, ids: IntArray, vectors: FloatArray) -> IntArray:
        lists = np.full(len(ids), -1, np.int64)
        if self.known:
            at = np.minimum(np.searchsorted(self.known["ids"], ids), len(self.known["ids"]) - 1)
            lists = np.where(self.known["ids"][at] == ids, self.known["lists"][at], -1)
        new = np.flatnonzero(lists < 0)
        if len(new):
            lists[new] = _quantizer(self.centres).search(vectors[new], 1)[1][:, 0]
        return lists

    def save(self, folder: Path, model: str, generation: int, token: str) -> None:
        """Write data and manifest, each beside its old file and then renamed over it."""
        ids, lists = self.known["ids"], self.known["lists"]
        data = (
            self.centres.astype("<f4").tobytes()
            + ids.astype("<i8").tobytes()
            + lists.astype("<i4").tobytes()
        )
        manifest = Manifest(
            model=model,
            generation=generation,
            token=token,
            n_lists=self.centres.shape[0],
            dim=self.centres.shape[1],
            count=len(ids),
            trained_on=self.trained_on,
            nprobe=self.nprobe,
            recall=self.recall,
        )
        manifest = replace(manifest, sha256=manifest.sealed(data))
        folder.mkdir(parents=True, exist_ok=True)
        write_file(folder / _DATA, data)
        # The manifest is renamed last: until then the old one does not fit the new data.
        write_file(folder / _MANIFEST, json.dumps(asdict(manifest)).encode())


def load(folder: Path, model: str, knows: Callable[[int, str], bool]) -> InvertedLists | None:
    """Read what `save` wrote; None if there is nothing, or nothing that can be trusted.

    `knows` tells whether a generation with its token lies in the store's history. Damaged files
    are renamed to `*.damaged`, so that they can be looked at.
    """
    try:
        data = (folder / _DATA).read_bytes()
        manifest = Manifest(**json.loads((folder / _MANIFEST).read_text("utf-8")))
        if manifest.sealed(data) != manifest.sha256:
            raise ValueError("the checksum does not match")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        _LOG.warning("vector lists in %s are damaged (%s); training them anew", folder, error)
        for name in (_DATA, _MANIFEST):
            if (folder / name).exists():
                (folder / name).replace(folder / f"{name}.damaged")
        return None
    if manifest.model != model or not knows(manifest.generation, manifest.token):
        return None
    n_centres = manifest.n_lists * manifest.dim
    centres = np.frombuffer(data, "<f4", n_centres).reshape(manifest.n_lists, manifest.dim)
    ids = np.frombuffer(data, "<i8", manifest.count, 4 * n_centres)
    lists = np.frombuffer(data, "<i4", manifest.count, 4 * n_centres + 8 * manifest.count)
    known = {"ids": ids.astype(np.int64), "lists": lists.astype(np.int64)}
    return InvertedLists(
        centres.astype(np.float32), manifest.nprobe, manifest.recall, manifest.trained_on, known
    )


def train(ids: IntArray, vectors: FloatArray) -> InvertedLists:
    """Train lists, and measure how many to probe for WANTED_RECALL."""
    started = time.perf_counter()
    faiss.omp_set_num_threads(os.cpu_count() or 1)
    n, dim = vectors.shape
    n_lists = int(4 * np.sqrt(n))
    rng = np.random.default_rng(0)
    means = faiss.Kmeans(
        dim, n_lists, niter=_ITERATIONS, spherical=True, seed=1,
        max_points_per_centroid=_PER_LIST, min_points_per_centroid=1,
    )  # fmt: skip
    means.train(vectors[np.sort(rng.permutation(n)[: _PER_LIST * n_lists])])
    centres: FloatArray = np.asarray(means.centroids, np.float32).reshape(n_lists, dim)
    index, trained = InvertedLists(centres, 1, 0.0, n).index(ids, vectors)
    nprobe, recall = _measured(index, vectors, rng)
    _LOG.info(
        "trained %d lists on %d vectors in %.1f s: %d probes, recall@10 %.3f",
        n_lists, n, time.perf_counter() - started, nprobe, recall,
    )  # fmt: skip
    return replace(trained, nprobe=nprobe, recall=recall)


def _measured(
    index: "faiss.Index", vectors: FloatArray, rng: np.random.Generator
) -> tuple[int, float]:
    """The smallest number of probes, doubled from 8 on, that finds enough, and what it finds."""
    n, dim = vectors.shape
    sample = vectors[rng.permutation(n)[:_SAMPLE]]
    # A question is not one of the vectors; noise keeps the sample from finding only itself.
    noise = rng.standard_normal(sample.shape).astype(np.float32) / np.sqrt(dim)
    sample = np.ascontiguousarray(sample + 0.5 * noise, np.float32)
    faiss.normalize_L2(sample)
    exact = faiss.knn(sample, vectors, 10, faiss.METRIC_INNER_PRODUCT)[1].tolist()
    nprobe = 8
    while True:
        found = index.search(sample, 10, params=faiss.SearchParametersIVF(nprobe=nprobe))[1]
        hits = [len(set(a) & set(b)) for a, b in zip(found.tolist(), exact, strict=True)]
        recall = sum(hits) / (10 * len(sample))
        if recall >= WANTED_RECALL or nprobe >= index.nlist:
            return nprobe, recall
        nprobe = min(2 * nprobe, index.nlist)


def _quantizer(centres: FloatArray) -> "faiss.Index":
    quantizer = faiss.IndexFlatIP(centres.shape[1])
    quantizer.add(np.ascontiguousarray(centres))
    return quantizer


def _filled(centres: FloatArray, vectors: FloatArray, lists: IntArray) -> "faiss.Index":
    """Inverted lists over float16 vectors; 8-bit ones lose recall and save memory only."""
    quantizer = _quantizer(centres)
    index = faiss.IndexIVFScalarQuantizer(
        quantizer, centres.shape[1], len(centres), faiss.ScalarQuantizer.QT_fp16,
        faiss.METRIC_INNER_PRODUCT,
    )  # fmt: skip
    index.own_fields = True
    quantizer.this.disown()
    index.by_residual = False
    index.train(vectors[:1])  # float16 needs no training, but FAISS asks for the call
    positions = np.arange(len(vectors), dtype=np.int64)
    index.add_core(
        len(vectors), faiss.swig_ptr(vectors), faiss.swig_ptr(positions),
        faiss.swig_ptr(np.ascontiguousarray(lists, np.int64)),
    )  # fmt: skip
    index.make_direct_map()
    return index


def write_file(file: Path, data: bytes, *, sync: bool = True) -> None:
    """Write a file so that a reader sees all of the old one or all of the new one."""
    temporary = file.with_name(f"{file.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as out:
            out.write(data)
            if sync:
                out.flush()
                os.fsync(out.fileno())
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)
