"""Hits in, the sentences that may answer out, scored; and how surely they do.

A sentence is judged by what of the question it covers (rare words count more), by how near it is
in the embedding space, by whether it holds the kind of answer asked for (a number with the unit, a
date, a name), and by how well its chunk was found. The weights are learnt (see `rag/fit.py`).
"""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from corpus.sentences import sentence_spans
from embeddings.encoder import Encoder
from embeddings.fold import fold
from embeddings.tokens import CHAR_MARK, terms
from rag.questions import Intent
from rag.types import Hit

MAX_CANDIDATES = 80  # sentences that are looked at

_UNIT = re.compile(r"(?:多少|几)(?:个)?([\u4e00-\u9fff]{1,2})")
_NUMBER = re.compile(
    r"[0-9０-９][0-9０-９.,]*|[一二两三四五六七八九十百千]+(?=[个项条件家年月日天次名人倍成大类种])"
)
_DATE = re.compile(
    r"(?:19|20)\d\d\s*年(?:\s*\d{1,2}\s*月(?:\s*\d{1,2}\s*日)?)?|\d{1,2}\s*月\s*\d{1,2}\s*日"
)
_NAME = re.compile(
    r"《[^》]{2,60}》|“[^”]{2,30}”|[\u4e00-\u9fffA-Za-z()（）]{2,20}(?:平台|系统|中心|公司|机制|委员会|法院|仲裁院|局|署|集团|协会|分署)"
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sentence of a hit with the features that tell whether it answers."""

    hit: Hit
    start: int  # in the document
    end: int
    text: str
    score: float
    features: tuple[float, ...]
    coverage: float  # share of the question's weighted terms in the sentence or its titles


FEATURES = (
    "chunk",  # score of the hit
    "rank",  # 1 / rank of the hit
    "own",  # weighted share of the question's terms in the sentence
    "context",  # the same in sentence and titles and chunk
    "cosine",  # of question and sentence
    "cosine_context",  # of question and titles + sentence
    "wanted",  # the sentence holds the kind of answer asked for
    "unit",  # ... a number with the very unit of the question
    "overlap",  # longest common substring, share of the question
    "title",  # it opens an item and is short: a title rather than an answer
    "length",  # log of its length
)
Weight = Callable[[str], float]  # of a term: its inverse document frequency


def candidates(
    question: str, intent: Intent, hits: Sequence[Hit], encoder: Encoder, weight: Weight
) -> list[Candidate]:
    """Score the sentences of `hits` for `question`, best first."""
    found = [
        (hit, start, end, hit.chunk.text[start - hit.chunk.start : end - hit.chunk.start])
        for hit in hits
        for start, end in _sentences(hit)
    ][:MAX_CANDIDATES]
    if not found:
        return []
    asked = question_weights(intent.topic, weight)
    folded = fold(intent.topic)
    query = encoder.encode_query([question])[0]
    alone = encoder.encode_document([text for *_, text in found]) @ query
    headed = encoder.encode_document([f"{hit.chunk.heading} {text}" for hit, *_, text in found])
    context = headed @ query
    scored = []
    for i, (hit, start, end, text) in enumerate(found):
        own = coverage(asked, text)
        whole = coverage(asked, f"{hit.chunk.place} {hit.chunk.heading} {hit.chunk.text}")
        wanted, unit = _answers(intent, question, text)
        features = (
            hit.score,
            1 / hit.rank,
            own,
            whole,
            float(alone[i]),
            float(context[i]),
            wanted,
            unit,
            common_substring(folded, fold(text)) / max(len(folded), 1),
            float(start == hit.chunk.start and len(text) < 30),
            math.log(len(text)),
        )
        scored.append(
            Candidate(hit, start, end, text, float(np.dot(features, WEIGHTS)), features, whole)
        )
    return sorted(scored, key=lambda c: -c.score)


#      chunk rank  own  ctx  cos  cosc want unit over title len
WEIGHTS = np.array([1.0, 0.3, 1.0, 0.6, 0.5, 0.5, 0.25, 0.35, 0.5, -0.35, 0.02])


def _sentences(hit: Hit) -> list[tuple[int, int]]:
    spans = sentence_spans(hit.chunk.text)
    return [(hit.chunk.start + a, hit.chunk.start + b) for a, b in spans]


def question_weights(topic: str, weight: Weight) -> dict[str, float]:
    """The terms of a question with their weights; a character counts less than a word."""
    return {t: weight(t) * (0.3 if t.startswith(CHAR_MARK) else 1.0) for t in terms(topic)}


def coverage(asked: dict[str, float], text: str) -> float:
    """Weighted share of the asked terms that stand in `text`, 0 to 1."""
    total = sum(asked.values())
    if not total:
        return 0.0
    present = set(terms(text))
    return sum(w for term, w in asked.items() if term in present) / total


def common_substring(a: str, b: str) -> int:
    """Length of the longest common substring of two short texts."""
    longest = 0
    row = [0] * (len(b) + 1)
    for x in a:
        previous = 0
        for j, y in enumerate(b, 1):
            current = row[j]
            row[j] = previous + 1 if x == y and not x.isspace() else 0
            longest = max(longest, row[j])
            previous = current
    return longest


def _answers(intent: Intent, question: str, text: str) -> tuple[float, float]:
    """Whether `text` holds the kind of answer that is wanted, and the very unit."""
    if intent.wants == "number":
        numbers = [match.end() for match in _NUMBER.finditer(text)]
        unit = _UNIT.search(question)
        if not numbers:
            return -1.0, 0.0
        fits = bool(unit) and any(
            unit[1][0] in text[end : end + 3] for end in numbers if unit is not None
        )
        return 1.0, float(fits)
    if intent.wants == "date":
        return (1.0, 0.0) if _DATE.search(text) else (-1.0, 0.0)
    if intent.wants == "name":
        return (1.0, 0.0) if _NAME.search(text) else (0.0, 0.0)
    return 0.0, 0.0


def marks(intent: Intent, question: str, text: str) -> tuple[tuple[int, int], ...]:
    """Offsets in `text` of the words that answer: numbers with units, dates, names."""
    if intent.wants == "number":
        unit = _UNIT.search(question)
        spans = [_with_unit(text, m.start(), m.end()) for m in _NUMBER.finditer(text)]
        fitting = [s for s in spans if unit and unit[1][0] in text[s[0] : s[1]]]
        return tuple(fitting or spans)
    pattern = {"date": _DATE, "name": _NAME}.get(intent.wants)
    return tuple(m.span() for m in pattern.finditer(text)) if pattern else ()


_SUFFIX = re.compile(
    r"(?:[—~～-][0-9.]+)?(?:万|亿|千|百)?多?余?(?:个工作日|个百分点|个月|分钟|小时|美元|[%％‰元个项条件家年月日天次名人倍成笔户份宗篇站台款张场所位期批步层㎡]|工作日|万元|亿元)*"
)


def _with_unit(text: str, start: int, end: int) -> tuple[int, int]:
    found = _SUFFIX.match(text, end)
    return start, found.end() if found else end
