"""Chunks in, a labelled set for the checks out: right sentences and corrupted copies of them.

Right sentences are verbatim, or put into other words by rule (numbers rewritten, punctuation of
another width, synonyms, clauses dropped or exchanged, two sentences joined). A corrupted copy
differs in one thing: a number, a name, a place, an added claim, or the passage that it cites.
Everything is drawn by the sentence's own hash, so the set is the same on every machine.
"""

import hashlib
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from corpus.sentences import sentence_spans
from corpus.types import Chunk
from rag.names import Name, names, place_core, squash
from rag.numbers import Quantity, quantities, same

MIN_SENTENCE = 12  # characters

RIGHT = ("verbatim", "rewritten", "shortened", "joined")
WRONG = ("number", "name", "place", "claim", "citation", "citation_near")

_SYNONYMS = {
    "提升": "提高", "推动": "促进", "建立": "设立", "开展": "进行", "打造": "建成", "有效": "切实",
    "实现": "做到", "加强": "强化", "完善": "健全", "及时": "尽快", "提供": "给予", "优化": "改进",
    "印发": "发布", "出台": "制定", "构建": "建立", "探索": "尝试", "助力": "帮助", "共同": "一起",
}  # fmt: skip
_DIGITS = "〇一二三四五六七八九"


@dataclass(frozen=True, slots=True)
class Example:
    """A sentence, the chunk that it cites, and whether the chunk says it."""

    text: str
    chunk: Chunk
    kind: str  # one of RIGHT or WRONG
    half: str  # "dev" or "test", by the hash of the original sentence

    @property
    def right(self) -> bool:
        """Whether the chunk says it."""
        return self.kind in RIGHT


def build(chunks: Sequence[Chunk]) -> list[Example]:
    """The labelled set of these chunks."""
    pool = _Pool.of(chunks)
    out: list[Example] = []
    for at, chunk in enumerate(chunks):
        sentences = [chunk.text[a:b] for a, b in sentence_spans(chunk.text)]
        for i, text in enumerate(sentences):
            if len(text) < MIN_SENTENCE:
                continue
            digest = hashlib.sha256(text.encode()).digest()
            half = "dev" if digest[0] % 2 else "test"
            rng = random.Random(digest)
            following = sentences[i + 1] if i + 1 < len(sentences) else ""
            made = [*_right(text, following, rng), *_wrong(text, chunk, pool, rng)]
            out += [Example(new, chunk, kind, half) for kind, new in made]
            for kind, other in _moved(text, at, chunks, rng):
                out.append(Example(text, other, kind, half))
    return out


@dataclass(frozen=True, slots=True)
class _Pool:
    """What corrupted copies borrow from elsewhere."""

    places: tuple[str, ...]
    titles: tuple[str, ...]
    organisations: tuple[str, ...]
    clauses: tuple[tuple[Chunk, str], ...]

    @classmethod
    def of(cls, chunks: Sequence[Chunk]) -> "_Pool":
        found: list[Name] = [name for chunk in chunks for name in names(chunk.text)]

        def texts(kind: str) -> tuple[str, ...]:
            return tuple(sorted({n.text for n in found if n.kind == kind}))

        clauses = [
            (chunk, clause)
            for chunk in chunks
            for clause in re.split(r"[,，。;；:：]", chunk.text)
            if 10 <= len(clause.strip()) <= 40
        ]
        return cls(texts("place"), texts("title"), texts("organisation"), tuple(clauses))


def _right(text: str, following: str, rng: random.Random) -> Iterator[tuple[str, str]]:
    yield "verbatim", text
    yield "rewritten", _rewritten(text, rng)
    clauses = re.split(r"(?<=[,，])", text)
    if len(clauses) > 2:
        yield "shortened", "".join(clauses[1:])
    if following and len(text) + len(following) < 200:
        yield "joined", f"{text.rstrip('。;；')},{following}"


def _rewritten(text: str, rng: random.Random) -> str:
    """The same in other words: numbers, punctuation, some synonyms."""
    quoted = [m.span() for m in re.finditer(r"《[^》]*》|“[^”]*”|\"[^\"]*\"", text)]
    for q in reversed(quantities(text)):
        if any(a < q.end and q.start < b for a, b in quoted):
            continue
        text = text[: q.start] + _respelt(q) + text[q.end :]
    outside = re.split(r"(《[^》]*》|“[^”]*”|\"[^\"]*\")", text)  # names stay as they are
    known = [word for word in _SYNONYMS if any(word in part for part in outside[::2])]
    for word in rng.sample(known, min(3, len(known))):
        outside[::2] = [part.replace(word, _SYNONYMS[word]) for part in outside[::2]]
    text = "".join(outside)
    return text.translate(str.maketrans(",:;()", "，：；（）"))


def _respelt(q: Quantity) -> str:
    """The quantity written in another way, or as it is."""
    if q.kind == "percent" and len(q.values) == 1 and q.text.endswith("%"):
        return "百分之" + q.text[:-1] if "." not in q.text else q.text.replace("%", "％")
    if q.kind == "number" and len(q.values) == 1 and q.text.startswith(tuple("123456789")):
        value = q.values[0]
        if value.is_integer() and value >= 10_000 and value % 1_000 == 0:
            return f"{str(value / 10_000).removesuffix('.0')}万{q.unit}"
        if value.is_integer() and 10 < value < 20:
            return f"十{_DIGITS[int(value) - 10]}{q.unit}"
    return q.text


def _wrong(text: str, chunk: Chunk, pool: _Pool, rng: random.Random) -> Iterator[tuple[str, str]]:
    found = quantities(chunk.text)
    for q in quantities(text):
        new = _altered(q, rng)
        read = quantities(new)
        # A number that the chunk states elsewhere would not be wrong by its value alone.
        if len(read) == 1 and not any(same(read[0], k) for k in found):
            yield "number", text[: q.start] + new + text[q.end :]
    scope = squash(
        f"{chunk.text} {chunk.document} {chunk.case_title} {chunk.section} {chunk.place}"
    )
    pools = {"title": pool.titles, "organisation": pool.organisations, "place": pool.places}
    for name in names(text):
        label = "place" if name.kind == "place" else "name"
        others = [t for t in pools[name.kind] if squash(place_core(t)) not in scope]
        if others:
            yield label, text.replace(name.text, rng.choice(others), 1)
    own = [
        c
        for other, c in pool.clauses
        if other.case != chunk.case or other.document_id != chunk.document_id
    ]
    if own:
        yield "claim", f"{text.rstrip('。;；')},并{rng.choice(own).strip()}。"


def _altered(q: Quantity, rng: random.Random) -> str:
    """The quantity with one digit changed."""
    places = [i for i, c in enumerate(q.text) if c.isdigit() or c in _DIGITS[1:]]
    at = rng.choice(places) if places else 0
    digits = "123456789" if q.text[at : at + 1].isdigit() and q.text[at].isascii() else _DIGITS[1:]
    others = [d for d in digits if d != q.text[at]]
    return q.text[:at] + rng.choice(others) + q.text[at + 1 :]


def _moved(
    text: str, at: int, chunks: Sequence[Chunk], rng: random.Random
) -> Iterator[tuple[str, Chunk]]:
    """Another chunk anywhere, and the next one of the same case."""
    own = squash(text)
    said: Callable[[Chunk], bool] = lambda c: own in squash(c.text)  # noqa: E731
    others = [c for c in rng.sample(list(chunks), min(4, len(chunks))) if not said(c)]
    if others:
        yield "citation", others[0]
    near = chunks[at + 1] if at + 1 < len(chunks) else chunks[at - 1]
    if near.case == chunks[at].case and near is not chunks[at] and not said(near):
        yield "citation_near", near
