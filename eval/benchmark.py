"""A retrieval benchmark in, scores out: the product's own chunking and search on its passages.

Passages are rows `{"id", "text"}` (laws: `{"id", "law", "article", "text"}`), queries rows
`{"id", "query", "relevant": [id, …]}`; both files may be `.xz`. A passage's score is that of its
best chunk.
"""

import json
import lzma
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from corpus.errors import CorpusError
from embeddings.encoder import load_encoder
from eval.ranking import Scores, score_run
from rag.assistant import Assistant
from rag.config import Config
from rag.extractive import ExtractiveAnswerer
from rag.library import Library, Progress
from rag.types import Mode

N_CHUNKS = 300  # asked for, so that 100 passages come out of them


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage to be found."""

    id: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Query:
    """A question with the passages that answer it."""

    id: str
    text: str
    relevant: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Benchmark:
    """Passages and queries."""

    passages: tuple[Passage, ...]
    queries: tuple[Query, ...]


@dataclass(frozen=True, slots=True)
class BenchmarkResult:
    """Scores of one run and what it cost."""

    mode: Mode
    n_passages: int
    n_queries: int
    scores: Scores
    index_s: float
    queries_per_s: float
    latency_p50_ms: float
    latency_p95_ms: float
    bytes_on_disk: int
    peak_memory_mb: float


def read_rows(file: Path) -> Iterator[dict[str, Any]]:
    """Rows of a JSON Lines file, packed or not.

    Raises
    ------
    CorpusError
        Naming the file and the line.
    """
    number = 0
    try:
        with (
            lzma.open(file, "rt", encoding="utf-8")
            if file.suffix == ".xz"
            else file.open(encoding="utf-8-sig") as lines
        ):
            for number, line in enumerate(lines, 1):  # noqa: B007 - the error names it
                if line.strip():
                    yield json.loads(line)
    except (OSError, ValueError, lzma.LZMAError) as error:
        raise CorpusError(
            f"无法读取 {file} 第 {number} 行:{error},请给出 JSON Lines 文件(可用 .xz 压缩)",
            f"cannot read {file}, line {number}: {error}",
        ) from error


def read_benchmark(passages: Path, queries: Path) -> Benchmark:
    """Read a benchmark from its two files."""
    try:
        return Benchmark(
            tuple(
                Passage(
                    str(row["id"]),
                    f"{row.get('law', '')} {row.get('article', '')}".strip(),
                    str(row["text"]),
                )
                for row in read_rows(passages)
            ),
            tuple(
                Query(str(row["id"]), str(row["query"]), tuple(map(str, row["relevant"])))
                for row in read_rows(queries)
            ),
        )
    except (KeyError, TypeError) as error:
        raise CorpusError(
            f"{passages} 或 {queries} 缺少字段 {error}", f"a row lacks the field {error}"
        ) from error


def load_benchmark(data: Path, name: str) -> Benchmark:
    """One of the dev sets by its name: rgb, drcd, stard."""
    passages = {"stard": data / "train" / "laws.jsonl.xz"}.get(
        name, data / "dev" / f"{name}_passages.jsonl"
    )
    return read_benchmark(passages, data / "dev" / f"{name}_queries.jsonl")


@contextmanager
def filled_library(
    benchmark: Benchmark, home: Path, *, model: str = "", progress: Progress | None = None
) -> Iterator[Assistant]:
    """An assistant whose library holds the passages, and nothing else."""
    config = Config(model=model)
    library = Library.open(home, load_encoder(model or None), builtin=False)
    rows = ((p.id, p.title, p.text) for p in benchmark.passages)
    library.add_texts(rows, progress)
    with Assistant(library, ExtractiveAnswerer(config.answers), config) as assistant:
        yield assistant


def run_benchmark(
    benchmark: Benchmark,
    *,
    mode: Mode = "hybrid",
    model: str = "",
    progress: Progress | None = None,
) -> BenchmarkResult:
    """Index the passages in a temporary home, ask all queries, score."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        started = time.perf_counter()
        with filled_library(benchmark, home, model=model, progress=progress) as assistant:
            index_s = time.perf_counter() - started
            names = {info.id: info.name for info in assistant.library.documents()}
            run: dict[str, dict[str, float]] = {}
            seconds = []
            for done, query in enumerate(benchmark.queries):
                began = time.perf_counter()
                hits = assistant.search(query.text, top_k=N_CHUNKS, mode=mode)
                seconds.append(time.perf_counter() - began)
                best: dict[str, float] = {}
                for hit in hits:
                    best.setdefault(names[hit.chunk.document_id], hit.score)
                run[query.id] = best
                if progress:
                    progress("查询", done + 1, len(benchmark.queries))
        size = sum(file.stat().st_size for file in home.rglob("*") if file.is_file())
        qrels = {q.id: q.relevant for q in benchmark.queries}
    latency = np.percentile(np.array(seconds) * 1000, [50, 95])
    return BenchmarkResult(
        mode=mode,
        n_passages=len(benchmark.passages),
        n_queries=len(benchmark.queries),
        scores=score_run(qrels, run),
        index_s=index_s,
        queries_per_s=len(seconds) / sum(seconds),
        latency_p50_ms=float(latency[0]),
        latency_p95_ms=float(latency[1]),
        bytes_on_disk=size,
        peak_memory_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )
