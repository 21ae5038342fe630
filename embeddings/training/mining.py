"""Questions and passages in, hard negatives out: what ranks high and does not answer.

Half of them come from the model as it is at that moment, half from BM25 (Robertson and Zaragoza
2009, k1 1.2, b 0.75), which errs in other ways.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from embeddings.training.rows import IntArray, Rows, summed

K1, B = 1.2, 0.75
_BATCH = 256  # questions


class Miner:
    """Finds hard negatives among the passages for fixed questions."""

    def __init__(
        self, questions: Rows, passages: Rows, answers: Sequence[Sequence[int]], n_terms: int
    ) -> None:
        self._questions = questions
        self._passages = passages
        self._answers = answers
        self._lexical = bm25_top(questions, passages, answers, n_terms)

    def mine(self, table: npt.NDArray[np.float32], n: int) -> npt.NDArray[np.int64]:
        """Passages `(n_questions, n + n_lexical)` that do not answer, under the table of terms."""
        documents = summed(table, self._passages)
        questions = summed(table, self._questions)
        best = [
            _top(questions[i : i + _BATCH] @ documents.T, self._answers[i : i + _BATCH], n)
            for i in range(0, len(questions), _BATCH)
        ]
        return np.concatenate([np.concatenate(best), self._lexical], axis=1)


def bm25_top(
    questions: Rows,
    passages: Rows,
    answers: Sequence[Sequence[int]],
    n_terms: int,
    n: int = 50,
) -> npt.NDArray[np.int64]:
    """The passages `(n_questions, n)` that BM25 ranks highest among those that do not answer."""
    from scipy.sparse import csr_matrix

    def matrix(rows: Rows) -> "csr_matrix":
        ones = np.ones(len(rows.flat), np.float32)
        # A copy, because summing duplicates sorts and shortens the indices in place.
        shape = (len(rows), n_terms)
        found = csr_matrix((ones, rows.flat, rows.starts), shape=shape, copy=True)
        found.sum_duplicates()
        return found

    weights = matrix(passages)
    frequency = np.bincount(weights.indices, minlength=n_terms)
    idf = np.log1p((len(passages) - frequency + 0.5) / (frequency + 0.5)).astype(np.float32)
    lengths = np.diff(passages.starts)
    norm = K1 * (1 - B + B * lengths / max(lengths.mean(), 1e-9))
    per_row = np.repeat(norm, np.diff(weights.indptr)).astype(np.float32)
    weights.data = weights.data * (K1 + 1) / (weights.data + per_row) * idf[weights.indices]
    asked = matrix(questions)
    best = []
    for i in range(0, len(questions), _BATCH):
        scores = (asked[i : i + _BATCH] @ weights.T).toarray()
        best.append(_top(scores, answers[i : i + _BATCH], min(n, len(passages) - 1)))
    return np.concatenate(best)


def _top(
    scores: npt.NDArray[np.float32], answers: Sequence[Sequence[int]], n: int
) -> npt.NDArray[np.int64]:
    for row, relevant in zip(scores, answers, strict=True):
        row[list(relevant)] = -np.inf
    n = min(n, scores.shape[1] - 1)
    return np.argpartition(-scores, n, axis=1)[:, :n].astype(np.int64)


def draw(negatives: IntArray | npt.NDArray[np.int64], n: int, seed: int) -> npt.NDArray[np.int64]:
    """`n` of one question's negatives, by chance."""
    rng = np.random.default_rng([seed, 7])
    return np.asarray(rng.choice(negatives, size=n, replace=len(negatives) < n), np.int64)
