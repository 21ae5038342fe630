"""Evidence in, an answer made of the documents' own sentences out: the default, without a model.

The kind of question decides the form. A fact is answered by the sentence that holds it; a list by
the items of the section that is asked for, complete and in order; a question on several places or
cases by the best sentences of each, grouped; a question over all cases by one sentence of every
case that speaks of it. Every sentence is verbatim and cites exactly itself.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from corpus.outline import chinese_numeral
from corpus.types import Chunk
from embeddings.fold import fold
from rag.across import speaking
from rag.confidence import confidence
from rag.config import AnswerConfig
from rag.evidence import Evidence, Part
from rag.premise import corrections
from rag.sections import Section, prefers_whole
from rag.select import Candidate
from rag.types import Cancel, Citation, Delta, Draft, Sentence, Table
from rag.wanted import marks

SAID_WITHIN = 1.0  # what is said answers another question too if it trails its best so little
MAX_SENTENCES = 4  # of an answer to a question for a fact


@dataclass(slots=True)
class _Writer:
    """Collects sentences with their citations, numbered in order of appearance."""

    evidence: Evidence
    sentences: list[Sentence] = field(default_factory=list)
    citations: list[Citation] = field(default_factory=list)

    def add(
        self,
        chunk: Chunk,
        span: tuple[int, int],
        text: str,
        group: str = "",
        short: tuple[int, int] | None = None,
    ) -> int:
        """Add `text`, which is the document's [span]; returns the sentence's index.

        The words at `short` that answer by themselves are said before it.
        """
        start = span[0]
        found = (short,) if short else marks(self.evidence.intent, text)
        for citation in self.citations:
            if (citation.document_id, citation.start, citation.end) == (chunk.document_id, *span):
                break
        else:
            at = tuple((start + a, start + b) for a, b in found)
            citation = Citation.of(len(self.citations) + 1, chunk, span, text, at)
            self.citations.append(citation)
        if short:
            self.sentences.append(Sentence(text[slice(*short)], (citation.n,), group=group))
        elif (said := self._said(text, group, chunk)) is not None:
            before = self.sentences[said]
            cited = tuple(dict.fromkeys((*before.citations, citation.n)))
            self.sentences[said] = replace(before, citations=cited)
            return said
        self.sentences.append(Sentence(text, (citation.n,), marks=found, group=group))
        return len(self.sentences) - 1

    def _said(self, text: str, group: str, chunk: Chunk) -> int | None:
        """Where the same is said already after another document: twice it would only tire."""
        sources = {citation.n: citation.document_id for citation in self.citations}
        for i, sentence in enumerate(self.sentences):
            others = all(sources[n] != chunk.document_id for n in sentence.citations)
            if (sentence.text, sentence.group) == (text, group) and others:
                return i
        return None

    def add_candidate(
        self, candidate: Candidate, group: str = "", short: tuple[int, int] | None = None
    ) -> int:
        """Add a selected sentence."""
        span = (candidate.start, candidate.end)
        return self.add(candidate.hit.chunk, span, candidate.text, group, short)

    def draft(self, lead: str = "", note: str = "", table: Table | None = None) -> Draft:
        """The draft of all that was added."""
        return Draft(
            sentences=tuple(self.sentences),
            citations=tuple(self.citations),
            lead=lead,
            note=note,
            table=table,
            confidence=self.evidence.confidence,
        )


def case_name(chunk: Chunk) -> str:
    """What a group of sentences is headed by: the case, else the document."""
    if chunk.case:
        return f"案例{chinese_numeral(chunk.case)} {chunk.case_title}"
    return f"《{chunk.document}》"


_FIGURE = re.compile(r"\d[\d.,]*")


def _contradicts(text: str, other: str) -> bool:
    """Whether two sentences say the same with other figures."""
    same_words = _FIGURE.sub("#", fold(text)) == _FIGURE.sub("#", fold(other))
    return same_words and fold(text) != fold(other)


def worth_saying(found: Sequence[Candidate]) -> int:
    """How many of the best sentences to say.

    The scores are those of a softmax over all candidates, so they give the probability of each to
    be the right one. As many are said as give the highest expected mean of precision and recall.
    """
    scores = np.array([candidate.score for candidate in found])
    shares = np.exp(scores - scores.max())
    right = np.cumsum(shares[:MAX_SENTENCES] / shares.sum())
    return int(np.argmax(right / np.arange(1, len(right) + 1) + right)) + 1


@dataclass(frozen=True, slots=True)
class ExtractiveAnswerer:
    """Selects and arranges; never writes a word of its own but the opening line."""

    config: AnswerConfig
    name: str = "extractive"

    def stream(self, evidence: Evidence, cancel: Cancel | None = None) -> Iterator[Delta | Draft]:
        """Yield the sentences one by one, then the draft."""
        draft = self.write(evidence)
        if draft.lead:
            yield Delta(draft.lead + "\n")
        for sentence in draft.sentences:
            if cancel is not None and cancel.is_set():
                break
            yield Delta(sentence.text + "".join(f"[{n}]" for n in sentence.citations) + "\n")
        yield draft

    def write(self, evidence: Evidence) -> Draft:
        """The whole answer at once."""
        if not evidence.candidates:
            return Draft(refused=True, confidence=evidence.confidence)
        if evidence.form == "detail" and evidence.intent.kind in ("fact", "how"):
            return self._whole_passage(evidence)
        draft = self._by_kind(evidence)
        if evidence.form == "table" and draft.table is None:
            return replace(draft, table=as_table(draft))
        return draft

    def _by_kind(self, evidence: Evidence) -> Draft:
        kind, section = evidence.intent.kind, evidence.section
        if evidence.intent.overview and section:
            return self.listed(evidence, section)
        if kind == "across" and (draft := self._across(evidence)):
            return draft
        if kind == "compare" and (draft := self._compare(evidence)):
            return draft
        asks_for_items = section if kind in ("list", "how") else None
        if asks_for_items and prefers_whole(
            asks_for_items, evidence.candidates[0], evidence.intent
        ):
            return self.listed(evidence, asks_for_items)
        return self.selected(evidence)

    def selected(self, evidence: Evidence) -> Draft:
        """The best sentences."""
        kind = evidence.intent.kind
        if kind == "how" or (kind == "list" and evidence.intent.measures):
            return self._passage(evidence)
        return self._fact(evidence)

    def _fact(self, evidence: Evidence) -> Draft:
        """The sentence that holds the answer, and others where it is not sure which one does."""
        writer = _Writer(evidence)
        best = evidence.candidates[0]
        n = worth_saying(evidence.candidates)
        rivals = [
            c for c in evidence.candidates[n:MAX_SENTENCES] if _contradicts(c.text, best.text)
        ]
        said = self._with_parts(evidence, [*evidence.candidates[:n], *rivals])
        room = self.config.max_chars
        for candidate in said:
            if candidate is said[0] or len(candidate.text) <= room:
                writer.add_candidate(candidate, short=evidence.short if candidate is best else None)
                room -= len(candidate.text)
        note = "".join(corrections(evidence.question, [said[0].text]))
        return writer.draft(lead=_lead(writer.citations), note=note)

    def _with_parts(self, evidence: Evidence, said: list[Candidate]) -> list[Candidate]:
        """What is said, and what answers the other things that are asked for.

        A question for several things may be answered by one sentence, or by none as a whole.
        """
        if not evidence.parts:
            return said
        whole = confidence(evidence.candidates) >= self.config.refuse_below
        found = list(said) if whole else []
        for part in evidence.parts:
            if not part.candidates or part.confidence < self.config.refuse_below:
                continue
            best = part.candidates[0]
            places = {_place(candidate) for candidate in found}
            own = [c.score for c in part.candidates if _place(c) in places]
            if best.score - max(own, default=-math.inf) > SAID_WITHIN:
                found.append(best)
        return found or said

    def _whole_passage(self, evidence: Evidence) -> Draft:
        """Everything that the best passage says, in its order."""
        writer = _Writer(evidence)
        best = evidence.candidates[0].hit.chunk.id
        same = [c for c in evidence.candidates if c.hit.chunk.id == best]
        for candidate in sorted(same, key=lambda c: c.start):
            writer.add_candidate(candidate)
        return writer.draft(lead=_lead(writer.citations))

    def _passage(self, evidence: Evidence) -> Draft:
        """What the best passage says, without its bare title and what is beside the point.

        What other passages say is added where it may be the answer as well.
        """
        writer = _Writer(evidence)
        best = evidence.candidates[0]
        same = [c for c in evidence.candidates if c.hit.chunk.id == best.hit.chunk.id]
        told = [c for c in same if not c.feature("title")]
        within = self.config.passage_within
        top = max((c.score for c in told), default=best.score)
        kept = [c for c in told if top - c.score < within] or [best]
        likely = evidence.candidates[: worth_saying(evidence.candidates)]
        others = [
            c
            for c in likely
            if c.hit.chunk.id != best.hit.chunk.id and best.score - c.score < within
        ]
        room = self.config.max_chars
        chosen: list[Candidate] = []
        for candidate in (*kept, *others):
            if not chosen or len(candidate.text) <= room:
                chosen.append(candidate)
                room -= len(candidate.text)
        own = [c for c in chosen if c.hit.chunk.id == best.hit.chunk.id]
        said = [*sorted(own, key=lambda c: c.start), *chosen[len(own) :]]
        for candidate in self._with_parts(evidence, said):
            writer.add_candidate(candidate)
        return writer.draft(lead=_lead(writer.citations))

    def listed(self, evidence: Evidence, section: Section) -> Draft:
        """All items of the section asked for, complete and in order."""
        writer = _Writer(evidence)
        for entry in section.entries:
            writer.add(entry.chunk, (entry.start, entry.end), entry.text)
        lead = _lead(writer.citations, section.title)
        if not section.title and evidence.intent.kind == "across":
            lead = f"共 {len(section.entries)} 个案例："
        return writer.draft(lead=lead)

    def _across(self, evidence: Evidence) -> Draft | None:
        """One sentence of every case that speaks of the topic, and how many cases do.

        Figures of several cases make a table.
        """
        figures = evidence.intent.wants == "number"
        able = [c for c in evidence.candidates if c.fits] if figures else evidence.candidates
        chosen = speaking(able, evidence.literals, evidence.question)
        if not chosen:
            return None
        writer = _Writer(evidence)
        names = tuple(case_name(candidate.hit.chunk) for candidate in chosen)
        cells = tuple(
            ((writer.add_candidate(candidate, name),),)
            for candidate, name in zip(chosen, names, strict=True)
        )
        total = evidence.n_cases
        note = f"{total} 个案例中有 {len(chosen)} 个提到。" if total > 1 else ""
        if figures and len(chosen) > 1:
            table = Table(("数字与原文",), names, cells)
            return writer.draft(note=note, table=table)
        return writer.draft(note=note)

    def _compare(self, evidence: Evidence) -> Draft | None:
        """The best sentences about each thing that is compared, a table column each."""
        # A part is searched in its own place or case only, where less proof will do.
        least = self.config.refuse_below * self.config.part_share
        sure = [p for p in evidence.parts if p.candidates and p.confidence >= least]
        if not sure:
            return None
        writer = _Writer(evidence)
        fits_best = owners(sure)
        cells = []
        for part in sure:
            room = self.config.max_chars // len(sure)
            best = part.candidates[0]
            cell: list[int] = []
            for candidate in part.candidates[:MAX_SENTENCES]:
                gap = best.score - candidate.score
                own = fits_best[_place(candidate)] == part.name
                near = own and gap < self.config.compare_within
                fits = len(candidate.text) <= room and not candidate.feature("title")
                if candidate is best or (near and fits and len(cell) < 3):
                    cell.append(writer.add_candidate(candidate, part.name))
                    room -= len(candidate.text)
            cells.append(tuple(cell))
        missing = "、".join(p.name for p in evidence.parts if p not in sure)
        note = f"材料中没有找到关于{missing}的相关内容。" if missing else ""
        if len(sure) < 2:
            return writer.draft(note=note)
        columns = tuple(part.name for part in sure)
        return writer.draft(note=note, table=Table(columns, ("相关内容",), (tuple(cells),)))


def owners(parts: Sequence[Part]) -> dict[tuple[int, int], str]:
    """For the best sentences about what is compared, which of it each fits best."""
    gaps: dict[tuple[int, int], tuple[float, str]] = {}
    for part in parts:
        for sentence in part.candidates[:MAX_SENTENCES]:
            gap = part.candidates[0].score - sentence.score
            place = _place(sentence)
            if place not in gaps or gap < gaps[place][0]:
                gaps[place] = (gap, part.name)
    return {place: name for place, (_, name) in gaps.items()}


def _place(sentence: Candidate) -> tuple[int, int]:
    return sentence.hit.chunk.document_id, sentence.start


def as_table(draft: Draft) -> Table:
    """The sentences of a draft as rows of a table, each headed by where it stands."""
    citation = {c.n: c for c in draft.citations}
    rows: list[str] = []
    cells: list[tuple[tuple[int, ...], ...]] = []
    for i, sentence in enumerate(draft.sentences):
        source = citation[sentence.citations[0]]
        case = f"案例{chinese_numeral(source.case)}" if source.case else f"《{source.document}》"
        rows.append(" · ".join(filter(None, [case, source.section])))
        cells.append(((i,),))
    return Table(("原文",), tuple(rows), tuple(cells))


def _lead(citations: Sequence[Citation], title: str = "") -> str:
    """An opening line that names where the answer stands."""
    places = {(c.document, c.case, c.case_title) for c in citations}
    if len(places) != 1:
        return ""
    document, case, case_title = places.pop()
    name = f"案例{chinese_numeral(case)}《{case_title}》" if case else f"《{document}》"
    below = f" · {title}" if title and title != case_title else ""
    return f"{name}{below}："
