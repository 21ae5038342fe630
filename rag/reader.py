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

import numpy as np
import numpy.typing as npt

from embeddings.fold import fold
from embeddings.words import WordVectors
from rag.questions import tagger

FILE = Path(str(files("rag") / "reader.safetensors"))
MAX_WORDS = 64  # of a sentence; what comes later is not read
MAX_QUESTION_WORDS = 24
SHARPNESS = 12.0  # of the attention that aligns a word with the question
_NOTHING = -20.0  # the logit of no words
EXACT = 0.999  # cosine of a word with itself

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
        self._read: tuple[str, dict[str, float]] = ("", {})

    def read(self, question: str, texts: Sequence[str]) -> FloatArray:
        """Score sentences `(n_texts,)`: logits, comparable between sentences and questions."""
        # A question's passages are read when they are ranked and again when sentences are chosen.
        last, known = self._read
        if last != question:
            known = {}
        new = [text for text in dict.fromkeys(texts) if text not in known]
        known = known | dict(zip(new, self._scores(question, new).tolist(), strict=True))
        self._read = (question, known)
        return np.array([known[text] for text in texts], np.float32)

    def locate(self, question: str, text: str, spans: Sequence[tuple[int, int]]) -> list[float]:
        """How surely each span of a sentence is the answer: the highest logit of its words."""
        read = read_words(text)
        if len(fold(text)) != len(text) or not read.words:  # places do not carry over
            return [0.0] * len(spans)
        (logits,) = self._logits(question, [text])
        within = [
            [
                float(logit)
                for start, word, logit in zip(read.starts, read.words, logits, strict=True)
                if start < b and start + len(word) > a
            ]
            for a, b in spans
        ]
        return [max(found, default=_NOTHING) for found in within]

    def _scores(self, question: str, texts: Sequence[str]) -> FloatArray:
        if not read_words(question, MAX_QUESTION_WORDS).words:
            return np.zeros(len(texts), np.float32)
        logits = self._logits(question, texts)
        return np.array([_log_sum_exp(own) if len(own) else _NOTHING for own in logits], np.float32)

    def _logits(self, question: str, texts: Sequence[str]) -> list[FloatArray]:
        """For every text a logit for each of its words to belong to the answer."""
        asked = read_words(question, MAX_QUESTION_WORDS)
        found = [read_words(text) for text in texts]
        if not asked.words or not any(one.words for one in found):
            return [np.zeros(len(one.words), np.float32) for one in found]
        w = self._weights
        vectors, tags, mask, starts = self._laid_out(found)
        query = self._rows(asked.words)
        projected = np.tanh(query @ w["proj.weight"].T + w["proj.bias"])
        pooled = self._question(projected, asked.tags)
        cosines = vectors @ query.T
        nearest = np.clip(cosines.max(axis=1), 0, 1)
        own = np.tanh(vectors @ w["proj.weight"].T + w["proj.bias"])
        aligned = _softmax(SHARPNESS * cosines) @ projected
        columns = [own, aligned, own * aligned, w["tag.weight"][tags]]
        flags = np.stack([nearest, nearest > EXACT, np.ones_like(nearest)], axis=1)
        inputs = np.concatenate([*columns, flags], axis=1).astype(np.float32) * mask
        first = _convolved(inputs, w["c1.weight"], w["c1.bias"]) * mask
        hidden = _convolved(first, w["c2.weight"], w["c2.bias"]) * mask + first
        logits = hidden @ (w["u.weight"][0] + w["b.weight"] @ pooled) + w["u.bias"][0]
        ends = [a + len(one.words) for a, one in zip(starts, found, strict=True)]
        return [logits[a:b] for a, b in zip(starts, ends, strict=True)]

    def _laid_out(
        self, found: Sequence[Words]
    ) -> tuple[FloatArray, IntArray, FloatArray, list[int]]:
        """All sentences one after another, with blank rows between that keep them apart."""
        gap = self._weights["c1.weight"].shape[2] // 2
        n_rows = sum(len(one.words) + gap for one in found)
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
            at, taken = at + n + gap, taken + n
        return vectors, tags, mask, starts

    def _question(self, projected: FloatArray, tags: IntArray) -> FloatArray:
        w = self._weights
        inputs = np.concatenate([projected, w["tag.weight"][tags]], axis=1)
        hidden = _convolved(inputs, w["qconv.weight"], w["qconv.bias"])
        share = _softmax(hidden @ w["qatt.weight"][0])
        return np.asarray(share @ hidden, np.float32)

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


@cache
def _load() -> dict[str, FloatArray]:
    from safetensors.numpy import load

    return {name: rows.astype(np.float32) for name, rows in load(FILE.read_bytes()).items()}
