"""Hits in, the sentences that may answer out, scored.

A sentence is judged by what of the question it covers, word for word and by the nearest word
(rare words count more), by how near it is as a whole in the embedding space, by whether it holds
the kind of answer asked for (a number with the unit, a date, a name), and by how well its chunk
was found (`rag.reread` looks at the sentences for that); then the best are compared with each
other (`rag.choice`). The weights were fitted by `python -m eval.fit`.
"""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from corpus.sentences import sentence_spans
from embeddings.encoder import Encoder
from rag.choice import chosen
from rag.followup import joined
from rag.instructions import orders
from rag.linear import fitted
from rag.match import CONTEXT_SHARE, Array, Matcher, term_and_word_sets, titled
from rag.places import speaks_of
from rag.questions import Intent
from rag.reader import Place, Reader
from rag.types import Hit
from rag.wanted import answer_kind, lists_as_many, things_asked_for

FILE = Path(str(files("rag") / "choice.safetensors"))
MAX_CANDIDATES = 400  # sentences that are looked at
NO_NEIGHBOUR = -6.0  # stands for what the reader says of a sentence that there is not
REACH = 2.5  # score by which a sentence with the wanted kind of answer may trail

Scope = Callable[[Hit], str]  # the text of the case, or document, that a hit lies in

OF_HIT = (
    "chunk",  # its score
    "rank",  # 1 / its rank
)
OF_SENTENCE = (
    "own",  # weighted share of the question's terms in the sentence
    "context",  # the same in sentence, chunk and titles
    "cosine",  # of question and sentence
    "cosine_context",  # of question and titles + sentence
    "wanted",  # 1: holds the kind of answer asked for, -1: does not, 0: none asked for
    "unit",  # 1: a number of the kind that the question wants, 0.5: it may be, -1: none of it
    "overlap",  # longest common substring, share of the question
    "title",  # 1: the bare title of an item rather than what it says
    "length",  # log of its length
    "soft",  # share of the question's words that have a near word in the sentence
    "soft_context",  # the same in sentence, chunk and titles
    "place",  # -1: the question names a place or year of which the case does not speak
    "missing",  # weight of the one word of the question that is farthest from chunk and titles
    "focus",  # how near the noun asked about is to a word of the sentence or its section
    "year",  # -1: the chunk speaks of other years than the question
    "reader",  # what `rag.reader` says of the sentence
    "first",  # 1: it opens its chunk
    "last",  # 1: it closes its chunk
    "at",  # share of the chunk's sentences before it
    "siblings",  # log of the number of the chunk's sentences
    "before",  # what the reader says of the sentence before
    "after",  # and of the one after it
    "around",  # and of the best in the chunk
    "names",  # log of how many it lists
    "counted",  # 1: it lists as many as the question says there are, -1: another number of them
)
FEATURES = (*OF_HIT, *OF_SENTENCE)
# What the fitted weights of `rag/weights.json` are pulled to.
_PRIOR = (1.0, 0.3, 1.0, 0.6, 0.5, 0.5, 0.25, 0.35, 0.5, -0.45, 0.02, 0.6, 0.4, 0.3, -0.1, 0.5, 0.3)
PRIOR = np.array([*_PRIOR, 0.5, *[0.0] * 9])


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sentence of a hit with the features that tell whether it answers."""

    hit: Hit
    start: int  # in the document
    end: int
    text: str
    score: float
    features: npt.NDArray[np.float64]  # in the order of FEATURES

    @property
    def fits(self) -> bool:
        """Whether it holds the kind of answer that is asked for, where one is."""
        return self.feature("wanted") >= 0 and self.feature("unit") >= 0

    @property
    def place(self) -> Place:
        """What `rag.reader` is given of it."""
        return Place(self.text, titled(self.hit.chunk))

    def feature(self, name: str) -> float:
        """One feature by its name."""
        return float(self.features[FEATURES.index(name)])


@dataclass(frozen=True, slots=True)
class Asked:
    """What of a question is looked for in the sentences."""

    intent: Intent
    question: str
    encoder: Encoder
    matcher: Matcher
    reader: Reader
    scope: Scope
    context: str = ""  # the question before it, which it goes on from

    @property
    def whole(self) -> str:
        """The question with what it goes on from."""
        return joined(self.context, self.question) if self.context else self.question

    def vector(self) -> npt.NDArray[np.float32]:
        """The question in the embedding space, with something of what it goes on from."""
        texts = [self.question, self.context] if self.context else [self.question]
        rows = self.encoder.encode_query(texts)
        mixed = rows[0] + CONTEXT_SHARE * rows[1:].sum(axis=0)
        return np.asarray(mixed / max(float(np.linalg.norm(mixed)), 1e-12), np.float32)


class Span(NamedTuple):
    """A sentence of a hit."""

    hit: int  # its index among the hits
    start: int  # in the document
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Sentences:
    """Hits, best first, with what is seen of their sentences."""

    hits: tuple[Hit, ...]
    spans: tuple[Span, ...]
    rows: Array  # (n_spans, n_features), columns in the order of OF_SENTENCE


def sentences(asked: Asked, hits: Sequence[Hit], n_hits: int | None = None) -> Sentences:
    """Look at the sentences of the first `n_hits` of the hits, of all by default."""
    spans = [
        Span(i, hit.chunk.start + a, hit.chunk.start + b, hit.chunk.text[a:b])
        for i, hit in enumerate(hits[:n_hits])
        for a, b in _statements(hit.chunk.text)
    ][:MAX_CANDIDATES]
    rows = _features(asked, hits, spans) if spans else np.zeros((0, len(OF_SENTENCE)))
    return Sentences(tuple(hits), tuple(spans), rows)


def candidates(intent: Intent, seen: Sentences) -> list[Candidate]:
    """Score the sentences, best first."""
    if not seen.spans:
        return []
    hits = [seen.hits[span.hit] for span in seen.spans]
    of_hit = np.array([(hit.score, 1 / hit.rank) for hit in hits])
    rows = np.concatenate([of_hit, seen.rows], axis=1)
    alone = fitted("sentence", FEATURES).totals(rows)
    defines = [_defines(intent, hit, span) for hit, span in zip(hits, seen.spans, strict=True)]
    scores = chosen(FILE, intent, rows, alone) + defines
    scored = [
        Candidate(hit, span.start, span.end, span.text, float(score), row)
        for hit, span, score, row in zip(hits, seen.spans, scores, rows, strict=True)
    ]
    scored.sort(key=lambda c: -c.score)
    # A sentence that cannot hold the answer gives way to one that can, if that is nearly as good.
    fit = next((c for c in scored if c.fits and scored[0].score - c.score < REACH), None)
    return [fit, *(c for c in scored if c is not fit)] if fit else scored


def _statements(text: str) -> list[tuple[int, int]]:
    """The sentences of a passage but those that address the machine: a passage is data."""
    spans = orders(text)
    return [(a, b) for a, b in sentence_spans(text) if not any(s < b and a < e for s, e in spans)]


INTRODUCED = 3.0  # what each sign of a definition is worth
# What introduces a thing: it is pushed, set up, launched, or said to be something.
_INTRODUCES = "推出|引入|建立|实施|推行|打造|构建|设立|成立|是指|开发|上线|简称|下称|即"


def _defines(intent: Intent, hit: Hit, span: Span) -> float:
    """What a sentence gains when a definition is asked for: it opens the section of that name."""
    if intent.wants != "definition" or not intent.subject:
        return 0.0
    chunk = hit.chunk
    first = span.start == chunk.start
    opens = intent.subject in chunk.section and first and chunk.text[1:2] != "是"
    # 建立协同机制,保障三地一锁 introduces another thing.
    said = re.search(rf"(?:{_INTRODUCES})[^,，。;；]{{0,15}}{re.escape(intent.subject)}", span.text)
    return INTRODUCED * (opens + bool(said))


def _features(asked: Asked, hits: Sequence[Hit], spans: Sequence[Span]) -> Array:
    """`(n_spans, n_features)`, columns in the order of OF_SENTENCE."""
    query = asked.vector()
    hits = hits[: spans[-1].hit + 1]
    texts = [span.text for span in spans]
    headed = [f"{hits[span.hit].chunk.heading} {span.text}" for span in spans]
    alone = asked.encoder.encode_document(texts) @ query
    context = asked.encoder.encode_document(headed) @ query
    # What is told of a chunk holds for all its sentences.
    own = [term_and_word_sets(text) for text in texts]
    titles = [titled(hit.chunk) for hit in hits]
    wholes = [term_and_word_sets(text) for text in titles]
    nearness = asked.matcher.nearness([words for _, words in (*own, *wholes)])
    soft = asked.matcher.soft_coverage(nearness)
    missing = asked.matcher.missing(nearness[len(spans) :])
    covered = [asked.matcher.coverage(terms) for terms, _ in wholes]
    places = [_place_fits(asked, hit) for hit in hits]
    years = [_year_fits(asked.intent, hit) for hit in hits]
    sections = [term_and_word_sets(hit.chunk.section)[1] for hit in hits]
    read = asked.reader.read(asked.whole, [Place(span.text, titles[span.hit]) for span in spans])
    rows = []
    for i, (at, start, _, text) in enumerate(spans):
        wanted, unit = answer_kind(asked.intent, asked.question, text)
        chunk = hits[at].chunk
        last = start + len(text) >= chunk.end
        rows.append(
            [
                asked.matcher.coverage(own[i][0]),
                covered[at],
                alone[i],
                context[i],
                wanted,
                unit,
                asked.matcher.overlap(text),
                float(start == chunk.start and len(text) < 40 and not last),
                math.log(len(text)),
                soft[i],
                soft[len(spans) + at],
                places[at],
                missing[at],
                asked.matcher.word_nearness(asked.intent.focus, own[i][1] | sections[at]),
                years[at],
                read[i],
            ]
        )
    return np.concatenate([np.array(rows, float), _standing(asked.question, spans, read)], axis=1)


def _standing(
    question: str, spans: Sequence[Span], read: npt.NDArray[np.float32]
) -> npt.NDArray[np.float64]:
    """Where each sentence stands in its chunk and among what: the last columns of OF_SENTENCE."""
    n_things = things_asked_for(question)
    rows: list[list[float]] = []
    for _, group in groupby(spans, key=lambda span: span.hit):
        texts = [span.text for span in group]
        said = read[len(rows) : len(rows) + len(texts)].tolist()
        said = [NO_NEIGHBOUR, *said, NO_NEIGHBOUR]
        best, last = max(said[1:-1]), len(texts) - 1
        rows += [
            [
                float(at == 0),
                float(at == last),
                at / max(1, last),
                math.log(len(texts)),
                said[at],
                said[at + 2],
                best,
                math.log1p(text.count("、")),
                lists_as_many(n_things, text),
            ]
            for at, text in enumerate(texts)
        ]
    return np.array(rows, float)


def _place_fits(asked: Asked, hit: Hit) -> float:
    named = (*asked.intent.mentions, *asked.intent.years)
    text = asked.scope(hit) if named else ""
    said = [speaks_of(text, name) for name in named]
    if asked.intent.kind in ("compare", "across"):  # each case answers for one of the places
        return max(said, default=1.0) - 1.0
    if min(said, default=1.0) < 1:
        return min(said) - 1.0
    # A figure of another city: 深圳呢? must not be answered from 广州 because both come up there.
    here = f"{hit.chunk.heading} {hit.chunk.text}"
    cities = [place for place in asked.intent.places if place.endswith("市")]
    other = hit.chunk.place.endswith("市") and hit.chunk.place not in cities
    if not cities or not other or any(city[:-1] in here for city in cities):
        return 0.0
    return -1.0 if asked.intent.wants in ("number", "date") else -0.5  # what is done may be shared


def _year_fits(intent: Intent, hit: Hit) -> float:
    text = hit.chunk.text
    if not intent.years or any(year in text for year in intent.years):
        return 0.0
    return -1.0 if re.search(r"(?:19|20)\d\d", text) else -0.5
