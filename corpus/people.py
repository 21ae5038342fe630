"""What people leave in the store: conversations, messages, ratings, questions, an audit trail."""

from dataclasses import dataclass

from corpus.database import Database

PEOPLE_SCHEMA = """
CREATE TABLE conversations (
  id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT NOT NULL,
  created TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP, updated TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE messages (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  conversation INTEGER NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
  question TEXT NOT NULL, answer TEXT NOT NULL,
  created TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP, rating TEXT NOT NULL DEFAULT '',
  note TEXT NOT NULL DEFAULT '');
CREATE INDEX messages_conversation ON messages (conversation);
CREATE TABLE questions (
  id INTEGER PRIMARY KEY AUTOINCREMENT, question TEXT NOT NULL UNIQUE, data TEXT NOT NULL,
  created TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE audit (
  id INTEGER PRIMARY KEY AUTOINCREMENT, action TEXT NOT NULL, detail TEXT NOT NULL,
  time TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP)
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
    note: str = ""  # what the person wrote about it


@dataclass(frozen=True, slots=True)
class Question:
    """A question that people want to evaluate with; `data` is JSON: gold evidence and the like."""

    id: int
    question: str
    data: str


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Something that was done, and when."""

    id: int
    action: str
    detail: str
    time: str  # ISO time, UTC


class People(Database):
    """The part of the store that people write to."""

    def conversations(self, query: str = "") -> list[Conversation]:
        """Conversations whose title or messages hold `query`, the last used first."""
        with self.reading() as db:
            rows = db.execute(
                "SELECT id, title, updated FROM conversations c WHERE instr(title, ?1) OR EXISTS"
                " (SELECT 1 FROM messages m WHERE m.conversation = c.id"
                "  AND (instr(m.question, ?1) OR instr(json_extract(m.answer, '$.answer'), ?1)))"
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
                "SELECT id, question, answer, created, rating, note FROM messages"
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

    def rate(self, message: int, rating: str, note: str = "") -> None:
        """Keep how a message was rated: "good", a cause, or "" to take it back."""
        with self.writing() as db:
            db.execute(
                "UPDATE messages SET rating = ?, note = ? WHERE id = ?", (rating, note, message)
            )

    def message(self, message: int) -> Message | None:
        """One message, whatever its conversation."""
        with self.reading() as db:
            row = db.execute(
                "SELECT id, question, answer, created, rating, note FROM messages WHERE id = ?",
                (message,),
            ).fetchone()
        return Message(*row) if row else None

    def rated_messages(self) -> list[Message]:
        """All messages that were rated, oldest first."""
        with self.reading() as db:
            rows = db.execute(
                "SELECT id, question, answer, created, rating, note FROM messages"
                " WHERE rating <> '' ORDER BY id"
            ).fetchall()
        return [Message(*row) for row in rows]

    def questions(self) -> list[Question]:
        """The evaluation questions that people wrote, oldest first."""
        with self.reading() as db:
            rows = db.execute("SELECT id, question, data FROM questions ORDER BY id").fetchall()
        return [Question(*row) for row in rows]

    def put_question(self, question: str, data: str) -> int:
        """Keep an evaluation question; one that is known gets the new data. Returns its id."""
        with self.writing() as db:
            row = db.execute(
                "INSERT INTO questions (question, data) VALUES (?, ?)"
                " ON CONFLICT (question) DO UPDATE SET data = excluded.data RETURNING id",
                (question, data),
            ).fetchone()
        return int(row[0])

    def delete_question(self, question: int) -> None:
        """Forget an evaluation question."""
        with self.writing() as db:
            db.execute("DELETE FROM questions WHERE id = ?", (question,))

    def record(self, action: str, detail: str = "") -> None:
        """Add to the audit trail, which nothing deletes from."""
        with self.writing() as db:
            db.execute("INSERT INTO audit (action, detail) VALUES (?, ?)", (action, detail))

    def audit(self, limit: int = 1000) -> list[AuditEntry]:
        """The last entries of the audit trail, newest first."""
        with self.reading() as db:
            rows = db.execute(
                "SELECT id, action, detail, time FROM audit ORDER BY id DESC LIMIT ?", (limit,)
            ).fetchall()
        return [AuditEntry(*row) for row in rows]
