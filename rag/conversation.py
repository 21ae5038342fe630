"""A question and the ones before it in, the evidence under the reading that is borne out best out.

Whether a question goes on from the one before it is settled by what the documents hold: it is
looked up by itself everywhere, and with the question before it where that one was answered.
"""

from collections.abc import Collection, Generator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from corpus.filters import NO_FILTERS, Filters
from rag.evidence import Evidence
from rag.followup import Completed, Talk, complete, features, goes_on, joined, stands_alone
from rag.types import Stage

N_BACK = 50  # earlier questions that are gone back to
N_KEPT = 1_000  # conversations whose state is kept
BY_ITSELF = 0.2  # confidence by which a question may trail that is not mixed with the one before

Steps = Generator[Stage, None, Evidence]  # yields what has ended, returns what was found
Talks = dict[tuple[tuple[str, ...], Filters | None], Talk]  # what earlier questions leave
T = TypeVar("T")


class LookUp(Protocol):
    """Looks a question up in the documents."""

    def __call__(
        self,
        question: str,
        filters: Filters | None,
        *,
        excluded: Sequence[str] = (),
        context: str = "",
    ) -> Steps:
        """Find the evidence for a question, or for one that goes on from `context`."""
        ...


@dataclass(frozen=True, slots=True)
class Readings:
    """A question by itself, and as going on from the one before it."""

    alone: Evidence
    following: Evidence
    seen: list[float]  # what tells which of them is meant, see `rag.followup.FEATURES`


@dataclass(frozen=True, slots=True)
class Conversation:
    """Understands questions one after another."""

    look_up: LookUp
    places: Collection[str]  # of the documents
    refuse_below: float  # confidence of what counts as found
    filters: Filters | None
    talks: Talks  # those worked out already

    def understood(self, question: str, earlier: Sequence[str]) -> Steps:
        """The evidence for a question after the earlier ones, oldest first."""
        talk = yield from self._talk(tuple(earlier[-N_BACK:]))
        if not talk:
            return (yield from self.look_up(question, self.filters))
        completed = complete(question, talk.text, self.places)
        _, evidence = yield from self._read(completed)
        return replace(evidence, form=completed.form)

    def readings(self, completed: Completed) -> Generator[Stage, None, Readings]:
        """Both readings of a question that may go on from its context."""
        alone = yield from self.look_up(completed.question, self.filters)
        before, following = yield from self._following(completed)
        seen = features(
            completed.question,
            alone.confidence,
            following.confidence,
            answered=self._found(alone),
            same_case=self._found(before) and _home(alone) == _home(before),
        )
        return Readings(alone, following, seen)

    def _talk(self, earlier: tuple[str, ...]) -> Generator[Stage, None, Talk | None]:
        """What earlier questions leave to go on from."""
        if not earlier:
            return None
        *before, question = earlier
        if stands_alone(question, self.places):
            return Talk(question)
        known = (earlier, self.filters)
        if found := self.talks.get(known):  # another thread may clear them
            return found
        talk = yield from self._talk(tuple(before))
        found = yield from self._after(talk, question)
        if len(self.talks) >= N_KEPT:
            self.talks.clear()
        self.talks[known] = found
        return found

    def _after(self, talk: Talk | None, question: str) -> Generator[Stage, None, Talk]:
        """What is talked about once a question was asked."""
        if not talk:
            return Talk(question)
        completed = complete(question, talk.text, self.places)
        if completed.form:
            return talk
        follows = completed.follows
        if completed.context and not follows:
            follows, _ = yield from self._read(completed)
        return Talk(talk.root, question) if follows else Talk(completed.question)

    def _read(self, completed: Completed) -> Generator[Stage, None, tuple[bool, Evidence]]:
        """Whether a question goes on from its context, and what is found when it is so read."""
        if not completed.context:
            found = yield from self.look_up(
                completed.question, self.filters, excluded=completed.excluded
            )
            return False, found
        if completed.follows:
            _, following = yield from self._following(completed)
            return True, following
        readings = yield from self.readings(completed)
        follows = goes_on(readings.seen)
        return follows, readings.following if follows else readings.alone

    def _following(self, completed: Completed) -> Generator[Stage, None, tuple[Evidence, Evidence]]:
        """What answers the context, and what answers a question that goes on from it.

        That is looked for where the context was answered, unless nothing is found there.
        """
        question, context = completed.question, completed.context
        before = yield from self.look_up(context, self.filters)
        if self._found(before) and before.intent.kind != "across":
            document, case = _home(before)
            there = replace(
                self.filters or NO_FILTERS, documents=(document,), cases=(case,) if case else ()
            )
            found = yield from self.look_up(question, there, context=context)
            if self._found(found):
                bare = yield from self.look_up(question, there)
                if bare.confidence >= found.confidence - BY_ITSELF:
                    found = replace(bare, question=joined(context, question))
                return before, found
        return before, (yield from self.look_up(question, self.filters, context=context))

    def _found(self, evidence: Evidence) -> bool:
        return bool(evidence.candidates) and evidence.confidence >= self.refuse_below


def outcome(steps: Generator[Stage, None, T]) -> T:
    """What the steps return, without the stages."""
    while True:
        try:
            next(steps)
        except StopIteration as ended:
            found: T = ended.value
            return found


def _home(evidence: Evidence) -> tuple[int, int | None]:
    """Document and case of the best sentence."""
    if not evidence.candidates:
        return 0, None
    chunk = evidence.candidates[0].hit.chunk
    return chunk.document_id, chunk.case
