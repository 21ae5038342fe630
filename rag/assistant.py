"""Questions in, answers out: the one class that the interfaces use.

A question goes through five steps, each a plain function of the layer below: completed from the
history, retrieved and ranked, turned into evidence, answered, verified.
"""

import logging
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from corpus.errors import ModelError
from embeddings.encoder import load_encoder
from rag.checks import check
from rag.config import Config, default_home, load_config
from rag.english import chinese_keywords, is_english
from rag.evidence import Evidence, gather
from rag.extractive import ExtractiveAnswerer
from rag.followup import complete
from rag.generate import open_generator
from rag.library import Library, Progress
from rag.match import term_and_word_sets
from rag.questions import Intent, clean_question, read_intent, topic
from rag.rerank import load_weights
from rag.retriever import Retriever
from rag.types import (
    Answer,
    Cancel,
    Citation,
    Delta,
    Draft,
    Filters,
    Hit,
    Mode,
    Stage,
    StageName,
)

N_HITS = 25  # passages that an answer may draw on
N_HITS_ACROSS = 200  # ... to a question over all cases
N_HITS_PART = 12  # ... to one part of a comparison
SURE = 0.6  # confidence from which a question is taken to stand for itself
COVERS_FOLLOW_UP = 0.35  # share of a follow-up that its passage must cover
NOT_FOUND = "材料中没有找到能回答这个问题的内容。"
N_NEAREST = 3

_LOG = logging.getLogger(__name__)


class Answerer(Protocol):
    """Writes an answer from evidence, streaming; the draft comes last."""

    @property
    def name(self) -> str:
        """What the answer says it was written by."""
        ...

    def stream(self, evidence: Evidence, cancel: Cancel | None = None) -> Iterator[Delta | Draft]:
        """Yield the text as it is written, then the draft."""
        ...


class Assistant:
    """Answers questions from the documents of one home folder."""

    def __init__(self, library: Library, answerer: Answerer, config: Config) -> None:
        self.library = library
        self.config = config
        self._answerer = answerer
        self._extractive = ExtractiveAnswerer(config.answers)
        self.retriever = Retriever(library, config.retrieval, load_weights())

    @classmethod
    def open(
        cls,
        home: Path | None = None,
        *,
        config: Config | None = None,
        progress: Progress | None = None,
    ) -> "Assistant":
        """Open the library in `home`; the first time, the built-in cases are indexed.

        Raises
        ------
        UserError
            If the home folder, the settings or a model cannot be used.
        """
        home = home or default_home()
        config = config or load_config(home)
        library = Library.open(home, load_encoder(config.model or None), progress)
        try:
            return cls(library, _answerer(config), config)
        except ModelError:
            library.close()
            raise

    def close(self) -> None:
        """Close the library."""
        self.library.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def search(
        self,
        question: str,
        *,
        top_k: int = 10,
        mode: Mode = "hybrid",
        filters: Filters | None = None,
    ) -> list[Hit]:
        """The best passages for a question, best first.

        Raises
        ------
        QuestionError
            If the question is empty or too long.
        """
        question = clean_question(question)
        if is_english(question):
            question = chinese_keywords(question)
        return self.retriever.search(question, top_k=top_k, mode=mode, filters=filters)

    def _evidence(
        self,
        question: str,
        filters: Filters | None,
        watch: "_Watch",
        excluded: Sequence[str] = (),
    ) -> Evidence:
        """What the documents hold about a self-contained question."""
        intent = read_intent(question, self.library.store.places())
        if is_english(question):
            # The words are looked for in Chinese; what is asked for was read from the English.
            question = chinese_keywords(question)
            intent = replace(intent, topic=question)
        hits = self.retriever.search(
            question,
            top_k=N_HITS_ACROSS if intent.kind == "across" else N_HITS,
            filters=narrowed(filters, intent),
            excluded_places=excluded,
        )
        watch.lap("retrieve")
        evidence = gather(question, intent, hits, self.library, self._search_part)
        watch.lap("rank")
        return evidence

    def _speaks_of(self, evidence: Evidence, question: str) -> bool:
        """Whether the best passage covers the question itself, not only the one before it."""
        if not evidence.candidates or evidence.confidence < self.config.answers.refuse_below:
            return False
        chunk = evidence.candidates[0].hit.chunk
        found, _ = term_and_word_sets(f"{chunk.place} {chunk.heading} {chunk.text}")
        return self.library.matcher(topic(question)).coverage(found) >= COVERS_FOLLOW_UP

    def _search_part(self, question: str, filters: Filters | None) -> list[Hit]:
        return self.retriever.search(question, top_k=N_HITS_PART, filters=filters)

    def ask(
        self, question: str, *, history: Sequence[str] = (), filters: Filters | None = None
    ) -> Answer:
        """Answer a question; `history` holds the earlier questions, oldest first."""
        *_, answer = self.stream(question, history=history, filters=filters)
        assert isinstance(answer, Answer)
        return answer

    def stream(
        self,
        question: str,
        *,
        history: Sequence[str] = (),
        filters: Filters | None = None,
        cancel: Cancel | None = None,
    ) -> Iterator[Stage | Delta | Answer]:
        """Answer step by step: stages as they end, text as it is written, last the answer."""
        watch = _Watch()
        question = clean_question(question)
        places = self.library.store.places()
        completed = complete(question, [h for h in history if h.strip()], places)
        yield watch.stage("complete")
        evidence = self._evidence(completed.text, filters, watch, completed.excluded)
        text = completed.text
        if completed.otherwise and evidence.confidence < SURE:
            other = self._evidence(completed.otherwise, filters, watch)
            if self._speaks_of(other, question) and other.confidence > evidence.confidence:
                evidence, text = other, completed.otherwise
        yield from watch.laps()
        draft, notice = Draft(refused=True), ""
        answerer: Answerer = self._answerer
        if evidence.confidence >= self.config.answers.refuse_below:
            try:
                draft = yield from _written(answerer, evidence, cancel)
            except ModelError as error:
                _LOG.warning("%s; answering without a model", error)
                answerer, notice = self._extractive, error.zh
                draft = yield from _written(answerer, evidence, cancel)
        yield watch.stage("generate")
        draft = self._verified(draft, evidence)
        yield watch.stage("verify")
        yield _finished(
            Answer(
                question=question,
                completed_question=text if text == question else evidence.question,
                answer="",
                refused=draft.refused,
                sentences=draft.sentences,
                citations=draft.citations,
                answerer=answerer.name,
                seconds=watch.total(),
                lead=draft.lead,
                note=draft.note,
                table=draft.table,
                stages=tuple(watch.stages),
                confidence=evidence.confidence,
                notice=notice,
            ),
            evidence,
        )

    def _verified(self, draft: Draft, evidence: Evidence) -> Draft:
        """The draft with a verdict on every sentence; what fails is marked or dropped."""
        parts = [c.hit for part in evidence.parts for c in part.candidates]
        return check(
            verbatim(draft, self.library),
            [*evidence.hits, *parts],
            self.library.encoder,
            failing=self.config.answers.failing,
        )


def narrowed(filters: Filters | None, intent: Intent) -> Filters | None:
    """The filters with what the question itself names as the place to look: 案例七, 深圳的案例."""
    filters = filters or Filters()
    if len(intent.cases) == 1 and not filters.cases:
        filters = replace(filters, cases=intent.cases)
    if intent.kind == "across" and intent.places and not filters.places:
        filters = replace(filters, places=intent.places)
    return filters or None


def verbatim(draft: Draft, library: Library) -> Draft:
    """Keep the citations whose quote stands in the document, and the sentences that cite them.

    A quote is verbatim, or it is not shown.
    """
    kept = {
        c.n
        for c in draft.citations
        if library.document(c.document_id).text[c.start : c.end] == c.quote
    }
    if len(kept) == len(draft.citations):
        return draft
    lost = [c for c in draft.citations if c.n not in kept]
    _LOG.error("%d quotes do not stand in their document: %s", len(lost), lost)
    # A table names sentences by their position, so it goes if any of them does.
    sentences = tuple(s for s in draft.sentences if set(s.citations) <= kept)
    citations = tuple(c for c in draft.citations if c.n in kept)
    return replace(draft, sentences=sentences, citations=citations, table=None)


class _Watch:
    """Measures stages; a stage that is gone through twice adds up."""

    def __init__(self) -> None:
        self._started = self._last = time.perf_counter()
        self._laps: dict[StageName, float] = {}
        self.stages: list[Stage] = []

    def lap(self, name: StageName) -> None:
        now = time.perf_counter()
        self._laps[name] = self._laps.get(name, 0.0) + now - self._last
        self._last = now

    def laps(self) -> list[Stage]:
        ended = [Stage(name, seconds) for name, seconds in self._laps.items()]
        self._laps.clear()
        self.stages += ended
        return ended

    def stage(self, name: StageName) -> Stage:
        self.lap(name)
        return self.laps()[-1]

    def total(self) -> float:
        return time.perf_counter() - self._started


def _written(
    answerer: Answerer, evidence: Evidence, cancel: Cancel | None
) -> Generator[Delta, None, Draft]:
    draft = Draft(refused=True)
    for part in answerer.stream(evidence, cancel):
        if isinstance(part, Draft):
            draft = part
        else:
            yield part
    return draft


def _answerer(config: Config) -> Answerer:
    if config.answerer == "extractive":
        return ExtractiveAnswerer(config.answers)
    return open_generator(config.answerer, config.generation)


def _finished(answer: Answer, evidence: Evidence) -> Answer:
    """Put the plain text together; a refusal gets the nearest passages instead."""
    if answer.refused or not answer.sentences:
        nearest = tuple(_nearest(n, hit) for n, hit in enumerate(evidence.hits[:N_NEAREST], 1))
        return replace(answer, refused=True, answer=NOT_FOUND, nearest=nearest)
    lines = [answer.lead] if answer.lead else []
    group = ""
    for sentence in answer.sentences:
        if sentence.group != group:
            group = sentence.group
            lines.append(f"【{group}】")
        lines.append(sentence.text + "".join(f"[{n}]" for n in sentence.citations))
    if answer.note:
        lines.append(answer.note)
    return replace(answer, answer="\n".join(lines))


def _nearest(n: int, hit: Hit) -> Citation:
    return Citation.of(n, hit.chunk, (hit.chunk.start, hit.chunk.end), hit.chunk.text)
