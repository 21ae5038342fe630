"""What the page's script can call: plain JSON objects in, JSON objects with finished markup out.

A failure comes back as `{"error": sentence}`; the script shows it. Arguments come from a browser
and are checked here or where they are used.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from pathlib import Path

from corpus.errors import CorpusError, UserError
from corpus.people import People
from corpus.records import DocumentInfo
from rag.manifest import metadata_from
from ui.asking import as_number
from ui.cases import (
    CaseCard,
    case_cards,
    find_case,
    render_case,
    render_cases,
    render_names,
    render_scope,
    render_years,
)
from ui.chat import citation_from, render_rating, render_turn
from ui.conversations import Conversations, render_list
from ui.documents import (
    ROWS,
    added_words,
    peek_file,
    render_documents,
    render_preview,
    render_watched,
    rows_of,
    state_of,
    uploaded_file,
)
from ui.evaluate import Evaluation, render_ratings
from ui.export import Exported, export_answers
from ui.labelling import (
    Label,
    label_data,
    label_from,
    label_of,
    render_form,
    render_questions,
)
from ui.service import Service, explain
from ui.shell import render_indexing, render_problem, render_welcome
from ui.source import render_missing, render_source
from ui.text import CAUSES, Lang, as_lang, say

Payload = dict[str, object]
Endpoint = Callable[[Payload, Lang], Payload]
MAX_CITATIONS = 200  # of one message
MAX_OPTIONS = 200  # of a selector; any document can be chosen from the documents tab


class Endpoints:
    """The functions of the page, bound to one service."""

    def __init__(self, service: Service, uploads: Path) -> None:
        self._service = service
        self._uploads = uploads
        self._adding = threading.Lock()
        self._cancelled: set[Path] = set()
        self._progress: dict[Path, tuple[str, int, int]] = {}  # of the files that are being added
        self._known_cards: dict[int, tuple[DocumentInfo, list[CaseCard]]] = {}
        self._evaluation = Evaluation()

    def functions(self) -> list[Callable[[Payload], Payload]]:
        """Every endpoint as gradio wants it: a function named `page_…` with one argument."""
        bound: list[Endpoint] = [
            self.start,
            self.conversations,
            self.conversation,
            self.rename,
            self.forget,
            self.alive,
            self.stop,
            self.rate,
            self.source,
            self.cases,
            self.case,
            self.scope,
            self.documents,
            self.preview,
            self.describe,
            self.peek,
            self.discard,
            self.add,
            self.adding,
            self.cancel,
            self.watched,
            self.remove,
            self.evaluation,
            self.questions,
            self.label,
            self.keep_label,
            self.unlabel,
        ]
        return [_guarded(endpoint) for endpoint in bound]

    def start(self, payload: Payload, lang: Lang) -> Payload:
        """Open the page: whether the service is ready, and all that the frame needs."""
        service = self._service
        if service.failure is not None:
            problem = render_problem(explain(service.failure, lang))
            return {"ready": False, "failed": True, "html": problem}
        if not service.ready:
            return {"ready": False, "html": render_indexing(lang, *service.progress)}
        return {
            "ready": True,
            **self.scope(payload, lang),
            **self.conversation(payload, lang),
            **self.list_for(lang, as_number(payload.get("conversation"))),
        }

    def list_for(self, lang: Lang, conversation: int) -> Payload:
        """The list of conversations with one of them chosen."""
        return {"conversations": self._list(lang, conversation, "")}

    def conversations(self, payload: Payload, lang: Lang) -> Payload:
        """The conversations that match what was typed."""
        query = str(payload.get("query") or "")[:100]
        return {"html": self._list(lang, as_number(payload.get("conversation")), query)}

    def conversation(self, payload: Payload, lang: Lang) -> Payload:
        """The messages of a conversation, or the welcome of a new one."""
        wanted = as_number(payload.get("conversation"))
        messages = self._talks().messages(wanted) if wanted else []
        if not messages:
            welcome = render_welcome(lang, examples=bool(self._cards()))
            return {"conversation": 0, "html": welcome}
        html = "".join(
            render_turn(m.answer, lang, kept=(wanted, m.id), rating=m.rating) for m in messages
        )
        return {"conversation": wanted, "html": html}

    def rename(self, payload: Payload, lang: Lang) -> Payload:
        """Give a conversation another name."""
        title = " ".join(str(payload.get("title") or "").split())[:80]
        self._talks().rename(as_number(payload.get("conversation")), title)
        return {}

    def forget(self, payload: Payload, lang: Lang) -> Payload:
        """Delete a conversation."""
        self._talks().delete(as_number(payload.get("conversation")))
        return {}

    def alive(self, payload: Payload, lang: Lang) -> Payload:
        """Whether a question is still being answered."""
        return {"alive": self._service.runs.alive(str(payload.get("run")))}

    def stop(self, payload: Payload, lang: Lang) -> Payload:
        """Stop answering a question."""
        self._service.runs.stop(str(payload.get("run")))
        return {}

    def rate(self, payload: Payload, lang: Lang) -> Payload:
        """Keep a rating; a bad one has a cause."""
        cause = str(payload.get("cause") or "")
        good = payload.get("verdict") == "good"
        if not good and cause not in CAUSES:
            raise ValueError(f"rate: unknown cause {cause!r}")
        message, note = as_number(payload.get("message")), str(payload.get("note") or "")[:300]
        self._talks().rate(message, good=good, cause=cause, note=note)
        return {"html": render_rating("good" if good else cause, lang)}

    def source(self, payload: Payload, lang: Lang) -> Payload:
        """The source pane for one of a message's citations."""
        rows = payload.get("citations")
        if not isinstance(rows, list) or not 0 < len(rows) <= MAX_CITATIONS:
            raise ValueError("source: expected a list of citations")
        citations = [citation_from(row) for row in rows]
        position = min(as_number(payload.get("position")), len(citations) - 1)
        wanted = citations[position].document_id
        library = self._service.assistant.library
        state = state_of(library, wanted)
        if state is None:
            return {"html": render_missing(citations, position, lang)}
        document = library.document(wanted)
        look = {name: bool(payload.get(name)) for name in ("nearest", "whole")}
        html = render_source(document, citations, position, lang, state=state, **look)
        return {"html": html}

    def cases(self, payload: Payload, lang: Lang) -> Payload:
        """The cards of the cases tab."""
        theme = str(payload.get("theme") or "")
        html = render_cases(
            self._cards(),
            lang,
            place=str(payload.get("place") or ""),
            theme=int(theme) if theme.isdigit() else None,
            words=str(payload.get("words") or "")[:100],
        )
        return {"html": html}

    def case(self, payload: Payload, lang: Lang) -> Payload:
        """One case in full."""
        number = as_number(payload.get("document"))
        document = self._service.assistant.library.document(number)
        node = find_case(document, as_number(payload.get("case")))
        if node is None:
            raise LookupError("case: no such case")
        return {"html": render_case(document, node, lang)}

    def scope(self, payload: Payload, lang: Lang) -> Payload:
        """The options of the selectors under the question box, by their names."""
        cards = self._cards()
        with_cases = {card.document_id for card in cards}
        library = self._service.assistant.library
        others = [(row.id, row.title) for row in rows_of(library) if row.id not in with_cases]
        store = library.store
        options = {
            "place": render_names("all_places", store.places()[:MAX_OPTIONS], lang),
            "case": render_scope(cards, others[:MAX_OPTIONS], lang),
            "department": render_names(
                "all_departments", store.names("department")[:MAX_OPTIONS], lang
            ),
            "theme": render_names("all_themes", store.names("theme")[:MAX_OPTIONS], lang),
            "date": render_years((row.date for row in library.documents()), lang),
        }
        return {"scope": options}

    def documents(self, payload: Payload, lang: Lang) -> Payload:
        """The table of documents, of those that match what was typed."""
        query = str(payload.get("query") or "")[:100]
        rows = rows_of(self._service.assistant.library, query)
        limit = max(ROWS, as_number(payload.get("limit")))
        return {"html": render_documents(rows, lang, query=query, limit=limit)}

    def preview(self, payload: Payload, lang: Lang) -> Payload:
        """How a document was split."""
        number = as_number(payload.get("document"))
        library = self._service.assistant.library
        document, chunks = library.document(number), library.store.chunks(number)
        return {"html": render_preview(document, chunks, lang)}

    def describe(self, payload: Payload, lang: Lang) -> Payload:
        """Correct what is known about a document."""
        library = self._service.assistant.library
        library.update_metadata(as_number(payload.get("document")), metadata_from(payload))
        return {}

    def peek(self, payload: Payload, lang: Lang) -> Payload:
        """Show how an uploaded file would be split; it stays until added or discarded."""
        path, name = self._uploaded(payload)
        try:
            return {"html": peek_file(path, name, lang)}
        except Exception:
            path.unlink(missing_ok=True)
            raise

    def discard(self, payload: Payload, lang: Lang) -> Payload:
        """Delete an uploaded file."""
        path, _ = self._uploaded(payload)
        path.unlink(missing_ok=True)
        self._cancelled.discard(path)
        return {}

    def add(self, payload: Payload, lang: Lang) -> Payload:
        """Add one uploaded file; the upload itself is deleted afterwards."""
        path, name = self._uploaded(payload)

        def progress(stage: str, done: int, total: int) -> None:
            self._progress[path] = (stage, done, total)

        try:
            with self._adding:
                library, file = self._service.assistant.library, (name, path.read_bytes())
                report = library.add([file], progress, lambda: path in self._cancelled)
        finally:
            path.unlink(missing_ok=True)
            self._progress.pop(path, None)
            self._cancelled.discard(path)
        outcome, state, notes = added_words(report, library, name, lang)
        return {"outcome": outcome, "state": state, "notes": notes}

    def adding(self, payload: Payload, lang: Lang) -> Payload:
        """How far an uploaded file has come; it waits while others are added."""
        path = Path(str(payload.get("path")))
        stage, done, total = self._progress.get(path, ("等待", 0, 0))
        key = {"等待": "upload_waiting", "编码": "upload_encoding"}.get(stage, "upload_reading")
        return {"stage": say(key, lang), "done": done, "total": total}

    def cancel(self, payload: Payload, lang: Lang) -> Payload:
        """Stop adding an uploaded file; what is already in stays."""
        with suppress(CorpusError):  # it is added already
            self._cancelled.add(self._uploaded(payload)[0])
        return {}

    def watched(self, payload: Payload, lang: Lang) -> Payload:
        """How things stand with the watched folder; no words while there is none to watch."""
        state, watches = self._service.watched, self._service.watches
        if state is None:
            return {"html": "", "changed": "", "watches": watches}
        return {"html": render_watched(state, lang), "changed": state.changed, "watches": watches}

    def remove(self, payload: Payload, lang: Lang) -> Payload:
        """Remove a document."""
        self._service.assistant.library.remove([as_number(payload.get("document"))])
        return {}

    def evaluation(self, payload: Payload, lang: Lang) -> Payload:
        """Begin or stop the evaluation, or say how far it has come."""
        assistant = self._service.assistant
        if payload.get("begin"):
            self._evaluation.begin(assistant, str(payload.get("split") or ""))
        if payload.get("stop"):
            self._evaluation.stop()
        shown = self._evaluation.show(assistant.library.home, lang)
        return {**shown, "ratings": render_ratings(self._talks().ratings(), lang)}

    def questions(self, payload: Payload, lang: Lang) -> Payload:
        """The evaluation questions of this office."""
        return {"html": render_questions(self._store.questions(), lang)}

    def label(self, payload: Payload, lang: Lang) -> Payload:
        """The form of an evaluation question: kept, begun from an answer, or empty."""
        kept = [q for q in self._store.questions() if q.id == as_number(payload.get("question"))]
        answer = self._talks().answer(as_number(payload.get("message")))
        label = label_from(kept[0]) if kept else label_of(answer) if answer else Label()
        return {"html": render_form(label, lang)}

    def keep_label(self, payload: Payload, lang: Lang) -> Payload:
        """Keep what the form holds, or say what is wrong with it."""
        library, changed = self._service.assistant.library, as_number(payload.get("id"))
        documents = (library.document(row.id) for row in library.documents())
        try:
            question, data = label_data(payload, documents)
        except UserError as error:
            return {"problem": explain(error, lang)}
        kept = self._store.put_question(question, data)
        if changed and changed != kept:  # it was reworded
            self._store.delete_question(changed)
        return {}

    def unlabel(self, payload: Payload, lang: Lang) -> Payload:
        """Delete an evaluation question."""
        self._store.delete_question(as_number(payload.get("question")))
        return {}

    def export(self, conversation: int, message: int, kind: str) -> Exported | None:
        """A conversation (message 0) or one answer as a file; None if there is no such thing."""
        if message:
            answer = self._talks().answer(message)
            return export_answers([answer], kind) if answer else None
        kept = [m.answer for m in self._talks().messages(conversation)]
        return export_answers(kept, kind, self._talks().title(conversation))

    def _uploaded(self, payload: Payload) -> tuple[Path, str]:
        return uploaded_file(payload.get("path"), payload.get("name"), self._uploads)

    @property
    def _store(self) -> People:
        return self._service.assistant.library.store

    def _talks(self) -> Conversations:
        return Conversations(self._service.assistant)

    def _list(self, lang: Lang, conversation: int, query: str) -> str:
        talks = self._talks().talks(query)
        return render_list(talks, lang, current=conversation, today=date.today(), query=query)

    def _cards(self) -> list[CaseCard]:
        """The cases of all documents; a document's are read again when what is known changes."""
        library = self._service.assistant.library
        cards: list[CaseCard] = []
        for number in library.store.documents_with_cases():
            info, known = library.store.info(number), self._known_cards.get(number)
            if not known or known[0] != info:
                known = self._known_cards[number] = (info, case_cards([library.document(number)]))
            cards += known[1]
        return cards


def _guarded(endpoint: Endpoint) -> Callable[[Payload], Payload]:
    """The endpoint under its page name; errors become sentences."""

    def call(payload: Payload) -> Payload:
        fields = payload if isinstance(payload, dict) else {}
        lang = as_lang(fields.get("lang"))
        try:
            return endpoint(fields, lang)
        except Exception as error:  # noqa: BLE001 - the page's edge: a sentence, no traceback
            return {"error": explain(error, lang)}

    # Prefixed, because gradio sets them as attributes of a component with names of its own.
    call.__name__ = f"page_{endpoint.__name__}"
    return call
