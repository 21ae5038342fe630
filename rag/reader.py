"""A question and sentences in, how surely each sentence holds the answer and in which words out.

A small convolutional network reads every word of a sentence with what it matches in the question,
after the document reader of Chen et al. 2017 (arXiv:1704.00051): its vector, the vector of the
question's words that it is near to (aligned by attention), its part of speech, its nearness. Beside
that it looks at every word of the question: how near a stretch of the sentence comes to it, by the
vectors themselves and by phrases matched in a learnt space (Dai et al. 2018, Conv-KNRM). A long
sentence counts as its best stretch. Several networks are averaged. The word vectors are those of
the built-in model; the networks were trained by `python -m eval.fit_reader` and need numpy alone.
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
from rag.tagging import tagged

FILE = Path(str(files("rag") / "reader.safetensors"))
MAX_WORDS = 192  # of a sentence; what comes later is not read
WINDOW, STEP = 24, 8  # words of a stretch that is scored as a whole; where the next one begins
MAX_QUESTION_WORDS = 24
SHARPNESS = 12.0  # of the attention that aligns a word with the question
_NOTHING = -20.0  # the score of no words
_NEVER = -1e4
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
Network = dict[str, FloatArray]  # weights by their names

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
    for word, tag in tagged(fold(text)):
        if word.strip() and len(words) < limit:
            words.append(word)
            tags.append(_number(word, tag))
            starts.append(at)
        at += len(word)
    return Words(tuple(words), np.array(tags, np.int64), tuple(starts))


def around_words(text: str) -> list[str]:
    """The different words of the text around a sentence, in a settled order."""
    return sorted(term_and_word_sets(text)[1])[:MAX_AROUND]


@lru_cache(maxsize=65_536)
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
        self._networks = networks()
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
        asked = read_words(question, MAX_QUESTION_WORDS)
        if len(fold(place.text)) != len(place.text) or not read.words or not asked.words:
            return [0.0] * len(spans)  # offsets do not carry over
        laid = self._laid_out(question, [place])
        found = np.mean([_logits(network, laid)[0] for network in self._networks], axis=0)
        rows = np.full(len(laid.mask), _NEVER)
        np.maximum.at(rows, laid.inside, found)  # a word counts as in its best window
        logits = rows[: len(read.words)]
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
        scores = np.full(len(places), _NOTHING, np.float32)
        read = [i for i, place in enumerate(places) if read_words(place.text).words]
        if read:
            laid = self._laid_out(question, [places[i] for i in read])
            found = [_scores(network, laid) for network in self._networks]
            scores[read] = np.mean(found, axis=0)
        return scores

    def _laid_out(self, question: str, places: Sequence[Place]) -> "_Laid":
        """All sentences one after another, with blank rows between that keep them apart."""
        asked = read_words(question, MAX_QUESTION_WORDS)
        found = [read_words(place.text) for place in places]
        lengths = np.array([len(one.words) for one in found])
        first = np.cumsum(lengths + GAP) - lengths - GAP
        n_rows = int(first[-1] + lengths[-1]) + GAP
        vectors = np.zeros((n_rows, self._vectors.dim), np.float32)
        tags = np.full(n_rows, PADDING)
        mask = np.zeros((n_rows, 1), np.float32)
        rows = np.concatenate([np.arange(a, a + n) for a, n in zip(first, lengths, strict=True)])
        vectors[rows] = self._vectors.vectors([word for one in found for word in one.words])
        tags[rows] = np.concatenate([one.tags for one in found])
        mask[rows] = 1
        n_windows = 1 + np.maximum(lengths - WINDOW + STEP - 1, 0) // STEP
        first_window = np.cumsum(n_windows) - n_windows
        sentence = np.repeat(np.arange(len(found)), n_windows)
        begin = first[sentence] + STEP * (np.arange(len(sentence)) - first_window[sentence])
        end = np.minimum(begin + WINDOW, (first + lengths)[sentence])
        inside = begin[:, None] + np.arange(WINDOW)
        query = self._vectors.vectors(asked.words)
        return _Laid(
            query=query,
            query_tags=asked.tags,
            vectors=vectors,
            tags=tags,
            mask=mask,
            cosines=vectors @ query.T,
            near=self._near(places, query),
            sentence=sentence,
            first_window=first_window,
            bounds=np.stack([begin, end], axis=1).ravel(),
            inside=np.minimum(inside, n_rows - 1),
            in_window=inside < end[:, None],
        )

    def _near(self, places: Sequence[Place], query: FloatArray) -> FloatArray:
        """How near each of the question's words is to a word of the text around every sentence."""
        known: dict[str, FloatArray] = {}
        for around in {place.around for place in places}:
            rows = self._vectors.vectors(around_words(around))
            known[around] = np.clip((rows @ query.T).max(axis=0, initial=0), 0, 1)
        return np.stack([known[place.around] for place in places])


@dataclass(frozen=True, slots=True)
class _Laid:
    """A question and its sentences as numbers; blank rows keep the sentences apart."""

    query: FloatArray  # (n_words, dim)
    query_tags: IntArray
    vectors: FloatArray  # (n_rows, dim)
    tags: IntArray
    mask: FloatArray  # (n_rows, 1)
    cosines: FloatArray  # (n_rows, n_words)
    near: FloatArray  # (n_sentences, n_words), to the text around the sentence
    sentence: IntArray  # (n_windows,), that the window is of
    first_window: IntArray  # (n_sentences,)
    bounds: IntArray  # (2 * n_windows,), first row of each window and the one after its last
    inside: IntArray  # (n_windows, WINDOW), its rows
    in_window: npt.NDArray[np.bool_]  # (n_windows, WINDOW), which of them it has


def _scores(w: Network, laid: _Laid) -> FloatArray:
    """Scores of the sentences `(n_sentences,)`: those of their best windows."""
    logits, cover = _logits(w, laid)
    scores = _log_sum_exp(logits) + cover @ w["v.weight"][0]
    return np.asarray(np.maximum.reduceat(scores, laid.first_window))


def _logits(w: Network, laid: _Laid) -> tuple[FloatArray, FloatArray]:
    """Logits of the words to be of the answer `(n_windows, WINDOW)`, and `_covered`."""
    projected = np.tanh(laid.query @ w["proj.weight"].T + w["proj.bias"])
    inputs = np.concatenate([projected, w["tag.weight"][laid.query_tags]], axis=1)
    asked = _convolved(inputs, w["qconv.weight"], w["qconv.bias"])
    own = np.tanh(laid.vectors @ w["proj.weight"].T + w["proj.bias"]) * laid.mask
    tags = w["tag.weight"][laid.tags] * laid.mask
    cover = _covered(w, projected, asked, own, tags, laid)
    nearest = np.clip(laid.cosines.max(axis=1), 0, 1)
    aligned = _softmax(SHARPNESS * laid.cosines) @ projected
    flags = np.stack([nearest, nearest > EXACT, np.ones_like(nearest)], axis=1)
    columns = [own, aligned, own * aligned, tags, flags]
    rows = np.concatenate(columns, axis=1, dtype=np.float32) * laid.mask
    rows = _convolved(rows, w["c1.weight"], w["c1.bias"]) * laid.mask
    for layer in ("c2", "c3"):
        rows = _convolved(rows, w[f"{layer}.weight"], w[f"{layer}.bias"]) * laid.mask + rows
    pooled = _softmax(asked @ w["qatt.weight"][0]) @ asked
    words = rows @ (w["u.weight"][0] + w["b.weight"] @ pooled) + w["u.bias"][0]
    at = laid.inside
    sought = cover @ w["c.weight"].T
    logits = words[at] + (rows[at] @ sought[:, :, None])[:, :, 0]
    return np.where(laid.in_window, logits, _NEVER), cover


def _covered(
    w: Network,
    projected: FloatArray,
    asked: FloatArray,
    own: FloatArray,
    tags: FloatArray,
    laid: _Laid,
) -> FloatArray:
    """What becomes of the question's words in every window: `(n_windows, n_features)`."""
    rows = np.concatenate([own, tags], axis=1)
    found = _convolved(rows, w["sconv.weight"], w["sconv.bias"])
    sought = _unit(np.concatenate([asked, projected], axis=1) @ w["mq.weight"].T + w["mq.bias"])
    found = _unit(np.concatenate([found, own], axis=1) @ w["ms.weight"].T + w["ms.bias"])
    near = [_highest(laid.cosines, laid), _highest(found @ sought.T, laid)]
    whole = [np.maximum.reduceat(x, laid.first_window)[laid.sentence] for x in near]
    near[0], whole[0] = np.clip(near[0], 0, 1), np.clip(whole[0], 0, 1)
    around = laid.near[laid.sentence]
    flags = [near[0], near[0] > EXACT, near[1], *whole, whole[0] > EXACT, around, around > EXACT]
    of_words = asked @ w["cq.weight"].T + w["cq.bias"]
    compared = np.maximum(of_words + np.stack(flags, axis=2) @ w["cf.weight"].T, 0)
    share = _softmax(asked @ w["catt.weight"][0])
    both = np.concatenate([share @ compared, compared.max(axis=1)], axis=1)
    return np.asarray(np.maximum(both @ w["agg.weight"].T + w["agg.bias"], 0), np.float32)


def _highest(x: FloatArray, laid: _Laid) -> FloatArray:
    """The highest of the rows of every window."""
    return np.asarray(np.maximum.reduceat(x, laid.bounds)[::2])


def _unit(x: FloatArray) -> FloatArray:
    return np.asarray(x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12))


def _convolved(x: FloatArray, weight: FloatArray, bias: FloatArray) -> FloatArray:
    """A convolution over rows with its ReLU; `weight` is `(n_out, n_in, width)`."""
    middle = weight.shape[2] // 2
    total = x @ weight[:, :, middle].T + bias
    for i in range(1, middle + 1):  # rows before and after
        total[i:] += x[:-i] @ weight[:, :, middle - i].T
        total[:-i] += x[i:] @ weight[:, :, middle + i].T
    return np.asarray(np.maximum(total, 0))


def _softmax(x: FloatArray) -> FloatArray:
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def _log_sum_exp(x: FloatArray) -> FloatArray:
    top = x.max(axis=-1, keepdims=True)
    return np.asarray(top[..., 0] + np.log(np.exp(x - top).sum(axis=-1)))


@cache
def networks() -> tuple[Network, ...]:
    """The networks of the file; the weights of each begin with its number."""
    from safetensors.numpy import load

    found: dict[str, Network] = {}
    for name, rows in load(FILE.read_bytes()).items():
        number, weight = name.split(".", 1)
        found.setdefault(number, {})[weight] = rows.astype(np.float32)
    return tuple(found.values())
