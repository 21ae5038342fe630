"""Questions in, answers out: the one class that the interfaces use.

A question goes through six steps, each a plain function of the layer below: slips of typing put
right, completed from the history, retrieved and ranked, turned into evidence, answered, verified.
"""

import logging
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from corpus.chunks import opening
from corpus.errors import ModelError
from embeddings.encoder import Encoder, load_encoder
from rag.checks import check
from rag.config import Config, default_home, load_config
from rag.conversation import Conversation, Steps, Talks, outcome
from rag.english import chinese_keywords, is_english
from rag.evidence import Evidence, Sources, asking, gather
from rag.extractive import ExtractiveAnswerer
from rag.followup import joined
from rag.generate import open_generator
from rag.library import Library, Progress
from rag.questions import Intent, as_question, clean_question, read_intent, without_addenda
from rag.reread import N_READ, reread
from rag.retriever import Retriever
from rag.select import sentences
from rag.spelling import Spelling
from rag.turn import Turn
from rag.types import (
    NOT_FOUND,
    UNSUPPORTED,
    Answer,
    Cancel,
    Citation,
    Delta,
    Draft,
    Filters,
    Hit,
    Mode,
    Stage,
)

N_HITS = 25  # passages that an answer may draw on
N_HITS_ACROSS = 200  # ... to a question over all cases
N_HITS_PART = 12  # ... to one part of a comparison
N_NEAREST = 3

UNSURE = (
    "把握不大：材料可能没有直接说到，请打开原文核对。",
    "Not sure: the documents may not say this directly; please check the sources.",
)

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
        self.retriever = Retriever(library, config.retrieval)
        self._talks: Talks = {}

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
        """The best passages for a question, best first, with the headings that they open under.

        Raises
        ------
        QuestionError
            If the question is empty or too long.
        """
        snapshot = self.library.snapshot()
        spelling = Spelling(snapshot.lexical, self.library.store)
        question = spelling.corrected(clean_question(question))
        if is_english(question):
            question = chinese_keywords(question, snapshot.lexical.most_that_hold)
        hits = self.retriever.search(
            question, top_k=max(top_k, N_READ), mode=mode, filters=filters, snapshot=snapshot
        )
        if mode == "hybrid":
            intent = read_intent(question, self.library.store.places())
            asked = asking(question, intent, self.library, snapshot.encoder)
            hits = list(reread(intent, sentences(asked, hits, N_READ)).hits)
        return [
            replace(hit, opening=opening(self.library.document(hit.chunk.document_id), hit.chunk))
            for hit in hits[:top_k]
        ]

    def evidence(
        self, question: str, *, history: Sequence[str] = (), filters: Filters | None = None
    ) -> Evidence:
        """What the documents hold about a question; its `question` is self-contained."""
        turn = Turn(self.library)
        return outcome(self._understood(clean_question(question), history, filters, turn))

    def _understood(
        self, question: str, history: Sequence[str], filters: Filters | None, turn: Turn
    ) -> Steps:
        """The evidence under the reading of the question that the documents bear out best."""
        spelling = Spelling(turn.snapshot.lexical, self.library.store)
        said = [question, *(before for before in history if before.strip())]
        question, *earlier = (as_question(spelling.corrected(text)) for text in said)
        earlier = [
            before for before in earlier if before != question
        ]  # asked again, it stands alone
        yield turn.stage("complete")
        return (yield from self.conversation(turn, filters).understood(question, earlier))

    def conversation(self, turn: Turn, filters: Filters | None = None) -> Conversation:
        """What understands questions one after another."""
        look_up = partial(self._evidence, turn=turn)
        places, refuse_below = self.library.store.places(), self.config.answers.refuse_below
        return Conversation(look_up, places, refuse_below, filters, self._talks)

    def _evidence(
        self,
        question: str,
        filters: Filters | None,
        *,
        turn: Turn,
        excluded: Sequence[str] = (),
        context: str = "",
    ) -> Steps:
        """What the documents hold about a question, self-contained or with its context."""
        whole = joined(context, question) if context else question
        intent = self._intent(question, whole)
        if in_english := is_english(whole):
            in_chinese = partial(chinese_keywords, said=turn.snapshot.lexical.most_that_hold)
            question, context, whole = map(in_chinese, (question, context, whole))
            # The English tells what is asked for, the Chinese about what.
            intent = replace(
                self._intent(question, whole),
                kind=intent.kind,
                wants=intent.wants,
                measures=intent.measures,
                subject="",
            )
        hits = self.retriever.search(
            without_addenda(whole),
            top_k=N_HITS_ACROSS if intent.kind == "across" else N_HITS,
            filters=narrowed(filters, intent),
            excluded_places=excluded,
            snapshot=turn.snapshot,
        )
        yield turn.stage("retrieve")
        search_part = partial(self._search_part, turn)
        sources = Sources(self.library, turn.snapshot.encoder, filters, search_part)
        evidence = gather(without_addenda(question), intent, hits, sources, context)
        if in_english:  # keywords do not tell what a figure measures
            evidence = replace(evidence, short=None)
        yield turn.stage("rank")
        return replace(evidence, question=whole)

    def _intent(self, question: str, whole: str) -> Intent:
        """What is asked for; places and cases may be named in the context."""
        places = self.library.store.places()
        intent, all_of_it = read_intent(question, places), read_intent(whole, places)
        if question == whole:
            return intent
        return replace(
            intent,
            places=all_of_it.places,
            cases=all_of_it.cases,
            mentions=all_of_it.mentions,
            overview=False,
        )

    def _search_part(self, turn: Turn, question: str, filters: Filters | None) -> list[Hit]:
        return self.retriever.search(
            question, top_k=N_HITS_PART, filters=filters, snapshot=turn.snapshot
        )

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
        """Answer step by step: stages as they end, text as it is written, last the answer.

        A stage that is gone through again comes again, with the time of both.
        """
        turn = Turn(self.library)
        question = clean_question(question)
        evidence = yield from self._understood(question, history, filters, turn)
        draft, failure = Draft(refused=True), None
        answerer: Answerer = self._answerer
        if evidence.confidence >= self.config.answers.refuse_below:
            try:
                draft = yield from _written(answerer, evidence, cancel)
            except ModelError as error:
                _LOG.warning("%s; answering without a model", error)
                answerer, failure = self._extractive, error
                draft = yield from _written(answerer, evidence, cancel)
        yield turn.stage("generate")
        draft = self._verified(draft, evidence, turn.snapshot.encoder)
        yield turn.stage("verify")
        unsure = not draft.refused and evidence.confidence < self.config.answers.sure_from
        notice = (failure.zh, failure.en) if failure else UNSURE if unsure else ("", "")
        yield _finished(
            Answer(
                question=question,
                completed_question=evidence.question,
                answer="",
                refused=draft.refused,
                sentences=draft.sentences,
                citations=draft.citations,
                answerer=answerer.name,
                seconds=turn.total(),
                lead=draft.lead,
                note=draft.note,
                table=draft.table,
                stages=turn.stages,
                confidence=evidence.confidence,
                notice=notice[0],
                notice_en=notice[1],
            ),
            evidence,
        )

    def _verified(self, draft: Draft, evidence: Evidence, encoder: Encoder) -> Draft:
        """The draft with a verdict on every sentence; what fails is marked or dropped."""
        parts = [c.hit for part in evidence.parts for c in part.candidates]
        return check(
            verbatim(draft, self.library),
            [*evidence.hits, *parts],
            encoder,
            failing=self.config.answers.failing,
        )


def narrowed(filters: Filters | None, intent: Intent) -> Filters | None:
    """The filters with what the question itself names as the place to look: 案例七, 深圳的案例."""
    filters = filters or Filters()
    if intent.cases and not filters.cases:
        filters = replace(filters, cases=intent.cases)
    if intent.kind == "across" and intent.places and not filters.places:
        filters = replace(filters, places=intent.places)
    return filters or None


def verbatim(draft: Draft, library: Library) -> Draft:
    """Keep the citations whose quote stands in the document, and the sentences that cite them.

    A quote is verbatim, or it is not shown. Its page is that of its own first character: a passage
    may begin on the page before.
    """
    found = [(c, library.document(c.document_id)) for c in draft.citations]
    citations = tuple(
        replace(c, page=document.page_at(c.start))
        for c, document in found
        if document.text[c.start : c.end] == c.quote
    )
    if len(citations) == len(draft.citations):
        return replace(draft, citations=citations)
    kept = {c.n for c in citations}
    lost = [c for c in draft.citations if c.n not in kept]
    _LOG.error("%d quotes do not stand in their document: %s", len(lost), lost)
    # A table names sentences by their position, so it goes if any of them does.
    sentences = tuple(s for s in draft.sentences if set(s.citations) <= kept)
    return replace(draft, sentences=sentences, citations=citations, table=None)


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
        failed = sentence.support is not None and not sentence.support.supported
        marks = "".join(f"[{n}]" for n in sentence.citations)
        lines.append(sentence.text + (UNSUPPORTED if failed else "") + marks)
    if answer.note:
        lines.append(answer.note)
    return replace(answer, answer="\n".join(lines))


def _nearest(n: int, hit: Hit) -> Citation:
    return Citation.of(n, hit.chunk, (hit.chunk.start, hit.chunk.end), hit.chunk.text)
