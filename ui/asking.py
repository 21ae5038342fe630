"""A question from the page in, updates of its message out, until it is answered, stopped or failed.

Every update holds the whole message as it stands, so that a lost one does no harm.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Event

from rag.types import Answer, Delta, Filters, Stage
from ui.chat import render_failed, render_live, render_turn
from ui.conversations import Conversations
from ui.service import Service, explain, wait_turn
from ui.text import Lang, as_lang, say

_SELECTORS = ("place", "case", "department", "theme", "date")
UPDATE_S = 0.05  # at most this often while text streams in

Update = dict[str, object]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the page sends with a question."""

    run: str
    question: str
    lang: Lang
    conversation: int  # 0 = a new one
    retry: int  # the message that is asked again, 0 = none
    filters: Filters

    @classmethod
    def from_page(cls, data: object) -> "Asked":
        """Read the event's data; anything missing or odd becomes a default."""
        fields = data if isinstance(data, dict) else {}
        return cls(
            run=str(fields.get("run", ""))[:80],
            question=str(fields.get("question", "")),
            lang=as_lang(fields.get("lang")),
            conversation=as_number(fields.get("conversation")),
            retry=as_number(fields.get("retry")),
            filters=scope_filters(**{name: str(fields.get(name) or "") for name in _SELECTORS}),
        )


def as_number(value: object) -> int:
    """A number that the page sent, 0 for anything else."""
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0


def scope_filters(
    *, place: str = "", case: str = "", department: str = "", theme: str = "", date: str = ""
) -> Filters:
    """The filters of the selectors; `case` is `document:case`, `date` is years `from:to`.

    Any of them and any part of those two may be empty.
    """
    document, _, number = case.partition(":")
    since, until = (year if as_number(year) else "" for year in date.partition(":")[::2])
    return Filters(
        documents=(as_number(document),) if as_number(document) else (),
        cases=(as_number(number),) if as_number(number) else (),
        places=(place,) if place else (),
        departments=(department,) if department else (),
        themes=(theme,) if theme else (),
        since=since,
        until=until,
    )


def answer_question(
    service: Service, asked: Asked, extras: Callable[[int], Update]
) -> Iterator[Update]:
    """Answer and keep the answer.

    Parameters
    ----------
    extras
        Further parts of the last update for the conversation it went to: the list.

    Yields
    ------
    dict
        `run`, `html` of the message, `done`; the last one also `conversation`.
    """
    with service.runs.enter(asked.run) as cancel:
        live = _Live(asked, cancel)
        try:
            yield live.update()
            for ahead in wait_turn(service.runs, asked.run, cancel):
                yield live.update(say("queued", asked.lang, n=ahead))
            talks = Conversations(service.assistant)
            history = talks.questions(asked.conversation, before=asked.retry)
            events = service.assistant.stream(
                asked.question, history=history, filters=asked.filters, cancel=cancel
            )
            yield from live.follow(events)
            if live.answer is None:
                yield live.stopped()
            else:
                yield _keep(talks, asked, live.answer, extras)
        except Exception as error:  # noqa: BLE001 - the page's edge: a sentence, no traceback
            yield {
                **live.failed(explain(error, asked.lang)),
                "failed": True,
                "question": asked.question,
            }


def _keep(
    talks: Conversations, asked: Asked, answer: Answer, extras: Callable[[int], Update]
) -> Update:
    conversation, message, warning = asked.conversation, 0, ""
    if answer.refused and asked.filters:
        warning = say("scoped", asked.lang)
    try:
        conversation, message = talks.add(asked.conversation, answer)
    except Exception as error:  # noqa: BLE001 - a full disk must not cost the answer
        warning = say("unsaved", asked.lang, reason=explain(error, asked.lang))
    html = render_turn(answer, asked.lang, kept=(conversation, message), warning=warning)
    more = extras(conversation) if message else {}
    return {"run": asked.run, "html": html, "done": True, "conversation": conversation, **more}


class _Live:
    """The message as far as it has come."""

    def __init__(self, asked: Asked, cancel: Event) -> None:
        self.asked = asked
        self.cancel = cancel
        self.text = ""
        self.stages: dict[str, Stage] = {}  # by name: one that comes again takes its own place
        self.answer: Answer | None = None

    def follow(self, events: Iterator[Stage | Delta | Answer]) -> Iterator[Update]:
        shown = 0.0
        for event in events:
            if isinstance(event, Answer):
                self.answer = event
                return
            if isinstance(event, Stage):
                self.stages[event.name] = event
            else:
                self.text += event.text
            if self.cancel.is_set():
                return
            # A stage is always told: the next event may be a long time coming.
            if isinstance(event, Stage) or time.monotonic() - shown >= UPDATE_S:
                shown = time.monotonic()
                yield self.update()

    def update(self, notice: str = "") -> Update:
        asked = self.asked
        html = render_live(
            asked.question,
            asked.lang,
            text=self.text,
            stages=list(self.stages.values()),
            notice=notice,
        )
        return {"run": asked.run, "html": html, "done": False}

    def stopped(self) -> Update:
        return self.failed(say("stopped" if self.text else "stopped_early", self.asked.lang))

    def failed(self, message: str) -> Update:
        asked = self.asked
        html = render_failed(asked.question, asked.lang, message, text=self.text)
        return {"run": asked.run, "html": html, "done": True}
