"""A retrieval benchmark in, scores out: the product's own chunking and search on its passages.

Passages are rows `{"id", "text"}` (laws: `{"id", "law", "article", "text"}`), queries rows
`{"id", "query", "relevant": [id, …]}`; both files may be `.xz`. A passage's score is that of its
best chunk.
"""

import json
import lzma
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from corpus.errors import CorpusError, QuestionError
from embeddings.encoder import load_encoder
from eval.ranking import Scores, score_run
from rag.assistant import Assistant
from rag.config import Config
from rag.extractive import ExtractiveAnswerer
from rag.library import Library, Progress
from rag.types import Mode

N_PASSAGES = 100  # that every query shall have, for recall@100
N_CHUNKS = 300  # asked for at first; more if fewer passages come out of them
MAX_CHUNKS = 2_400
MODES: tuple[Mode, ...] = ("hybrid", "dense", "lexical")
N_TIMED = 300  # queries timed as the product asks them, for its ten best chunks
TOP_K = 10


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
    index_cpu_s: float  # of all cores; the same on a busy machine
    queries_per_s: float  # for 100 passages each
    latency_p50_ms: float  # for the ten best chunks, as the product asks
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
            f"无法读取 {file} 第 {number} 行：{error}，请给出 JSON Lines 文件（可用 .xz 压缩）。",
            f"cannot read {file}, line {number}: {error}",
        ) from error


def read_benchmark(passages: Path, queries: Path, limit: int = 0) -> Benchmark:
    """Read a benchmark from its two files; with a limit only the first queries.

    Raises
    ------
    CorpusError
        If a file or a row cannot be used, or nothing is in them.
    """
    named: dict[str, Passage] = {}
    for row in read_rows(passages):
        name, text = text_field(passages, row, "id"), text_field(passages, row, "text")
        # The same id twice cannot be told apart in the ranking; the first stays.
        title = f"{row.get('law') or ''} {row.get('article') or ''}".strip()
        named.setdefault(name, Passage(name, title, text))
    asked: dict[str, Query] = {}
    for row in read_rows(queries):
        name, relevant = text_field(queries, row, "id"), row.get("relevant")
        if not isinstance(relevant, list) or not relevant:
            raise CorpusError(
                f"{queries} 的 {name} 缺少 relevant（相关段落编号的数组）。",
                f"{queries}: {name} lacks relevant, an array of passage ids",
            )
        query = Query(name, text_field(queries, row, "query"), tuple(map(str, relevant)))
        asked.setdefault(query.id, query)
    if not named or not asked:
        empty = queries if named else passages
        raise CorpusError(f"{empty} 中没有内容，请检查文件。", f"{empty} holds nothing")
    kept = tuple(asked.values())
    return Benchmark(tuple(named.values()), kept[:limit] if limit else kept)


def text_field(file: Path, row: dict[str, Any], key: str) -> str:
    """A field of a row as text; a CorpusError names the file and the field if it is missing."""
    if not isinstance(row, dict) or row.get(key) is None:
        raise CorpusError(f"{file} 有一行缺少字段 {key}。", f"{file}: a row lacks the field {key}")
    return str(row[key])


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


@contextmanager
def filled(passages: Iterable[Passage]) -> Iterator[Assistant]:
    """An assistant whose library holds the passages, for a while."""
    benchmark = Benchmark(tuple(passages), ())
    with (
        tempfile.TemporaryDirectory() as home,
        filled_library(benchmark, Path(home)) as assistant,
    ):
        yield assistant


@contextmanager
def cases() -> Iterator[Assistant]:
    """An assistant of the built-in cases, for a while."""
    with tempfile.TemporaryDirectory() as home, Assistant.open(Path(home)) as assistant:
        yield assistant


def run_modes(
    benchmark: Benchmark,
    modes: Sequence[Mode] = MODES,
    *,
    model: str = "",
    progress: Progress | None = None,
) -> list[BenchmarkResult]:
    """Index the passages once and score each mode on them."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        started, cpu = time.perf_counter(), time.process_time()
        with filled_library(benchmark, home, model=model, progress=progress) as assistant:
            spent = time.perf_counter() - started, time.process_time() - cpu
            size = sum(file.stat().st_size for file in home.rglob("*") if file.is_file())
            return [
                _score_mode(assistant, benchmark, mode, (*spent, size), progress) for mode in modes
            ]


def _score_mode(
    assistant: Assistant,
    benchmark: Benchmark,
    mode: Mode,
    cost: tuple[float, float, int],
    progress: Progress | None,
) -> BenchmarkResult:
    names = {info.id: info.name for info in assistant.library.documents()}
    run: dict[str, dict[str, float]] = {}
    began = time.perf_counter()
    for done, query in enumerate(benchmark.queries, 1):
        run[query.id] = rank_passages(assistant, query.text, mode, names)
        if progress:
            progress(f"查询 {mode}", done, len(benchmark.queries))
    query_s = time.perf_counter() - began
    latency = _latency_ms(assistant, benchmark, mode)
    return BenchmarkResult(
        mode=mode,
        n_passages=len(benchmark.passages),
        n_queries=len(benchmark.queries),
        scores=score_run({q.id: q.relevant for q in benchmark.queries}, run),
        index_s=cost[0],
        index_cpu_s=cost[1],
        queries_per_s=len(benchmark.queries) / query_s,
        latency_p50_ms=latency[0],
        latency_p95_ms=latency[1],
        bytes_on_disk=cost[2],
        peak_memory_mb=peak_memory_mb(),
    )


def rank_passages(
    assistant: Assistant, query: str, mode: Mode, names: dict[int, str]
) -> dict[str, float]:
    """The best passages of a query with scores by rank; a passage ranks as its best chunk does."""
    n_chunks = N_CHUNKS
    while True:
        try:
            hits = assistant.search(query, top_k=n_chunks, mode=mode)
        except QuestionError:  # nothing that can be searched; scores zero, as nothing was found
            return {}
        best: dict[str, float] = {}
        for hit in hits:
            best.setdefault(names[hit.chunk.document_id], 1.0 / hit.rank)
        # Long passages have many chunks each, which crowd the others out.
        if len(best) >= N_PASSAGES or len(hits) < n_chunks or n_chunks >= MAX_CHUNKS:
            return best
        n_chunks *= 2


def _latency_ms(assistant: Assistant, benchmark: Benchmark, mode: Mode) -> tuple[float, float]:
    step = max(1, len(benchmark.queries) // N_TIMED)
    seconds = []
    for query in benchmark.queries[::step]:
        began = time.perf_counter()
        with suppress(QuestionError):
            assistant.search(query.text, top_k=TOP_K, mode=mode)
        seconds.append(time.perf_counter() - began)
    p50, p95 = np.percentile(np.array(seconds) * 1000, [50, 95])
    return float(p50), float(p95)


def peak_memory_mb() -> float:
    """The most memory that this process has had resident; NaN where the system does not say."""
    try:
        import resource
    except ImportError:  # Windows
        return float("nan")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)
