"""Evidence in, an answer made of the documents' own sentences out: the default, without a model.

The kind of question decides the form. A fact is answered by the sentence that holds it; a list by
the items of the section that is asked for, complete and in order; a question on several places or
cases by the best sentences of each, grouped; a question over all cases by one sentence of every
case that speaks of it. Every sentence is verbatim and cites exactly itself.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from corpus.outline import chinese_numeral
from corpus.types import Chunk
from rag.config import AnswerConfig
from rag.evidence import Evidence
from rag.select import Candidate, marks
from rag.types import Cancel, Citation, Delta, Draft, Sentence, Table


@dataclass(slots=True)
class _Writer:
    """Collects sentences with their citations, numbered in order of appearance."""

    evidence: Evidence
    sentences: list[Sentence] = field(default_factory=list)
    citations: list[Citation] = field(default_factory=list)

    def add(self, chunk: Chunk, span: tuple[int, int], text: str, group: str = "") -> int:
        """Add `text`, which is the document's [span]; returns the sentence's index."""
        start = span[0]
        found = marks(self.evidence.intent, self.evidence.question, text)
        for citation in self.citations:
            if (citation.document_id, citation.start, citation.end) == (chunk.document_id, *span):
                break
        else:
            at = tuple((start + a, start + b) for a, b in found)
            citation = Citation.of(len(self.citations) + 1, chunk, span, text, at)
            self.citations.append(citation)
        self.sentences.append(Sentence(text, (citation.n,), marks=found, group=group))
        return len(self.sentences) - 1

    def add_candidate(self, candidate: Candidate, group: str = "") -> int:
        """Add a selected sentence."""
        span = (candidate.start, candidate.end)
        return self.add(candidate.hit.chunk, span, candidate.text, group)

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
        kind = evidence.intent.kind
        if evidence.intent.overview and evidence.section:
            return self._list(evidence)
        if kind == "across" and (draft := self._across(evidence)):
            return draft
        if kind == "compare" and (draft := self._compare(evidence)):
            return draft
        if kind in ("list", "how") and self._asks_for_section(evidence):
            return self._list(evidence)
        if kind == "how" or (kind == "list" and evidence.intent.measures):
            return self._passage(evidence)
        return self._fact(evidence)

    def _asks_for_section(self, evidence: Evidence) -> bool:
        """Whether the items of a section answer better than a sentence does."""
        section, best = evidence.section, evidence.candidates[0]
        if section is None or section.score < self.config.list_from:
            return False
        if evidence.intent.kind == "how":
            # How something is done stands in the text of an item, unless the very heading is asked.
            return not section.is_case and section.covers >= self.config.how_covers
        if evidence.intent.measures:
            return True
        # Names (which companies, which documents) are enumerated inside one sentence.
        return not enumerates(best.text) and section.covers >= best.feature("own")

    def _fact(self, evidence: Evidence) -> Draft:
        """The sentence that holds the answer, and another one as good, if there is."""
        writer = _Writer(evidence)
        best = evidence.candidates[0]
        chosen = [best]
        for other in evidence.candidates[1:4]:
            if len(chosen) < 2 and best.score - other.score < self.config.second_within:
                chosen.append(other)
        room = self.config.max_chars
        for candidate in chosen:
            if candidate is best or len(candidate.text) <= room:
                writer.add_candidate(candidate)
                room -= len(candidate.text)
        return writer.draft(lead=_lead(writer.citations))

    def _passage(self, evidence: Evidence) -> Draft:
        """What the best passage says, without its bare title and what is beside the point."""
        writer = _Writer(evidence)
        best = evidence.candidates[0]
        same = [c for c in evidence.candidates if c.hit.chunk.id == best.hit.chunk.id]
        kept = [
            c
            for c in same
            if best.score - c.score < self.config.passage_within and not c.feature("title")
        ]
        room = self.config.max_chars
        chosen: list[Candidate] = []
        for candidate in kept or [best]:
            if not chosen or len(candidate.text) <= room:
                chosen.append(candidate)
                room -= len(candidate.text)
        for candidate in sorted(chosen, key=lambda c: c.start):
            writer.add_candidate(candidate)
        return writer.draft(lead=_lead(writer.citations))

    def _list(self, evidence: Evidence) -> Draft:
        """All items of the section asked for, complete and in order."""
        section = evidence.section
        assert section is not None
        writer = _Writer(evidence)
        for entry in section.entries:
            writer.add(entry.chunk, (entry.start, entry.end), entry.text)
        lead = _lead(writer.citations, section.title)
        if not section.title and evidence.intent.kind == "across":
            lead = f"共 {len(section.entries)} 个案例："
        return writer.draft(lead=lead)

    def _across(self, evidence: Evidence) -> Draft | None:
        """One sentence of every case that speaks of the topic, and how many cases do."""
        best = evidence.candidates[0]
        chosen: dict[tuple[int, int | None], Candidate] = {}
        for candidate in evidence.candidates:
            chunk = candidate.hit.chunk
            near = candidate.score >= best.score * self.config.across_within
            if evidence.literal in candidate.text if evidence.literal else near:
                chosen.setdefault((chunk.document_id, chunk.case), candidate)
        if not chosen:
            return None
        writer = _Writer(evidence)
        for candidate in sorted(chosen.values(), key=lambda c: (c.hit.chunk.document_id, c.start)):
            writer.add_candidate(candidate, case_name(candidate.hit.chunk))
        total = evidence.n_cases
        note = f"{total} 个案例中有 {len(chosen)} 个提到。" if total > 1 else ""
        return writer.draft(note=note)

    def _compare(self, evidence: Evidence) -> Draft | None:
        """The best sentences about each thing that is compared, a table column each."""
        # A part is searched in its own place or case only, where less proof will do.
        least = self.config.refuse_below * self.config.part_share
        sure = [p for p in evidence.parts if p.confidence >= least]
        if not sure:
            return None
        writer = _Writer(evidence)
        cells = []
        for part in sure:
            room = self.config.max_chars // len(sure)
            best = part.candidates[0]
            cell: list[int] = []
            for candidate in part.candidates[:4]:
                near = best.score - candidate.score < self.config.compare_within
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


def enumerates(text: str) -> bool:
    """Whether a sentence lists names: three parts between 、 or two titles."""
    return text.count("、") >= 2 or text.count("《") >= 2


def _lead(citations: Sequence[Citation], title: str = "") -> str:
    """An opening line that names where the answer stands."""
    places = {(c.document, c.case, c.case_title) for c in citations}
    if len(places) != 1:
        return ""
    document, case, case_title = places.pop()
    name = f"案例{chinese_numeral(case)}《{case_title}》" if case else f"《{document}》"
    below = f" · {title}" if title and title != case_title else ""
    return f"{name}{below}："
