"""A question and the ones before it in, the evidence under the reading that is borne out best out.

A question with some content may go on from the one before it or change the topic. It is looked up
by itself everywhere, and with the question before it where that one was answered. A logistic model
tells which is meant, from how the question is put (它, 该市, 那…, few nouns, no names) and from how
surely the documents answer it either way; `eval.fit` writes its weights.
"""

import math
import re
from collections.abc import Collection, Generator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

import numpy as np

from corpus.filters import NO_FILTERS, Filters
from corpus.types import Home
from embeddings.fold import fold
from rag.evidence import Evidence
from rag.followup import Completed, Talk, complete, continues, joined, own_topic, stands_alone
from rag.linear import fitted
from rag.tagging import tagger
from rag.types import Stage

N_BACK = 50  # earlier questions that are gone back to
N_KEPT = 1_000  # conversations whose state is kept
BY_ITSELF = 0.2  # confidence by which a question may trail that is not mixed with the one before

FEATURES = (
    "continues",  # 1: it opens like a continuation or points back
    "length",  # of its topic, in tens of characters
    "nouns",  # how many it holds
    "named",  # 1: it holds a name
    "quoted",  # 1: it quotes something
    "alone",  # log odds that the documents answer it by itself
    "following",  # ... that they do as going on from the one before it
    "there",  # ... that they do so by itself where the one before it was answered
    "covered",  # share of its terms in what answers it there, less that in what answers it alone
    "answered",  # 1: they answer it by itself
    "same_case",  # 1: by itself it is answered where the one before it was
)
_QUOTED = re.compile(r'[“”《》"]')
_NAMING = ("nr", "ns", "nt", "nz")  # tags of persons, places, organisations, other names

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
    seen: list[float]  # what tells which of them is meant, see FEATURES


@dataclass(frozen=True, slots=True)
class _Continued:
    """What is found when a question is read as going on."""

    before: Evidence  # for its context
    found: Evidence
    there: Evidence | None = None  # for the question by itself, where the context was answered


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
        continued = yield from self._following(completed)
        return Readings(alone, continued.found, self._seen(completed.question, alone, continued))

    def _seen(self, question: str, alone: Evidence, continued: "_Continued") -> list[float]:
        """What the model sees of a question, in the order of FEATURES."""
        tags = [tag for word, tag in tagger().tag(fold(question)) if word.strip()]
        nouns = sum(tag[:1] == "n" or tag in ("vn", "j", "l", "eng") for tag in tags)
        before, there = continued.before, continued.there
        return [
            float(continues(question)),
            len(own_topic(question)) / 10,
            nouns / 3,
            float(any(tag in _NAMING for tag in tags)),
            float(bool(_QUOTED.search(question))),
            _log_odds(alone.confidence),
            _log_odds(continued.found.confidence),
            _log_odds(there.confidence if there else 0.0),
            (_covered(there) if there else 0.0) - _covered(alone),
            float(self._found(alone)),
            float(self._found(before) and _home(alone) == _home(before)),
        ]

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
            continued = yield from self._following(completed)
            return True, continued.found
        readings = yield from self.readings(completed)
        # What neither reading answers stands as it was asked.
        answered = self._found(readings.alone) or self._found(readings.following)
        goes_on = fitted("follow", FEATURES).totals(np.array(readings.seen)) > 0
        follows = answered and bool(goes_on)
        return follows, readings.following if follows else readings.alone

    def _following(self, completed: Completed) -> Generator[Stage, None, "_Continued"]:
        """What answers a question that goes on from its context.

        That is looked for where the context was answered, unless nothing is found there.
        """
        question, context = completed.question, completed.context
        before = yield from self.look_up(context, self.filters)
        if self._found(before) and before.intent.kind != "across":
            there = (self.filters or NO_FILTERS).within(before.candidates[0].hit.chunk.home)
            found = yield from self.look_up(question, there, context=context)
            if self._found(found):
                bare = yield from self.look_up(question, there)
                if bare.confidence >= found.confidence - BY_ITSELF:
                    found = replace(bare, question=joined(context, question))
                return _Continued(before, found, bare)
        found = yield from self.look_up(question, self.filters, context=context)
        return _Continued(before, found)

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


def _log_odds(p: float) -> float:
    return math.log((p + 0.01) / (1.01 - p))


def _covered(evidence: Evidence) -> float:
    return evidence.candidates[0].feature("context") if evidence.candidates else 0.0


def _home(evidence: Evidence) -> Home | None:
    """The case, or document, of the best sentence."""
    return evidence.candidates[0].hit.chunk.home if evidence.candidates else None
