"""A question and sentences in, how surely each sentence holds the answer and in which words out.

A small convolutional network reads every word of a sentence with what it matches in the question,
after the document reader of Chen et al. 2017 (arXiv:1704.00051): its vector, the vector of the
question's words that it is near to (aligned by attention), its part of speech, its nearness. A
question is its words, pooled by a learnt attention. The word vectors are those of the built-in
model; the network was trained by `python -m eval.fit_reader` and needs numpy alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from embeddings.fold import fold
from embeddings.words import WordVectors
from rag.match import term_and_word_sets
from rag.questions import tagger

FILE = Path(str(files("rag") / "reader.safetensors"))
MAX_WORDS = 192  # of a sentence; what comes later is not read
WINDOW = 64  # words of a sentence that are scored together
MAX_QUESTION_WORDS = 24
SHARPNESS = 12.0  # of the attention that aligns a word with the question
_NOTHING = -20.0  # the logit of no words
EXACT = 0.999  # cosine of a word with itself
GAP = 2  # blank rows between sentences, half the width of a convolution
MAX_AROUND = 240  # different words of the text around a sentence

# Parts of speech that are told apart, as the dictionary names them; all others share one.
TAGS = (
    *("n", "v", "vn", "m", "nr", "ns", "nt", "nz", "t", "a", "q", "r", "j", "s", "f"),
    *("eng", "x", "d", "p", "u", "c"),
)
OTHER, QUOTE, MARK, PADDING = range(len(TAGS), len(TAGS) + 4)

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

_TAG_NUMBER = {tag: i for i, tag in enumerate(TAGS)}


@dataclass(frozen=True, slots=True)
class Words:
    """The words of a text with the numbers of their parts of speech."""

    words: tuple[str, ...]
    tags: IntArray
    starts: tuple[int, ...]  # of the words in the folded text


class Place(NamedTuple):
    """A sentence, and the text that it stands in, titles included."""

    text: str
    around: str


@lru_cache(maxsize=4_096)  # passages come up again and again
def read_words(text: str, limit: int = MAX_WORDS) -> Words:
    """Cut and tag a text."""
    words: list[str] = []
    tags: list[int] = []
    starts: list[int] = []
    at = 0
    for word, tag in tagger().tag(fold(text)):
        if word.strip() and len(words) < limit:
            words.append(str(word))
            tags.append(_number(str(word), str(tag)))
            starts.append(at)
        at += len(word)
    return Words(tuple(words), np.array(tags, np.int64), tuple(starts))


def around_words(text: str) -> list[str]:
    """The different words of the text around a sentence, in a settled order."""
    return sorted(term_and_word_sets(text)[1])[:MAX_AROUND]


def _number(word: str, tag: str) -> int:
    if any(char.isdigit() for char in word):
        return _TAG_NUMBER["m"]
    if word in '《》“”「」"':
        return QUOTE
    if word in "。,;、:!?()":
        return MARK
    return _TAG_NUMBER.get(tag, _TAG_NUMBER.get(tag[:1], OTHER))


class Reader:
    """Reads sentences; safe to use from many threads."""

    def __init__(self, vectors: WordVectors) -> None:
        self._vectors = vectors
        self._weights = _load()
        self._read: tuple[str, dict[Place, float]] = ("", {})

    def read(self, question: str, places: Sequence[Place]) -> FloatArray:
        """Score sentences `(n_places,)`: logits, comparable between sentences and questions."""
        # A question's passages are read when they are ranked and again when sentences are chosen.
        last, known = self._read
        if last != question:
            known = {}
        new = [place for place in dict.fromkeys(places) if place not in known]
        known = known | dict(zip(new, self._scores(question, new).tolist(), strict=True))
        self._read = (question, known)
        return np.array([known[place] for place in places], np.float32)

    def locate(self, question: str, place: Place, spans: Sequence[tuple[int, int]]) -> list[float]:
        """How surely each span of a sentence is the answer: the highest logit of its words."""
        read = read_words(place.text)
        if len(fold(place.text)) != len(place.text) or not read.words:
            return [0.0] * len(spans)  # offsets do not carry over
        (logits,), _ = self._logits(question, [place])
        within = [
            [
                float(logit)
                for start, word, logit in zip(read.starts, read.words, logits, strict=True)
                if start < b and start + len(word) > a
            ]
            for a, b in spans
        ]
        return [max(found, default=_NOTHING) for found in within]

    def _scores(self, question: str, places: Sequence[Place]) -> FloatArray:
        if not read_words(question, MAX_QUESTION_WORDS).words:
            return np.zeros(len(places), np.float32)
        words, covers = self._logits(question, places)
        found = [
            _best_window(own) + cover if len(own) else _NOTHING
            for own, cover in zip(words, covers, strict=True)
        ]
        return np.array(found, np.float32)

    def _logits(
        self, question: str, places: Sequence[Place]
    ) -> tuple[list[FloatArray], list[float]]:
        """For every sentence a logit for each word, and one for how it covers the question."""
        asked = read_words(question, MAX_QUESTION_WORDS)
        found = [read_words(place.text) for place in places]
        if not asked.words or not any(one.words for one in found):
            return [np.zeros(len(one.words), np.float32) for one in found], [0.0] * len(found)
        w = self._weights
        query = self._rows(asked.words)
        projected = np.tanh(query @ w["proj.weight"].T + w["proj.bias"])
        hidden = self._question(projected, asked.tags)
        pooled = _softmax(hidden @ w["qatt.weight"][0]) @ hidden
        vectors, tags, mask, starts = self._laid_out(found)
        spans = [slice(a, a + len(one.words)) for a, one in zip(starts, found, strict=True)]
        cosines = vectors @ query.T
        own = np.tanh(vectors @ w["proj.weight"].T + w["proj.bias"])
        near = self._near(places, query)
        cover = self._covered(projected, hidden, [(cosines[s], own[s]) for s in spans], near)
        nearest = np.clip(cosines.max(axis=1), 0, 1)
        aligned = _softmax(SHARPNESS * cosines) @ projected
        flags = np.stack([nearest, nearest > EXACT, np.ones_like(nearest)], axis=1)
        columns = [own, aligned, own * aligned, w["tag.weight"][tags], flags]
        rows = np.concatenate(columns, axis=1).astype(np.float32) * mask
        rows = _convolved(rows, w["c1.weight"], w["c1.bias"]) * mask
        for layer in ("c2", "c3"):
            rows = _convolved(rows, w[f"{layer}.weight"], w[f"{layer}.bias"]) * mask + rows
        sought = w["u.weight"][0] + w["b.weight"] @ pooled + cover @ w["c.weight"].T
        words = [
            np.asarray(rows[span] @ own_sought + w["u.bias"][0])
            for span, own_sought in zip(spans, sought, strict=True)
        ]
        return words, (cover @ w["v.weight"][0]).tolist()

    def _covered(
        self,
        projected: FloatArray,
        hidden: FloatArray,
        sentences: Sequence[tuple[FloatArray, FloatArray]],
        near: FloatArray,
    ) -> FloatArray:
        """What becomes of the question's words in every sentence: `(n_sentences, n_features)`.

        A sentence is given as its words' cosines with the question's and their projected vectors,
        `near` as the nearness of each of the question's words to the text around the sentence.
        """
        w = self._weights
        n_words = len(projected)
        inside = np.zeros((len(sentences), n_words), np.float32)
        aligned = np.zeros((len(sentences), *projected.shape), np.float32)
        for i, (cosines, own) in enumerate(sentences):
            if len(own):
                inside[i] = np.clip(cosines.max(axis=0), 0, 1)
                aligned[i] = _softmax(SHARPNESS * cosines.T) @ own
        flags = np.stack([inside, inside > EXACT, near, near > EXACT], axis=2)
        told = np.broadcast_to(hidden, (len(sentences), *hidden.shape))
        columns = np.concatenate([told, aligned, aligned * projected, flags], axis=2)
        compared = np.maximum(columns @ w["cmp.weight"].T + w["cmp.bias"], 0)
        share = _softmax(hidden @ w["catt.weight"][0])
        both = np.concatenate([share @ compared, compared.max(axis=1)], axis=1)
        return np.asarray(np.maximum(both @ w["agg.weight"].T + w["agg.bias"], 0), np.float32)

    def _near(self, places: Sequence[Place], query: FloatArray) -> FloatArray:
        """How near each of the question's words is to a word of the text around every sentence."""
        known: dict[str, FloatArray] = {}
        for around in {place.around for place in places}:
            words = around_words(around)
            rows = self._rows(words) if words else np.zeros((1, query.shape[1]), np.float32)
            known[around] = np.clip((rows @ query.T).max(axis=0), 0, 1)
        return np.stack([known[place.around] for place in places])

    def _laid_out(
        self, found: Sequence[Words]
    ) -> tuple[FloatArray, IntArray, FloatArray, list[int]]:
        """All sentences one after another, with blank rows between that keep them apart."""
        n_rows = sum(len(one.words) + GAP for one in found)
        vectors = np.zeros((n_rows, self._vectors.table.shape[1]), np.float32)
        tags = np.full(n_rows, PADDING)
        mask = np.zeros((n_rows, 1), np.float32)
        flat = self._rows([word for one in found for word in one.words])
        starts, at, taken = [], 0, 0
        for one in found:
            n = len(one.words)
            starts.append(at)
            vectors[at : at + n] = flat[taken : taken + n]
            tags[at : at + n] = one.tags
            mask[at : at + n] = 1
            at, taken = at + n + GAP, taken + n
        return vectors, tags, mask, starts

    def _question(self, projected: FloatArray, tags: IntArray) -> FloatArray:
        w = self._weights
        inputs = np.concatenate([projected, w["tag.weight"][tags]], axis=1)
        return _convolved(inputs, w["qconv.weight"], w["qconv.bias"])

    def _rows(self, words: Sequence[str]) -> FloatArray:
        rows = self._vectors.rows(words)
        return self._vectors.table[rows]


def _convolved(x: FloatArray, weight: FloatArray, bias: FloatArray) -> FloatArray:
    """A convolution over rows with its ReLU; `weight` is `(n_out, n_in, width)`."""
    width = weight.shape[2]
    padded = np.pad(x, ((width // 2, width // 2), (0, 0)))
    total = sum(padded[i : i + len(x)] @ weight[:, :, i].T for i in range(width)) + bias
    return np.maximum(total, 0)


def _softmax(x: FloatArray) -> FloatArray:
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def _log_sum_exp(x: FloatArray) -> float:
    top = float(x.max())
    return top + float(np.log(np.exp(x - top).sum()))


def _best_window(x: FloatArray) -> float:
    """The score of the best words that stand together: a sentence gains nothing by its length."""
    last = max(len(x) - WINDOW, 0)
    starts = [*range(0, last, WINDOW // 2), last]
    return max(_log_sum_exp(x[a : a + WINDOW]) for a in starts)


@cache
def _load() -> dict[str, FloatArray]:
    from safetensors.numpy import load

    return {name: rows.astype(np.float32) for name, rows in load(FILE.read_bytes()).items()}
