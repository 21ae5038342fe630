"""Hits in, the section out whose items a list question asks for.

Every heading above the best hits is a choice: a subsection or section with its items, a case with
its sections. A choice is judged by its titles, by how many of its entries were found and how well,
and by a count that the question names (哪五项). Whether the items answer better than the best
sentence does is judged by a second model. Both are fitted by `python -m eval.fit`.
"""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from corpus.outline import chinese_number, path
from corpus.sentences import sentence_spans, strip_span
from corpus.types import Chunk, Document, Node
from rag.linear import fitted
from rag.match import term_and_word_sets
from rag.questions import Intent
from rag.select import Asked, Candidate
from rag.types import Hit

FEATURES = (
    "cosine",  # of question and titles
    "covers",  # weighted share of the question's terms in the titles
    "best",  # score of the best hit inside
    "mean",  # mean score of as many hits as there are entries
    "count",  # 1: the question names the number of entries, -1: another number
    "case",  # 1: a whole case with its sections
    "no_gain",  # 1: the heading covers no more of the question than the one above it
    "soft",  # share of the question's words with a near word in the titles
    "entries",  # log of their number
    "announces",  # 1: what stands before the entries counts what is asked for, 0.5: names it
)
PRIOR = np.array([0.5, 0.6, 0.4, 0.5, 0.5, -0.1, -0.1, 0.0, 0.0, 0.5])
WHOLE_FEATURES = (
    *FEATURES,
    "own",  # of the best sentence, see `rag.select.FEATURES`
    "sentence_soft",
    "sentence_cosine",
    "enumerates",  # 1: the best sentence itself lists names
    "measures",  # 1: measures are asked for, which sections hold, rather than names
    "how",
    "inside",  # 1: the best sentence lies in the section
    "names_count",  # 1: the question names a number of things
)

_NO_GAIN = 0.03  # a heading that covers no more of the question than the one above it
_ENDING = 8  # characters before the first entry
N_HITS = 12  # hits whose sections are looked at
_COUNT = re.compile(
    r"([两二三四五六七八九十]|\d{1,2})\s*(?:大块|大|个|项|条|种|件|块|步|类|方面|点|重|举措|措施|做法|创新|突破)"
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a list: a stretch of the document and the chunk that it lies in."""

    chunk: Chunk
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with its entries, and how well it fits the question."""

    title: str
    entries: tuple[Entry, ...]
    features: tuple[float, ...] = ()  # in the order of FEATURES
    score: float = 0.0


def rank_sections(
    asked: Asked,
    hits: Sequence[Hit],
    open_document: Callable[[int], tuple[Document, Sequence[Chunk]]],
) -> list[Section]:
    """The sections above the hits that have entries, best first."""
    query = asked.vector()
    choice = fitted("section", FEATURES)
    scores = {hit.chunk.id: hit.score for hit in hits}
    count = _COUNT.search(asked.question)
    wanted = chinese_number(count[1]) if count else 0
    found: list[Section] = []
    seen: set[tuple[int, int]] = set()
    for hit in hits[:N_HITS]:
        document, chunks = open_document(hit.chunk.document_id)
        node: Node | None = document.outline[hit.chunk.node]
        while node is not None and node.parent is not None:
            node = document.outline[node.parent]
            if (document.id, node.id) in seen or node.kind == "document":
                continue
            seen.add((document.id, node.id))
            entries = _entries(document, node, chunks)
            if len(entries) < 2 or (asked.intent.overview and node.kind != "case"):
                continue
            titles = _titles(document, node)
            covers = asked.matcher.coverage(term_and_word_sets(titles)[0])
            above = _titles(document, document.outline[node.parent or 0])
            gain = covers - asked.matcher.coverage(term_and_word_sets(above)[0])
            inside = [scores.get(c.id, 0.0) for c in chunks if node.start <= c.start < node.end]
            named = 0.0 if not wanted else 1.0 if wanted == len(entries) else -1.0
            words = term_and_word_sets(titles)[1]
            features = (
                float(asked.encoder.encode_document([titles])[0] @ query),
                covers,
                max(inside, default=0.0),
                float(np.mean(sorted(inside, reverse=True)[: len(entries)] or [0.0])),
                named,
                float(node.kind == "case"),
                float(gain < _NO_GAIN),
                float(asked.matcher.soft_coverage(asked.matcher.nearness([words]))[0]),
                math.log(len(entries)),
                _announces(asked.question, titles, document.text[node.start : entries[0].start]),
            )
            score = float(choice.totals(np.array(features)))
            found.append(Section(node.title, entries, features, score))
    return sorted(found, key=lambda section: -section.score)


# 三方面突破, 四个创新: a count with what it counts.
_COUNTED_THING = re.compile(
    r"(?<![第\d])(\d{1,2}|[两二三四五六七八九十]+)(?:大|个|项|条|种|类|方面|点|步|重)+([\u4e00-\u9fff]{2})"
)
_ASKED_THING = re.compile(
    r"哪些(?:[^,。?]{0,6}的)?([\u4e00-\u9fff]{2,6}?)[呢吗啊]?(?=$|[,。?])|([\u4e00-\u9fff]{2})(?:都|主要|具体|分别)?(?:有|是|包括)(?:哪|什么|啥)"
)


def _announces(question: str, titles: str, lead: str) -> float:
    """Whether the titles or the words before the entries say what the question asks for.

    1 if they count the same thing (力争取得3方面突破), 0.5 if those end on its name (以下做法:).
    """
    before = re.sub('[“”"]', "", f"{titles} {lead}")
    question = re.sub('[“”"]', "", question)
    counted = {(chinese_number(n), thing) for n, thing in _COUNTED_THING.findall(question)}
    if counted & {(chinese_number(n), thing) for n, thing in _COUNTED_THING.findall(before)}:
        return 1.0
    asked = {(a or b)[-2:] for a, b in _ASKED_THING.findall(question)}
    return 0.5 if any(thing in lead.rstrip()[-_ENDING:] for thing in asked) else 0.0


def whole_features(section: Section, best: Candidate, intent: Intent) -> list[float]:
    """What tells whether the items answer better than a sentence, in order of WHOLE_FEATURES."""
    chunk = best.hit.chunk
    inside = any(
        entry.chunk.document_id == chunk.document_id and entry.chunk.id == chunk.id
        for entry in section.entries
    )
    return [
        *section.features,
        best.feature("own"),
        best.feature("soft"),
        best.feature("cosine"),
        float(enumerates(best.text)),
        float(intent.measures),
        float(intent.kind == "how"),
        float(inside),
        float(section.features[FEATURES.index("count")] != 0),
    ]


def prefers_whole(section: Section, best: Candidate, intent: Intent) -> bool:
    """Whether the items of a section answer better than the best sentence does."""
    seen = np.array(whole_features(section, best, intent))
    return bool(fitted("whole", WHOLE_FEATURES).totals(seen) > 0)


def enumerates(text: str) -> bool:
    """Whether a sentence lists names: three parts between 、 or two titles."""
    return text.count("、") >= 2 or text.count("《") >= 2


def list_cases(
    documents: Sequence[tuple[Document, Sequence[Chunk]]], places: Sequence[str]
) -> Section | None:
    """The titles of all cases, of some places if given; None if there are none."""
    entries: dict[tuple[int, int, str], Entry] = {}
    for document, chunks in documents:
        for node in document.outline:
            if node.kind != "heading" or node.case is None or not node.title:
                continue
            case = document.outline[node.parent or 0]
            if case.kind != "case" or case.title != node.title:
                continue
            own = [chunk for chunk in chunks if case.start <= chunk.start < case.end]
            if not own or (places and own[0].place not in places):
                continue
            # In a table of contents a case is named, and told of further on.
            key = (document.id, node.case, node.title)
            if key in entries and own[-1].end <= node.end:
                continue
            # 案例一:标题 on one line: the title follows the label.
            at = document.text.find(node.title.split(" ")[0], node.start, node.end)
            _, end = strip_span(document.text, node.start, node.end)
            entries[key] = Entry(own[0], at, end, document.text[at:end])
    return Section("", tuple(entries.values())) if entries else None


def _titles(document: Document, node: Node) -> str:
    return " ".join(up.title for up in path(document.outline, node))


def _entries(document: Document, node: Node, chunks: Sequence[Chunk]) -> tuple[Entry, ...]:
    below = [n for n in document.outline if n.parent == node.id]
    items = [n for n in below if n.kind == "item"]
    if len(items) >= 2:
        spans = [_first_sentence(document.text, n) for n in items]
    else:
        headed = [n for n in below if n.kind in ("section", "subsection", "chapter")]
        spans = [_heading_span(document, n) for n in headed]
    entries = []
    for start, end in spans:
        chunk = _chunk_at(chunks, start)
        if chunk is not None and start < end:
            entries.append(Entry(chunk, start, end, document.text[start:end]))
    return tuple(entries)


def _first_sentence(text: str, node: Node) -> tuple[int, int]:
    spans = sentence_spans(text, node.start, node.end)
    return spans[0] if spans else (node.start, node.start)


def _heading_span(document: Document, node: Node) -> tuple[int, int]:
    heading = document.outline[node.id + 1] if node.id + 1 < len(document.outline) else None
    if heading is None or heading.kind != "heading":
        return _first_sentence(document.text, node)
    return strip_span(document.text, heading.start, heading.end)


def _chunk_at(chunks: Sequence[Chunk], start: int) -> Chunk | None:
    """The chunk that holds `start`, or the first one after it: a heading opens the next chunk."""
    return next((c for c in chunks if c.end > start), None)
