"""A question and texts in, how much of the question each text covers out."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from math import fsum

import numpy as np
import numpy.typing as npt

from corpus.types import Chunk
from embeddings.fold import fold
from embeddings.tokens import CHAR_MARK, terms, words
from embeddings.words import WordVectors

Weight = Callable[[str], float]  # of a term: its inverse document frequency
Array = npt.NDArray[np.float64]

CHAR_SHARE = 0.3  # of the weight of a word
CONTEXT_SHARE = 0.4  # of the weight of a word of the question itself


class Matcher:
    """What of one question is looked for; made once a question.

    The words of `context`, the question before it, count less.
    """

    def __init__(self, topic: str, weight: Weight, vectors: WordVectors, context: str = "") -> None:
        self.folded = fold(topic).replace(" ", "")
        shares = dict.fromkeys(terms(context), CONTEXT_SHARE) | dict.fromkeys(terms(topic), 1.0)
        self._weights = {
            t: weight(t) * share * (CHAR_SHARE if t.startswith(CHAR_MARK) else 1.0)
            for t, share in shares.items()
        }
        self.total = fsum(self._weights.values())  # long and rare questions have much
        self._vectors = vectors
        wanted = list(dict.fromkeys([*words(fold(topic)), *words(fold(context))]))
        self._wanted = wanted
        self._wanted_weights = np.array([weight(word) * shares[word] for word in wanted])
        self._wanted_vectors = vectors.vectors(wanted)

    def coverage(self, text_terms: frozenset[str]) -> float:
        """Weighted share of the question's terms among those of a text, 0 to 1."""
        if not self._weights:
            return 0.0
        # The order of a set changes from run to run, an exact sum does not.
        return fsum(self._weights[term] for term in self._weights.keys() & text_terms) / self.total

    def nearness(self, text_words: Sequence[frozenset[str]]) -> Array:
        """Nearness `(n_texts, n_words)` of the question's words to the words of each text.

        The nearness of a question word is its highest cosine with a word of the text, as in
        late-interaction models (Khattab and Zaharia 2020, arXiv:2004.12832).
        """
        out = np.zeros((len(text_words), len(self._wanted)))
        vocabulary = sorted(frozenset().union(*text_words))
        if not self._wanted or not vocabulary:
            return out
        near = np.clip(self._wanted_vectors @ self._vectors.vectors(vocabulary).T, 0, 1)
        column = {word: i for i, word in enumerate(vocabulary)}
        for i, word in enumerate(self._wanted):
            if word in column:  # near to itself even if the model does not know it
                near[i, column[word]] = 1.0
        some = [i for i, present in enumerate(text_words) if present]
        lengths = np.array([len(text_words[i]) for i in some], np.int64)
        at = [column[word] for i in some for word in text_words[i]]
        first = np.cumsum(lengths) - lengths
        out[some] = np.maximum.reduceat(near[:, at], first, axis=1).T
        return out

    def soft_coverage(self, nearness: Array) -> Array:
        """For every text the weighted share of the question's words with a near word in it."""
        total = self._wanted_weights.sum() or 1.0
        return np.asarray(nearness @ self._wanted_weights / total)

    def missing(self, nearness: Array) -> Array:
        """For every text the share of the question that its farthest single word makes up."""
        if not self._wanted:
            return np.zeros(len(nearness))
        total = self._wanted_weights.sum() or 1.0
        return np.asarray(((1 - nearness) * self._wanted_weights).max(axis=1) / total)

    def word_nearness(self, word: str, text_words: frozenset[str]) -> float:
        """How near one word is to the nearest word of a text, 0 to 1."""
        parts = words(fold(word)) or [fold(word)]
        if not text_words or not word:
            return 1.0
        if any(part in text_words for part in parts):
            return 1.0
        near = self._vectors.vectors(parts) @ self._vectors.vectors([*text_words]).T
        return float(np.clip(near.max(), 0, 1))

    def overlap(self, text: str) -> float:
        """Longest common substring, as a share of the question."""
        return common_substring(self.folded, fold(text)) / max(len(self.folded), 1)


def common_substring(a: str, b: str) -> int:
    """Length of the longest common substring of two texts, the first one short."""
    best = 0
    for i in range(len(a)):
        # A longer one can only begin where the present best length matches.
        while i + best < len(a) and a[i : i + best + 1] in b:
            best += 1
    return best


def titled(chunk: Chunk) -> str:
    """A passage with the place and the titles that it stands under and other names of things."""
    return f"{chunk.place} {chunk.heading} {chunk.body}"


@lru_cache(maxsize=2_048)  # passages come up again and again; about 50 MB when full
def term_and_word_sets(text: str) -> tuple[frozenset[str], frozenset[str]]:
    """The terms and, among them, the words of a text."""
    all_terms = frozenset(terms(text))
    return all_terms, frozenset(t for t in all_terms if not t.startswith(CHAR_MARK))
