"""Conversations of the store in, the list and the messages of the page out.

The only module of the page that calls the store's part for people. An answer is kept as JSON with
all its evidence, so that its sources come back whatever happens to the documents.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from rag.types import Answer, Citation, Sentence, Stage, Support, Table
from ui.markup import escape, icon, icon_button
from ui.text import Lang, local_time, say

if TYPE_CHECKING:
    from rag.assistant import Assistant

TITLE_CHARS = 40  # of the first question, as the name of its conversation


@dataclass(frozen=True, slots=True)
class Talk:
    """A conversation as the list shows it."""

    id: int
    title: str
    updated: str  # ISO date or time, local


@dataclass(frozen=True, slots=True)
class Message:
    """A question that was answered, with how the answer was rated."""

    id: int
    answer: Answer
    rating: str = ""  # "", "good" or a cause


@dataclass(frozen=True, slots=True)
class Rating:
    """What a person said about an answer."""

    question: str
    verdict: str  # "good" or a cause
    note: str = ""
    message: int = 0


class Conversations:
    """The store's conversations as the page uses them."""

    def __init__(self, assistant: "Assistant") -> None:
        self._store: Any = assistant.library.store

    def talks(self, query: str = "") -> list[Talk]:
        """Conversations whose title or messages hold `query`, newest first."""
        return [
            Talk(c.id, c.title, local_time(c.updated)) for c in self._store.conversations(query)
        ]

    def title(self, conversation: int) -> str:
        """What a conversation is called; empty if there is none."""
        return next((talk.title for talk in self.talks() if talk.id == conversation), "")

    def messages(self, conversation: int) -> list[Message]:
        """The messages of a conversation, oldest first."""
        return [
            Message(m.id, answer_from_json(m.answer), m.rating)
            for m in self._store.messages(conversation)
        ]

    def answer(self, message: int) -> Answer | None:
        """One kept answer."""
        found = self._store.message(message)
        return answer_from_json(found.answer) if found else None

    def questions(self, conversation: int, *, before: int = 0) -> list[str]:
        """The questions asked so far, oldest first; those before a message if it is given."""
        if not conversation:
            return []
        messages = self._store.messages(conversation)
        return [m.question for m in messages if not before or m.id < before]

    def add(self, conversation: int, answer: Answer) -> tuple[int, int]:
        """Keep an answer, in a new conversation if it is 0: `(conversation, message)`."""
        # Another window may have deleted the conversation meanwhile.
        if conversation not in (talk.id for talk in self.talks()):
            conversation = self._store.new_conversation(title_of(answer.question))
        message = self._store.add_message(conversation, answer.question, answer_to_json(answer))
        return conversation, message

    def rename(self, conversation: int, title: str) -> None:
        """Give a conversation another title."""
        self._store.rename_conversation(conversation, title)

    def delete(self, conversation: int) -> None:
        """Delete a conversation with its messages and their ratings."""
        self._store.delete_conversation(conversation)

    def rate(self, message: int, *, good: bool, cause: str = "", note: str = "") -> None:
        """Keep a rating, with what the person wrote about it."""
        self._store.rate(message, "good" if good else cause, note)

    def ratings(self) -> list[Rating]:
        """Every rating that was given, newest first."""
        rated = reversed(self._store.rated_messages())
        return [Rating(m.question, m.rating, m.note, m.id) for m in rated]


def title_of(question: str) -> str:
    """A conversation's first name: the beginning of its first question, on one line."""
    line = " ".join(question.split())
    return line if len(line) <= TITLE_CHARS else line[: TITLE_CHARS - 1] + "…"


def answer_to_json(answer: Answer) -> str:
    """The answer with all its evidence as text."""
    return json.dumps(asdict(answer), ensure_ascii=False)


def answer_from_json(text: str) -> Answer:
    """Read back `answer_to_json`, also what earlier versions wrote (missing fields = defaults)."""
    data: dict[str, Any] = json.loads(text)
    table = data.pop("table", None)
    sentences = tuple(_sentence(row) for row in data.pop("sentences", ()))
    citations = tuple(_citation(row) for row in data.pop("citations", ()))
    nearest = tuple(_citation(row) for row in data.pop("nearest", ()))
    stages = tuple(Stage(**row) for row in data.pop("stages", ()))
    known = {key: value for key, value in data.items() if key in Answer.__dataclass_fields__}
    return Answer(
        **known,
        sentences=sentences,
        citations=citations,
        nearest=nearest,
        stages=stages,
        table=None if table is None else _table(table),
    )


def render_list(talks: Sequence[Talk], lang: Lang, *, current: int, today: date, query: str) -> str:
    """The conversations under "today" and "earlier"."""
    if not talks:
        words = say("no_match" if query else "no_conversations", lang)
        return f'<p class="empty">{escape(words)}</p>'
    out = []
    for key, members in (
        ("today", [t for t in talks if t.updated[:10] >= today.isoformat()]),
        ("earlier", [t for t in talks if t.updated[:10] < today.isoformat()]),
    ):
        if members:
            entries = "".join(_entry(talk, lang, current) for talk in members)
            out.append(f"<h3>{escape(say(key, lang))}</h3><ul>{entries}</ul>")
    return "".join(out)


def _entry(talk: Talk, lang: Lang, current: int) -> str:
    title = escape(talk.title or say("untitled", lang))
    export = escape(say("export_talk", lang))
    return (
        f'<li data-id="{talk.id}" aria-current="{"true" if talk.id == current else "false"}">'
        f'<button type="button" class="name" data-do="choose" title="{title}">{title}</button>'
        f'<span class="tools"><a class="ib" href="export/{talk.id}/0.docx" download '
        f'title="{export}" aria-label="{export}">{icon("download")}</a>'
        f"{icon_button('edit', say('rename', lang), 'rename')}"
        f"{icon_button('delete', say('delete', lang), 'forget')}</span></li>"
    )


def _sentence(row: dict[str, Any]) -> Sentence:
    support = row.get("support")
    return Sentence(
        text=row["text"],
        citations=tuple(row["citations"]),
        support=None
        if support is None
        else Support(support["supported"], support["score"], tuple(support.get("problems", ()))),
        marks=tuple((a, b) for a, b in row.get("marks", ())),
        group=row.get("group", ""),
    )


def _citation(row: dict[str, Any]) -> Citation:
    known = {key: value for key, value in row.items() if key in Citation.__dataclass_fields__}
    return Citation(**{**known, "marks": tuple((a, b) for a, b in row.get("marks", ()))})


def _table(row: dict[str, Any]) -> Table:
    return Table(
        columns=tuple(row["columns"]),
        rows=tuple(row["rows"]),
        cells=tuple(tuple(tuple(cell) for cell in cells) for cells in row["cells"]),
    )
