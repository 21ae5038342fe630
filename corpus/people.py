"""What people leave in the store: conversations, messages, ratings."""

import sqlite3
from contextlib import AbstractContextManager
from dataclasses import dataclass

PEOPLE_SCHEMA = """
CREATE TABLE conversations (
  id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT NOT NULL,
  created TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP, updated TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE messages (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  conversation INTEGER NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
  question TEXT NOT NULL, answer TEXT NOT NULL,
  created TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP, rating TEXT NOT NULL DEFAULT '');
CREATE INDEX messages_conversation ON messages (conversation)
"""


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation as the list shows it."""

    id: int
    title: str
    updated: str  # ISO time, UTC


@dataclass(frozen=True, slots=True)
class Message:
    """A question with its answer (JSON, with all its evidence) and how it was rated."""

    id: int
    question: str
    answer: str
    created: str
    rating: str  # "" = not rated, "good", or the cause of a bad rating


class People:
    """The part of the store that people write to; `Store` gives it its connections."""

    def reading(self) -> AbstractContextManager[sqlite3.Connection]:
        """A connection for queries."""
        raise NotImplementedError

    def writing(self) -> AbstractContextManager[sqlite3.Connection]:
        """A transaction."""
        raise NotImplementedError

    def conversations(self, query: str = "") -> list[Conversation]:
        """Conversations whose title or messages hold `query`, the last used first."""
        with self.reading() as db:
            rows = db.execute(
                "SELECT id, title, updated FROM conversations c WHERE instr(title, ?1) OR EXISTS"
                " (SELECT 1 FROM messages m WHERE m.conversation = c.id"
                "  AND (instr(m.question, ?1) OR instr(m.answer, ?1)))"
                " ORDER BY updated DESC, id DESC",
                (query,),
            ).fetchall()
        return [Conversation(*row) for row in rows]

    def new_conversation(self, title: str) -> int:
        """Begin a conversation; returns its id."""
        with self.writing() as db:
            number = db.execute("INSERT INTO conversations (title) VALUES (?)", (title,)).lastrowid
        assert number is not None
        return number

    def rename_conversation(self, conversation: int, title: str) -> None:
        """Give a conversation another title."""
        with self.writing() as db:
            db.execute("UPDATE conversations SET title = ? WHERE id = ?", (title, conversation))

    def delete_conversation(self, conversation: int) -> None:
        """Delete a conversation with its messages."""
        with self.writing() as db:
            db.execute("DELETE FROM conversations WHERE id = ?", (conversation,))

    def messages(self, conversation: int) -> list[Message]:
        """The messages of a conversation, oldest first."""
        with self.reading() as db:
            rows = db.execute(
                "SELECT id, question, answer, created, rating FROM messages"
                " WHERE conversation = ? ORDER BY id",
                (conversation,),
            ).fetchall()
        return [Message(*row) for row in rows]

    def add_message(self, conversation: int, question: str, answer: str) -> int:
        """Keep a question with its answer; returns the message's id."""
        with self.writing() as db:
            number = db.execute(
                "INSERT INTO messages (conversation, question, answer) VALUES (?, ?, ?)",
                (conversation, question, answer),
            ).lastrowid
            db.execute(
                "UPDATE conversations SET updated = CURRENT_TIMESTAMP WHERE id = ?",
                (conversation,),
            )
        assert number is not None
        return number

    def rate(self, message: int, rating: str) -> None:
        """Keep how a message was rated: "good", a cause, or "" to take it back."""
        with self.writing() as db:
            db.execute("UPDATE messages SET rating = ? WHERE id = ?", (rating, message))
