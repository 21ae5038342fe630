"""A sentence and the text it cites in, a score and reasons out: does the text say it?

Two questions are asked. Do the particulars stand in the text: every number with its unit, date,
percentage, title, place, organisation? And does the text speak of the same thing, all of it: the
words of the sentence, of its weakest clause, and its vector?
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from corpus.sentences import sentence_spans
from embeddings.encoder import Encoder
from embeddings.tokens import CHAR_MARK, terms
from rag.instructions import evidence_text
from rag.names import Name, names, squash, stands_in
from rag.numbers import Quantity, quantities, same_unit, stated

# Calibrated with `python -m eval.checking`. The dev half would allow 0.82; a language model
# paraphrases more freely than rules do, and at 0.62 nearly as much is caught.
SUPPORTED_FROM = 0.62

CHAR_WEIGHT = 0.4  # of a single character, where a word weighs 1
COUNTED = 2  # characters after a number that tell what it counts
MIN_CLAUSE = 5  # characters; shorter clauses are judged with the whole sentence only
WHOLE, CLAUSE, VECTOR = 0.45, 0.4, 0.15  # shares of the score

_CLAUSE = re.compile(r"[,，;；。:：!！?？\n]+")
# Words that any text may be joined with when it is put into other words.
_CONNECTIVES = re.compile(
    r"根据|依据|按照|材料|显示|提到|指出|其中|此外|另外|同时|并且|以及|因此|从而|例如|比如|包括|主要|具体|"
    r"该市|当地|上述|相关|方面|进行|通过|实现|成功|有效|已经|目前|一共|总共|共计|分别"
)
_LISTING = re.compile(
    r"^(?:[一二三四五六七八九十]+是|[(（]?\d{1,2}[)）.、]|第[一二三四五六七八九十]+[,，、]?|[-*•]\s*)"
)

_ARTICLES = frozenset("个种套批类项条次张家名位")

_KIND_ZH = {"percent": "百分比", "date": "日期", "number": "数字", "ordinal": "序号"}
_NAME_ZH = {"title": "名称", "place": "地名", "organisation": "机构"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """How well a text supports a sentence: 0 to 1, and which particulars it lacks."""

    score: float
    missing: tuple[str, ...]  # Chinese reasons

    def supported(self, threshold: float = SUPPORTED_FROM) -> bool:
        """Whether nothing is missing and the score suffices."""
        return not self.missing and self.score >= threshold


@dataclass(frozen=True)
class Source:
    """A cited text, prepared once; `context` holds the titles above it."""

    text: str
    context: str = ""

    @cached_property
    def evidence(self) -> str:
        """What of the text may support a claim."""
        return evidence_text(self.text)

    @cached_property
    def squashed(self) -> str:
        """For literal comparison."""
        return squash(self.evidence)

    @cached_property
    def squashed_context(self) -> str:
        """The same with the titles."""
        return self.squashed + squash(self.context)

    @cached_property
    def terms(self) -> frozenset[str]:
        """All terms of the text and its titles."""
        return frozenset(terms(f"{self.evidence} {self.context}"))

    @cached_property
    def quantities(self) -> list[Quantity]:
        """All quantities of the text; those of the titles do not count."""
        return quantities(self.evidence)

    @cached_property
    def sentences(self) -> list[str]:
        """The sentences of the text."""
        return [self.evidence[a:b] for a, b in sentence_spans(self.evidence)]


def judge(sentence: str, source: Source, encoder: Encoder | None = None) -> Verdict:
    """Tell how well a source supports one sentence."""
    plain = _LISTING.sub("", sentence.strip())
    own = squash(plain)
    if own and own in source.squashed:
        return Verdict(1.0, ())
    whole, weakest = _coverages(plain, source)
    score = WHOLE * whole + CLAUSE * weakest
    nearest = _similarity(plain, source, encoder)
    score += VECTOR * (whole if nearest is None else nearest)
    return Verdict(round(min(max(score, 0.0), 1.0), 4), tuple(missing_particulars(plain, source)))


def missing_particulars(sentence: str, source: Source) -> list[str]:
    """Reasons, in Chinese: numbers, dates and names that the source does not state."""
    out = [
        f"{_KIND_ZH[q.kind]}“{q.text}”不在引文中"
        for q in quantities(sentence)
        if not _is_stated(q, sentence, source)
    ]
    out += [
        f"{_NAME_ZH[name.kind]}“{name.text}”不在引文中"
        for name in _claimed_names(sentence)
        if not stands_in(name, source.squashed_context)
    ]
    return list(dict.fromkeys(out))


def coverage(text: str, source_terms: frozenset[str]) -> float:
    """Weighted share of the terms of `text` that the source has, 0 to 1; numbers aside."""
    for q in reversed(quantities(text)):
        text = f"{text[: q.start]} {text[q.end :]}"
    total = found = 0.0
    for term in set(terms(_CONNECTIVES.sub(" ", text))):
        weight = CHAR_WEIGHT if term.startswith(CHAR_MARK) else 1.0
        total += weight
        found += weight * (term in source_terms)
    return found / total if total else 1.0


def _coverages(sentence: str, source: Source) -> tuple[float, float]:
    """Coverage of the whole sentence and of its weakest clause."""
    whole = coverage(sentence, source.terms)
    clauses = [c for c in _CLAUSE.split(sentence) if len(c.strip()) >= MIN_CLAUSE]
    return whole, min((coverage(c, source.terms) for c in clauses), default=whole)


def _similarity(sentence: str, source: Source, encoder: Encoder | None) -> float | None:
    """Cosine of the sentence and the nearest of the source's sentences or the whole."""
    if encoder is None or not source.evidence.strip():
        return None
    texts = [source.evidence, *source.sentences[:12]]
    rows = encoder.encode_document([sentence, *texts])
    return max(0.0, float((rows[1:] @ rows[0]).max()))


def _is_stated(claimed: Quantity, sentence: str, source: Source) -> bool:
    """Whether the source states a quantity, of the same thing where it counts that thing at all."""
    counted = sentence[claimed.end : claimed.end + COUNTED]
    rivals = [
        q
        for q in source.quantities
        if q.kind == claimed.kind
        and same_unit(q.unit, claimed.unit)
        and len(counted) == COUNTED
        and counted.isalnum()
        and source.evidence.startswith(counted, q.end)
    ]
    if rivals:
        return stated(claimed, rivals)
    # 一个, 一套 are articles where the source does not count the same thing.
    article = claimed.values == (1,) and claimed.text.startswith("一") and claimed.unit in _ARTICLES
    return article or stated(claimed, source.quantities)


def _claimed_names(sentence: str) -> Sequence[Name]:
    return [name for name in names(sentence) if squash(name.text)]
