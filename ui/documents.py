"""The library's documents in, the documents tab out: the table, a preview of how one was split."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from corpus.errors import CorpusError
from corpus.types import Chunk, Document
from ui.chat import case_name
from ui.markup import escape, icon_button
from ui.source import render_outline
from ui.text import Lang, say

if TYPE_CHECKING:
    from rag.library import Library

    from ui.service import Service

MAX_FILE_MB = 100  # of one uploaded file
PREVIEW_CHUNKS = 400  # shown of one document; an office document has about 50


@dataclass(frozen=True, slots=True)
class Row:
    """What the table shows of one document."""

    id: int
    name: str
    title: str
    status: str  # "ready", "indexing", "failed", "removed"
    n_bytes: int
    n_chunks: int
    added: str  # ISO
    reason: str = ""  # why it failed


def render_documents(rows: Sequence[Row], lang: Lang) -> str:
    """The table of documents, newest first as given."""
    if not rows:
        return f'<p class="empty">{escape(say("no_documents", lang))}</p>'
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
    body = "".join(_row(row, lang) for row in rows)
    return (
        f'<div class="scroll" tabindex="0"><table><thead><tr>{head}{actions}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def render_preview(document: Document, chunks: Sequence[Chunk], lang: Lang) -> str:
    """The outline and the chunks of a document, in order."""
    shown = "".join(_chunk(i, chunk, lang) for i, chunk in enumerate(chunks[:PREVIEW_CHUNKS], 1))
    left = len(chunks) - PREVIEW_CHUNKS
    more = f'<p class="cut">+ {escape(say("preview_chunks", lang, n=left))}</p>' if left > 0 else ""
    return (
        f'<header class="panehead"><div class="row">'
        f"{icon_button('back', say('back', lang), 'close-reader', extra='data-role=back')}"
        f'<span class="count">{escape(say("preview_title", lang))} · '
        f"{escape(say('preview_chunks', lang, n=len(chunks)))}</span>"
        f"{icon_button('close', say('close', lang), 'close-reader', extra='data-role=close')}</div>"
        f"<h2>{escape(document.title)}</h2></header>"
        f"{render_outline(document, 0, len(document.text), lang)}"
        f'<div class="text" tabindex="0">{shown}{more}</div>'
    )


def rows_of(library: "Library") -> list[Row]:
    """The library's documents as rows of the table."""
    return [
        Row(d.id, d.name, d.title, "ready", d.n_bytes, d.n_chunks, d.added)
        for d in library.documents()
    ]


def split_of(library: "Library", number: int) -> tuple[Document, list[Chunk]]:
    """A document and its chunks in order."""
    return library.document(number), library.store.chunks(number)


def add_file(service: "Service", path: Path, name: str, lang: Lang) -> str:
    """Add one file to the library; what to say when it is done."""
    raise NotImplementedError


def size_words(n_bytes: int) -> str:
    """18 → 18 B, 63332 → 61.8 KB."""
    size = float(n_bytes)
    for unit in ("B", "KB", "MB"):
        if size < 1024 or unit == "MB":
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    raise AssertionError("unreachable")


def uploaded_file(path: object, name: object, folder: Path) -> tuple[Path, str]:
    """The uploaded file that the page names, and the name to keep it under.

    Raises
    ------
    CorpusError
        If the path does not lie in the upload folder: a page could name any file of the machine.
    """
    shown = Path(str(name).replace("\\", "/")).name.strip() or "document"
    found = Path(str(path))
    inside = found.is_file() and found.resolve().is_relative_to(folder.resolve())
    if not inside:
        raise CorpusError(say("upload_refused", "zh"), say("upload_refused", "en"))
    return found, shown


def _row(row: Row, lang: Lang) -> str:
    status = row.status if row.status in ("ready", "indexing", "failed", "removed") else "ready"
    look = {"ready": "ok", "failed": "bad"}.get(status, "")
    small = f"<small>{escape(row.name)}</small>" if row.title != row.name else ""
    reason = f"<small>{escape(row.reason)}</small>" if row.reason else ""
    ask = escape(say("remove_document", lang, name=row.title))
    actions = icon_button(
        "outline", say("preview", lang), "preview", extra=f'data-document="{row.id}"'
    ) + icon_button(
        "delete",
        say("remove", lang),
        "remove-document",
        extra=f'data-document="{row.id}" data-ask="{ask}"',
    )
    return (
        f'<tr><td class="docname">{escape(row.title)}{small}</td>'
        f'<td><span class="state {look}">{escape(say("status_" + status, lang))}</span>'
        f"{reason}</td>"
        f'<td class="num">{escape(size_words(row.n_bytes))}</td>'
        f'<td class="num">{row.n_chunks:,}</td><td class="num">{escape(row.added[:10])}</td>'
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
