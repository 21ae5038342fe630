"""A table of term vectors in, its figures on the dev sets out; the vectors alone, no fusion.

Passages are compared whole, without chunking: quick enough to run after every stage. The figures
of the product, with chunks and words, come from `zhengwen eval retrieval`.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from embeddings.tokens import terms
from embeddings.training.data import read_rows
from embeddings.training.rows import Rows, summed

NAMES = ("stard", "rgb", "drcd")


@dataclass(frozen=True, slots=True)
class DevSet:
    """Passages and questions as vocabulary rows."""

    name: str
    passages: Rows
    questions: Rows
    relevant: list[set[int]]


@dataclass(frozen=True, slots=True)
class DevScores:
    """Means over all questions of a dev set."""

    name: str
    hit_1: float
    recall_10: float
    rr_10: float

    def __str__(self) -> str:
        return f"{self.name} {self.hit_1:.3f} / {self.recall_10:.3f} / {self.rr_10:.3f}"


def load_dev_sets(data: Path, vocabulary: list[str]) -> list[DevSet]:
    """The dev sets of the folder; one that is missing is left out."""
    row = {term: i for i, term in enumerate(vocabulary)}
    sets = []
    for name in NAMES:
        queries = data / "dev" / f"{name}_queries.jsonl"
        passages = data / "dev" / f"{name}_passages.jsonl"
        if name == "stard":
            passages = data / "train" / "laws.jsonl.xz"
        if not (queries.is_file() and passages.is_file()):
            continue
        texts, number = [], {}
        for i, p in enumerate(read_rows(passages)):
            number[p["id"]] = i
            texts.append(f"{p.get('law', '')}{p.get('article', '')}\n{p['text']}")
        asked = list(read_rows(queries))
        relevant = [{number[i] for i in q["relevant"]} for q in asked]
        sets.append(
            DevSet(name, to_rows(texts, row), to_rows([q["query"] for q in asked], row), relevant)
        )
    return sets


def to_rows(texts: list[str], row: dict[str, int]) -> Rows:
    """Texts as rows of a known vocabulary; unknown terms fall out."""
    found = [[row[t] for t in terms(text) if t in row] for text in texts]
    starts = np.concatenate([[0], np.cumsum([len(f) for f in found])]).astype(np.int64)
    return Rows(np.array([r for f in found for r in f], np.int32), starts)


def score(table: npt.NDArray[np.float32], dev: DevSet, dim: int | None = None) -> DevScores:
    """Rank all passages for every question; `dim` cuts the vectors (Matryoshka)."""
    cut = np.ascontiguousarray(table[:, :dim])
    passages, questions = summed(cut, dev.passages), summed(cut, dev.questions)
    hits, recalls, reciprocals = [], [], []
    for i in range(0, len(questions), 256):
        scores = questions[i : i + 256] @ passages.T
        best = np.argpartition(-scores, min(10, scores.shape[1] - 1), axis=1)[:, :10]
        order = np.argsort(-np.take_along_axis(scores, best, 1), axis=1, kind="stable")
        for ranked, relevant in zip(
            np.take_along_axis(best, order, 1), dev.relevant[i : i + 256], strict=True
        ):
            found = [j for j, p in enumerate(ranked.tolist()) if p in relevant]
            hits.append(float(0 in found))
            recalls.append(len(found) / len(relevant))
            reciprocals.append(1 / (found[0] + 1) if found else 0.0)
    return DevScores(
        dev.name, float(np.mean(hits)), float(np.mean(recalls)), float(np.mean(reciprocals))
    )
