"""The library's documents in, the documents tab out: the table, a preview of how one was split."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from corpus.chunks import split_chunks
from corpus.errors import CorpusError, StoreError, halves
from corpus.types import Chunk, Document
from rag.intake import Failure, File, read_file
from rag.manifest import FIELDS
from ui.chat import case_name
from ui.markup import escape, icon, icon_button
from ui.source import render_outline
from ui.text import Lang, local_time, say

if TYPE_CHECKING:
    from corpus.store import DocumentInfo, State
    from rag.library import AddReport, Library
    from rag.watch import WatchState

_LANGS: tuple[Lang, ...] = ("zh", "en")
MAX_FILE_MB = 100  # of one uploaded file
ROWS = 100  # of the table at first; a library may hold tens of thousands
PREVIEW_CHUNKS = 400  # shown of one document; an office document has about 50


@dataclass(frozen=True, slots=True)
class Row:
    """What the table shows of one document."""

    id: int
    name: str
    title: str
    about: str  # place, department, theme, date: what is known about it
    n_chars: int
    n_chunks: int
    added: str  # ISO


def render_documents(rows: Sequence[Row], lang: Lang, *, query: str = "", limit: int = ROWS) -> str:
    """The first `limit` documents as a table, and a way to see more."""
    if not rows:
        words = say("no_document_found" if query else "no_documents", lang)
        return f'<p class="empty">{escape(words)}</p>'
    columns = (
        ("col_document", ""),
        ("col_status", ""),
        ("col_size", "num"),
        ("col_chunks", "num"),
        ("col_added", "num"),
    )
    head = "".join(
        f'<th scope="col" class="{name}">{escape(say(key, lang))}</th>' for key, name in columns
    )
    actions = f'<th scope="col" class="num">{escape(say("col_actions", lang))}</th>'
    body = "".join(_row(row, lang) for row in rows[:limit])
    left = len(rows) - limit
    more = (
        f'<p class="more"><button type="button" class="tb" data-do="more-documents" '
        f'data-limit="{limit + ROWS}"><span>{escape(say("more_documents", lang, n=left))}</span>'
        "</button></p>"
    )
    return (
        f'<div class="scroll" tabindex="0"><table><thead><tr>{head}{actions}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>{more if left > 0 else ''}"
    )


def render_preview(
    document: Document, chunks: Sequence[Chunk], lang: Lang, *, more: int | None = None
) -> str:
    """The outline and the chunks of a document, in order.

    `more` is given for a file that is not added yet: how many further documents it holds. It is
    then asked whether to add it.
    """
    shown = "".join(_chunk(i, chunk, lang) for i, chunk in enumerate(chunks[:PREVIEW_CHUNKS], 1))
    left = len(chunks) - PREVIEW_CHUNKS
    rest = f'<p class="cut">+ {escape(say("preview_chunks", lang, n=left))}</p>' if left > 0 else ""
    form = _form(document, lang) if more is None else ""
    foot = "" if more is None else _decision(more, document.notice, lang)
    return (
        f'<header class="panehead"><div class="row">'
        f"{icon_button('back', say('back', lang), 'close-reader', extra='data-role=back')}"
        f'<span class="count">{escape(say("preview_title", lang))} · '
        f"{escape(say('preview_chunks', lang, n=len(chunks)))}</span>"
        f"{icon_button('close', say('close', lang), 'close-reader', extra='data-role=close')}</div>"
        f"<h2>{escape(document.title)}</h2></header>"
        f"{form}{render_outline(document, 0, len(document.text), lang)}"
        f'<div class="text" tabindex="0">{shown}{rest}</div>{foot}'
    )


def render_watched(state: "WatchState", lang: Lang) -> str:
    """How things stand with the watched folder, and what is to be known of its files."""
    words = say("watching", lang, folder=state.folder, n=state.n_files)
    if state.changed:
        counts = {name: getattr(state, name) for name in ("added", "replaced", "removed")}
        words += say("watch_last", lang, time=local_time(state.changed)[-5:], **counts)
    problem = (
        f'<p class="warn" role="alert">{escape(reason_words(state.problem, lang))}</p>'
        if state.problem
        else ""
    )
    failed = [reason_words(failure.reason, lang) for failure in state.failed]
    notices = [f"{notice.name}: {reason_words(notice.text, lang)}" for notice in state.notices]
    return (
        f"<p>{icon('file')}<span>{escape(words)}</span></p>{problem}"
        f"{_folded('watch_failed', failed, lang)}{_folded('watch_notices', notices, lang)}"
    )


def rows_of(library: "Library", query: str = "") -> list[Row]:
    """The library's documents as rows of the table, newest first; those that hold every word."""
    words = query.lower().split()
    return [
        Row(d.id, d.name, d.title, _about(d), d.size, d.n_chunks, local_time(d.added))
        for d in reversed(library.documents())
        if all(word in f"{d.name} {d.title} {_about(d)}".lower() for word in words)
    ]


def state_of(library: "Library", number: int) -> "State | None":
    """Whether a document is current, replaced or removed; None if there never was one."""
    try:
        return library.store.info(number).state
    except StoreError:
        return None


def peek_file(path: Path, name: str, lang: Lang) -> str:
    """How an uploaded file would be split, without adding it.

    Raises
    ------
    CorpusError
        If nothing in it can be read.
    """
    failed: list[Failure] = []
    found = list(read_file(File(name, path.read_bytes), failed))
    if not found:
        reasons = [failure.reason for failure in failed]
        zh, en = (
            " ".join(reason_words(reason, which) for reason in reasons) or name for which in _LANGS
        )
        raise CorpusError(zh, en)
    return render_preview(found[0], split_chunks(found[0]), lang, more=len(found) - 1)


def added_words(
    report: "AddReport", library: "Library", name: str, lang: Lang
) -> tuple[str, str, list[str]]:
    """What became of the file `name`: done, failed or cancelled; in words; a line per remark."""
    new = {*report.added, *report.replaced}
    remarks = [(notice.name, notice.text) for notice in report.notices]
    remarks += [(failure.name, failure.reason) for failure in report.failed]
    told = [(part, reason_words(text, lang)) for part, text in remarks]
    notes = [text if part == name or part in text else f"{part}: {text}" for part, text in told]
    if new:
        n_chunks = sum(library.store.info(number).n_chunks for number in new)
        key = "upload_done" if report.added else "upload_replaced"
        return "done", say(key, lang, n=n_chunks), notes
    if report.unchanged:
        return "done", say("upload_same", lang), notes
    outcome = "failed" if report.failed else "cancelled"
    return outcome, say(f"upload_{outcome}", lang), notes


def reason_words(reason: str, lang: Lang) -> str:
    """The half of `place: Chinese (English)`, as errors are written, in the page's language."""
    return halves(reason)[lang == "en"]


def uploaded_file(path: object, name: object, folder: Path) -> tuple[Path, str]:
    """The uploaded file that the page names, and the name to keep it under.

    Raises
    ------
    CorpusError
        If the path does not lie in the upload folder: a page could name any file of the machine.
    """
    parts = str(name).replace("\\", "/").split("/")
    shown = "/".join(p.strip() for p in parts if p.strip(" .")) or "document"
    found = Path(str(path))
    inside = found.is_file() and found.resolve().is_relative_to(folder.resolve())
    if not inside:
        raise CorpusError(say("upload_refused", "zh"), say("upload_refused", "en"))
    return found, shown


def _folded(key: str, lines: Sequence[str], lang: Lang) -> str:
    """Lines under their number; nothing if there are none."""
    shown = "".join(f"<li>{escape(line)}</li>" for line in lines)
    count = escape(say(key, lang, n=len(lines)))
    return (
        f'<details data-of="{key}"><summary>{count}</summary><ul>{shown}</ul></details>'
        if lines
        else ""
    )


def _decision(more: int, notice: str, lang: Lang) -> str:
    said = [reason_words(notice, lang), say("peek_more", lang, n=more) if more else ""]
    note = "".join(f"<span>{escape(words)}</span>" for words in said if words)
    return (
        '<footer class="panefoot"><button type="button" class="primary" data-do="decide" '
        f'data-answer="add">{escape(say("peek_add", lang))}</button>'
        '<button type="button" class="tb" data-do="decide" data-answer="discard">'
        f"<span>{escape(say('peek_discard', lang))}</span></button>{note}</footer>"
    )


def _form(document: Document, lang: Lang) -> str:
    fields = "".join(
        f"<label><span>{escape(say('field_' + name, lang))}</span>"
        f'<input name="{name}" maxlength="200" '
        f'value="{escape(getattr(document.metadata, name))}"></label>'
        for name in FIELDS
    )
    return (
        f'<details class="outline"><summary>{icon("edit")}'
        f"<span>{escape(say('describe', lang))}</span></summary>"
        f'<form class="about" data-document="{document.id}">{fields}'
        f'<button type="submit" class="tb"><span>{escape(say("save", lang))}</span></button>'
        "</form></details>"
    )


def _row(row: Row, lang: Lang) -> str:
    small = f"<small>{escape(row.name)}</small>" if row.title != row.name else ""
    about = f"<small>{escape(row.about)}</small>" if row.about else ""
    ask = escape(say("remove_document", lang, name=row.title))
    actions = (
        icon_button(
            "ask",
            say("ask_document", lang),
            "ask-case",
            extra=f'data-document="{row.id}" data-case="" data-title="{escape(row.title)}"',
        )
        + icon_button("outline", say("preview", lang), "preview", extra=f'data-document="{row.id}"')
        + icon_button(
            "delete",
            say("remove", lang),
            "remove-document",
            extra=f'data-document="{row.id}" data-ask="{ask}"',
        )
    )
    n_chars = say("characters", lang, n=f"{row.n_chars:,}")
    n_chunks = say("preview_chunks", lang, n=f"{row.n_chunks:,}")
    return (
        f'<tr><td class="docname">{escape(row.title)}{small}{about}</td>'
        f'<td><span class="state ok">{escape(say("status_ready", lang))}</span></td>'
        f'<td class="num">{escape(n_chars)}</td><td class="num">{escape(n_chunks)}</td>'
        f'<td class="num">{escape(row.added[:10])}</td>'
        f'<td class="num"><div class="acts">{actions}</div></td></tr>'
    )


def _chunk(position: int, chunk: Chunk, lang: Lang) -> str:
    label = " · ".join(
        part
        for part in (
            say("chunk_n", lang, n=position),
            case_name(chunk.case, lang),
            chunk.section,
            say("page_n", lang, n=chunk.page) if chunk.page else "",
        )
        if part
    )
    return (
        f'<p class="chunk" data-at="{chunk.start}"><small>{escape(label)}</small>'
        f"{escape(chunk.text)}</p>"
    )


def _about(info: "DocumentInfo") -> str:
    return " · ".join(filter(None, (info.place, info.department, info.theme, info.date)))
