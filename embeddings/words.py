"""Words in, their vectors out, remembered: for matching a question word by word.

The built-in table serves here whatever model encodes the passages, because a word's vector costs
it microseconds.
"""

from collections.abc import Sequence
from threading import Lock

import numpy as np

from embeddings.encoder import Encoder, FloatArray

_CAPACITY = 60_000  # words that are remembered, 60 MB at 256 dimensions


class WordVectors:
    """Vectors of words, unit length, safe to use from many threads."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._row: dict[str, int] = {}
        self._table: FloatArray = np.zeros((1024, encoder.dim), np.float32)
        self._lock = Lock()

    @property
    def dim(self) -> int:
        """How many numbers a vector has."""
        return self._encoder.dim

    def vectors(self, words: Sequence[str]) -> FloatArray:
        """The words' vectors `(n_words, dim)`."""
        with self._lock:
            if len(self._row) > _CAPACITY:
                self._row.clear()
            rows = [*map(self._row.get, words)]
            if None in rows:
                self._learn([word for word in dict.fromkeys(words) if word not in self._row])
                rows = [*map(self._row.get, words)]
            # A copy: the table may be filled anew with other words.
            return self._table[np.array(rows, np.int64)]

    def _learn(self, new: Sequence[str]) -> None:
        first = len(self._row)
        self._reserve(first + len(new))
        self._table[first : first + len(new)] = self._encoder.encode_document(new)
        self._row.update((word, first + i) for i, word in enumerate(new))

    def _reserve(self, size: int) -> None:
        if size > len(self._table):
            grown = np.zeros((2 * size, self._table.shape[1]), np.float32)
            grown[: len(self._table)] = self._table
            self._table = grown
