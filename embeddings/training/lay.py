"""Lay and official words of the same meaning in, questions in lay words out, as vocabulary rows.

Texts of news and laws hold next to nothing in the words of people who ask, so sentences are put
into such words: where a sentence holds an official expression, one of its lay counterparts takes
its place. The passage that the sentence comes from stays as it is and must be found all the same.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from embeddings.tokens import lay_words, terms
from embeddings.training.rows import IntArray, Rows

REPLACED = 0.8  # share of the official expressions that give way; the others stay
DROPOUT = (0.3, 0.8)  # share of the other terms of a sentence that is left out, from and to


@dataclass(frozen=True, slots=True)
class Meaning:
    """Expressions that mean about the same, as vocabulary rows."""

    lay: tuple[IntArray, ...]
    official: tuple[IntArray, ...]


def load_meanings(vocabulary: Sequence[str]) -> list[Meaning]:
    """The lines of `lay_words.tsv`, without those of which the vocabulary knows one side only."""
    row = {term: i for i, term in enumerate(vocabulary)}
    lines = [(_known(lay, row), _known(official, row)) for lay, official in lay_words()]
    return [Meaning(lay, official) for lay, official in lines if lay and official]


def _known(expressions: Sequence[str], row: Mapping[str, int]) -> tuple[IntArray, ...]:
    found = [[row[term] for term in terms(e) if term in row] for e in expressions if len(e) > 1]
    return tuple(np.array(rows, np.int32) for rows in found if rows)


class Rewording:
    """Puts sentences into lay words; `sentences` are all that there are to choose from."""

    def __init__(self, meanings: Sequence[Meaning], sentences: Rows) -> None:
        self._meanings = meanings
        self._sentences = sentences
        # An expression is looked for by its first row, which is its first word.
        self._by_first: dict[int, list[tuple[frozenset[int], int]]] = defaultdict(list)
        for number, meaning in enumerate(meanings):
            for rows in meaning.official:
                self._by_first[int(rows[0])].append((frozenset(rows.tolist()), number))
        for found in self._by_first.values():
            found.sort(key=lambda pair: -len(pair[0]))  # the longest expression wins
        self._holding = self._find()

    def __len__(self) -> int:
        return len(self._meanings)

    def choose(self, meaning: int, rng: np.random.Generator) -> int:
        """A sentence that may hold an official expression of a meaning; any if there is none."""
        found = self._holding[meaning]
        if not len(found):
            return int(rng.integers(len(self._sentences)))
        return int(found[rng.integers(len(found))])

    def reworded(self, sentence: IntArray, rng: np.random.Generator) -> IntArray:
        """Some terms of the sentence, and lay words for its official expressions."""
        present = set(sentence.tolist())
        gone: set[int] = set()
        added: list[IntArray] = []
        for first in sentence.tolist():
            for rows, number in self._by_first.get(first, ()):
                if rows <= present and not rows & gone:
                    if rng.random() < REPLACED:
                        gone |= rows
                        lay = self._meanings[number].lay
                        added.append(lay[int(rng.integers(len(lay)))])
                    break
        kept = np.array([row for row in sentence.tolist() if row not in gone], np.int32)
        # People ask with fewer words than texts have.
        kept = kept[rng.random(len(kept)) > rng.uniform(*DROPOUT)]
        return np.concatenate([kept, *added])

    def _find(self) -> list[npt.NDArray[np.int64]]:
        """For every meaning the sentences that hold the first word of an official expression."""
        flat, starts = self._sentences.flat, self._sentences.starts
        sought = np.zeros(int(flat.max(initial=0)) + 1, bool)
        sought[[row for row in self._by_first if row < len(sought)]] = True
        at = np.flatnonzero(sought[flat])
        of_sentence = np.searchsorted(starts, at, side="right") - 1
        order = np.argsort(flat[at], kind="stable")
        words = flat[at][order]
        found = []
        for meaning in self._meanings:
            parts = []
            for rows in meaning.official:
                begin, end = np.searchsorted(words, [rows[0], rows[0] + 1])
                parts.append(of_sentence[order[begin:end]])
            found.append(np.unique(np.concatenate(parts)))
        return found
