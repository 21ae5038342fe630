"""Texts in, rows of a vocabulary out: many short integer arrays in one long one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from embeddings.tokens import terms

IntArray = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Rows:
    """Texts as vocabulary rows; `rows[i]` is the i-th text."""

    flat: IntArray
    starts: npt.NDArray[np.int64]  # one more than there are texts

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, i: int) -> IntArray:
        return self.flat[self.starts[i] : self.starts[i + 1]]

    def span(self, first: int, last: int) -> IntArray:
        """Texts `first` to `last - 1` in one array."""
        return self.flat[self.starts[first] : self.starts[last]]


class Counter:
    """Numbers terms in the order of their first appearance and counts them."""

    def __init__(self) -> None:
        self._row: dict[str, int] = {}

    def rows(self, texts: Iterable[str]) -> Rows:
        """The terms of all texts."""
        parts: list[IntArray] = []
        starts = [0]
        row = self._row
        for text in texts:
            found = [row.setdefault(term, len(row)) for term in terms(text)]
            parts.append(np.array(found, np.int32))
            starts.append(starts[-1] + len(found))
        flat = np.concatenate(parts) if parts else np.zeros(0, np.int32)
        return Rows(flat, np.array(starts, np.int64))

    def vocabulary(
        self, texts: Sequence[Rows], *, size: int, min_count: int
    ) -> tuple[list[str], npt.NDArray[np.int64], IntArray]:
        """The most frequent terms, their counts, and the new row of every old one (-1: none)."""
        counts = np.zeros(len(self._row), np.int64)
        for rows in texts:
            counts += np.bincount(rows.flat, minlength=len(counts))
        # A stable sort keeps terms of equal count in the order of their appearance.
        order = np.argsort(-counts, kind="stable")[:size]
        order = order[counts[order] >= min_count]
        names = list(self._row)
        new_row = np.full(len(counts), -1, np.int32)
        new_row[order] = np.arange(len(order), dtype=np.int32)
        return [names[i] for i in order], counts[order], new_row


def renumbered(rows: Rows, new_row: IntArray) -> Rows:
    """The same texts under a new numbering, without the terms that have no row there."""
    flat = new_row[rows.flat]
    kept = flat >= 0
    before = np.concatenate([[0], np.cumsum(kept)])
    return Rows(flat[kept], before[rows.starts].astype(np.int64))


def summed(table: npt.NDArray[np.float32], rows: Rows) -> npt.NDArray[np.float32]:
    """Unit vectors `(n_texts, dim)` of texts under a table of term vectors."""
    out = np.zeros((len(rows), table.shape[1]), np.float32)
    filled = np.flatnonzero(np.diff(rows.starts))  # reduceat is wrong for empty rows
    for first in range(0, len(filled), 4096):
        some = filled[first : first + 4096]
        begin, end = rows.starts[some[0]], rows.starts[some[-1] + 1]
        out[some] = np.add.reduceat(table[rows.flat[begin:end]], rows.starts[some] - begin, axis=0)
    return np.asarray(out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-12))
