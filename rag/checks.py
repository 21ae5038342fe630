"""A draft and the passages it drew on in, the draft with a verdict on every sentence out.

A language model is never trusted: each sentence is compared with the text that it cites, and what
fails is marked or dropped, never shown as supported. Verbatim sentences pass at once.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Literal

from corpus.sentences import sentence_spans
from corpus.types import Chunk
from embeddings.encoder import Encoder
from rag.instructions import evidence_text, orders
from rag.names import squash
from rag.support import SUPPORTED_FROM, Source, Verdict, coverage, judge, missing_particulars
from rag.types import Citation, Draft, Hit, Sentence, Support, Table

N_SEARCHED = 20  # hits among which the passage of an uncited sentence is looked for
N_JUDGED = 3  # of these, how many are judged in full
PART_OF = 0.4  # share of the best citation's coverage that a further citation must reach
WIDER = 0.06  # coverage that a further sentence of the passage must add to be quoted as well
MAX_QUOTE = 4  # sentences

NO_EVIDENCE = "未找到依据"
NOT_SAID = "引文不支持这句话"
ALTERED = "引文与原文不一致"


def check(
    draft: Draft,
    hits: Sequence[Hit],
    encoder: Encoder | None,
    *,
    failing: Literal["mark", "drop"] = "mark",
    threshold: float = SUPPORTED_FROM,
) -> Draft:
    """Judge every sentence of a draft against what it cites.

    A citation that does not exist is removed; a sentence without one gets the passage that
    supports it, or the problem 未找到依据. Citations are numbered in order of appearance. With
    `failing="drop"`, failing sentences are left out; a draft that loses all of them is a refusal.
    """
    if draft.refused or not draft.sentences:
        return draft
    chunks = {hit.chunk.id: hit.chunk for hit in hits}
    cited = {c.n: c for c in draft.citations}
    judged = []
    for sentence in draft.sentences:
        numbers = tuple(n for n in dict.fromkeys(sentence.citations) if n in cited)
        if not numbers and (found := find_support(sentence.text, hits, encoder, threshold)):
            found = _known(found, cited.values()) or replace(found, n=max(cited, default=0) + 1)
            cited[found.n] = found
            numbers = (found.n,)
        support = _verdict(sentence.text, [cited[n] for n in numbers], chunks, encoder, threshold)
        if support.supported and len(numbers) > 1:
            numbers = _relevant(sentence.text, numbers, cited, chunks)
            support = _verdict(
                sentence.text, [cited[n] for n in numbers], chunks, encoder, threshold
            )
        judged.append(replace(sentence, citations=numbers, support=support))
    draft = replace(draft, sentences=tuple(judged), citations=tuple(cited.values()))
    return _renumbered(_without_failing(draft) if failing == "drop" else draft)


def find_support(
    text: str, hits: Sequence[Hit], encoder: Encoder | None, threshold: float = SUPPORTED_FROM
) -> Citation | None:
    """The passage that supports a sentence best, quoted; None if none does."""
    sources = [(h.chunk, Source(h.chunk.text, context_of(h.chunk))) for h in hits[:N_SEARCHED]]
    sources.sort(key=lambda s: -coverage(text, s[1].terms))
    best: tuple[float, Citation] | None = None
    for chunk, _ in sources[:N_JUDGED]:
        citation = cite(1, chunk, *best_quote(text, chunk))
        said = _evidence(citation, {chunk.id: chunk})
        verdict = judge(text, Source(said, context_of(chunk)), encoder)
        if verdict.supported(threshold) and (best is None or verdict.score > best[0]):
            best = (verdict.score, citation)
    return best[1] if best else None


def best_quote(text: str, chunk: Chunk) -> tuple[int, int]:
    """The run of whole sentences of a chunk that says `text`, as offsets in the document.

    It starts from the best sentence and grows to its neighbours while they hold more of `text`.
    """
    bad = orders(chunk.text)
    spans = [
        (a, b)
        for a, b in sentence_spans(chunk.text)
        if not any(a < end and start < b for start, end in bad)
    ]
    if not spans:
        return chunk.start, chunk.end
    own = squash(text)
    context = context_of(chunk)

    def value(first: int, last: int) -> float:
        source = Source(chunk.text[spans[first][0] : spans[last][1]], context)
        if own and own in source.squashed:
            return 2.0
        return coverage(text, source.terms) - 0.2 * len(missing_particulars(text, source))

    best = max(range(len(spans)), key=lambda i: (value(i, i), -i))
    first = last = best
    reached = value(first, last)
    while last - first + 1 < min(MAX_QUOTE, len(spans)):
        options = [
            (a, b) for a, b in ((first - 1, last), (first, last + 1)) if a >= 0 and b < len(spans)
        ]
        grown = max(options, key=lambda span: value(*span))
        if (gain := value(*grown)) < reached + WIDER:
            break
        (first, last), reached = grown, gain
    return chunk.start + spans[first][0], chunk.start + spans[last][1]


def cite(n: int, chunk: Chunk, start: int, end: int) -> Citation:
    """The citation of a stretch of a chunk, offsets in the document."""
    quote = chunk.text[start - chunk.start : end - chunk.start]
    return Citation.of(n, chunk, (start, end), quote)


def context_of(chunk: Chunk) -> str:
    """The titles above a chunk: a sentence may name the place that they name."""
    return " ".join((chunk.document, chunk.case_title, chunk.section, chunk.place))


def _verdict(
    text: str,
    citations: Sequence[Citation],
    chunks: Mapping[int, Chunk],
    encoder: Encoder | None,
    threshold: float,
) -> Support:
    if not citations:
        return Support(False, 0.0, (NO_EVIDENCE,))
    if any(not _is_verbatim(c, chunks) for c in citations):
        return Support(False, 0.0, (ALTERED,))
    source = Source(
        "\n".join(_evidence(c, chunks) for c in citations),
        " ".join(_titles(c, chunks) for c in citations),
    )
    verdict: Verdict = judge(text, source, encoder)
    problems = list(verdict.missing)
    if verdict.score < threshold:
        problems.append(NOT_SAID)
    return Support(not problems, verdict.score, tuple(problems))


def _relevant(
    text: str, numbers: Sequence[int], cited: Mapping[int, Citation], chunks: Mapping[int, Chunk]
) -> tuple[int, ...]:
    """The citations that hold a part of the sentence: models like to cite one passage too many."""
    held = {n: coverage(text, Source(_evidence(cited[n], chunks)).terms) for n in numbers}
    return tuple(n for n in numbers if held[n] >= PART_OF * max(held.values()))


def _is_verbatim(citation: Citation, chunks: Mapping[int, Chunk]) -> bool:
    """Whether a quote stands where it says, as far as its chunk is at hand."""
    chunk = chunks.get(citation.chunk_id)
    if chunk is None or not (chunk.start <= citation.start <= citation.end <= chunk.end):
        return True
    return chunk.text[citation.start - chunk.start : citation.end - chunk.start] == citation.quote


def _evidence(citation: Citation, chunks: Mapping[int, Chunk]) -> str:
    """The quote without what belongs to an order, which may begin before the quote."""
    chunk = chunks.get(citation.chunk_id)
    if chunk is None or not (chunk.start <= citation.start <= citation.end <= chunk.end):
        return citation.quote
    return evidence_text(chunk.text, citation.start - chunk.start, citation.end - chunk.start)


def _titles(citation: Citation, chunks: Mapping[int, Chunk]) -> str:
    if chunk := chunks.get(citation.chunk_id):
        return context_of(chunk)
    return " ".join((citation.document, citation.case_title, citation.section))


def _known(found: Citation, cited: Iterable[Citation]) -> Citation | None:
    place = (found.document_id, found.start, found.end)
    return next((c for c in cited if (c.document_id, c.start, c.end) == place), None)


def _without_failing(draft: Draft) -> Draft:
    kept = [i for i, s in enumerate(draft.sentences) if s.support and s.support.supported]
    if not kept:
        return replace(draft, sentences=(), citations=(), table=None, lead="", refused=True)
    moved = {old: new for new, old in enumerate(kept)}
    table = draft.table
    if table is not None:
        cells = tuple(
            tuple(tuple(moved[i] for i in cell if i in moved) for cell in row)
            for row in table.cells
        )
        table = Table(table.columns, table.rows, cells)
    return replace(draft, sentences=tuple(draft.sentences[i] for i in kept), table=table)


def _renumbered(draft: Draft) -> Draft:
    """Number the citations in order of appearance; leave out what no sentence cites."""
    order = dict.fromkeys(n for sentence in draft.sentences for n in sentence.citations)
    number = {old: new for new, old in enumerate(order, 1)}
    by_n = {c.n: c for c in draft.citations}
    return replace(
        draft,
        sentences=tuple(_with_numbers(s, number) for s in draft.sentences),
        citations=tuple(replace(by_n[old], n=new) for old, new in number.items()),
    )


def _with_numbers(sentence: Sentence, number: Mapping[int, int]) -> Sentence:
    return replace(sentence, citations=tuple(number[n] for n in sentence.citations))
