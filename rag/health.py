"""A library's store and indexes in, everything that is wrong with them out."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from corpus.errors import StoreError
from corpus.store import DocumentInfo, Store
from embeddings.encoder import FloatArray
from embeddings.seal import DamagedError, verify
from rag.indexes import Snapshot

_UNIT = 0.02  # how far a stored vector's length may be from 1; a text without terms has length 0


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What a check found; no problems means that all is well."""

    documents: int
    chunks: int
    vectors: int
    problems: tuple[str, ...]


def examine(home: Path, store: Store, snapshot: Snapshot) -> CheckReport:
    """Verify the database, the offsets of all chunks, the vectors and both indexes."""
    problems = store.integrity_problems()
    infos = store.documents()
    # Old citations open removed and replaced documents, so those are looked at too.
    for info in store.documents(all_states=True):
        try:
            problems += _document_problems(store, info)
        except (StoreError, ValueError) as error:
            problems.append(f"文档 {info.id} 无法读取：{error}，请从备份恢复")
    n_chunks = sum(info.n_chunks for info in infos)
    ids, vectors = store.vectors(snapshot.encoder.fingerprint)
    problems += _vector_problems(vectors)
    for name, count in (
        ("数据库中的向量", len(ids)),
        ("向量索引", snapshot.vectors.count),
        ("词语索引", snapshot.lexical.count),
    ):
        if count != n_chunks:
            problems.append(f"{name}有 {count} 条，应有 {n_chunks} 条，请运行 zhengwen rebuild")
    try:
        verify(home / "lexical")
    except (DamagedError, OSError) as error:
        problems.append(f"词语索引文件已损坏（{error}），请运行 zhengwen rebuild")
    return CheckReport(len(infos), n_chunks, len(ids), tuple(problems))


def _document_problems(store: Store, info: DocumentInfo) -> list[str]:
    document = store.document(info.id)
    chunks = store.chunks(info.id)
    length, n_nodes = len(document.text), len(document.outline)
    problems = [
        f"文档 {info.id} 的片段 {c.id} 位置有误，请移除该文档后重新添加"
        for c in chunks
        if not 0 <= c.start < c.end <= length
        or c.text != document.text[c.start : c.end]
        or not 0 <= c.node < n_nodes
    ]
    if len(chunks) != info.n_chunks or length != info.size:
        problems.append(f"文档 {info.id} 不完整，请移除后重新添加")
    return problems


def _vector_problems(vectors: FloatArray) -> list[str]:
    norms = np.linalg.norm(vectors, axis=1) if vectors.size else np.zeros(0)
    wrong = int(np.sum(~((np.abs(norms - 1) < _UNIT) | (norms == 0))))
    return [f"{wrong} 个向量不是单位长度，请运行 zhengwen rebuild"] if wrong else []
