"""A document and a citation in, the source pane out: outline, text, highlighted excerpt.

Everything shown is `document.text[start:end]`; the pane adds tags around it and never words.
"""

from collections.abc import Sequence

from corpus.outline import leaves
from corpus.store import State
from corpus.types import Document, Node
from rag.types import Citation
from ui.chat import case_name, reference
from ui.markup import Span, escape, icon, icon_button, marked
from ui.text import Lang, say

WINDOW = 20_000  # characters shown on either side of an excerpt in a document without cases
_STRUCTURE = ("case", "chapter", "section", "subsection")


def render_source(
    document: Document,
    citations: Sequence[Citation],
    position: int,
    lang: Lang,
    *,
    state: State = "current",
    nearest: bool = False,
    whole: bool = False,
) -> str:
    """The pane for `citations[position]`; the other citations of its message are underlined.

    With `nearest` they are the passages shown with a refusal: no evidence, and not to look like it.

    The excerpt is highlighted at its offsets when the text there is still the quote; when the
    document has changed, the quote is shown by itself and said to be old.
    """
    citation = citations[position]
    if document.text[citation.start : citation.end] != citation.quote:
        return render_missing(citations, position, lang, why="quote_unverified", state=state)
    start, end = scope(document, citation, whole=whole)
    here = [c for c in citations if c.document_id == citation.document_id and c != citation]
    look = "near" if nearest else "hit"
    layers = [
        ('<span class="also">', [(c.start, c.end) for c in here]),
        (f'<mark class="{look}">', [(citation.start, citation.end)]),
        ('<b class="key">', citation.marks),
    ]
    head = _head(citations, position, lang, state, nearest=nearest)
    return (
        f"{head}{render_outline(document, start, end, lang)}"
        f'<div class="text" tabindex="0">{render_text(document, start, end, layers, lang)}</div>'
        f"{_tail(citation, lang)}"
    )


def render_missing(
    citations: Sequence[Citation],
    position: int,
    lang: Lang,
    *,
    why: str = "removed_hint",
    state: State = "removed",
) -> str:
    """The pane for a citation whose document is gone: the quote as it was kept."""
    citation = citations[position]
    return (
        f"{_head(citations, position, lang, state)}"
        f'<div class="text" tabindex="0"><p class="warn">{escape(say(why, lang))}</p>'
        f'<p><mark class="hit">{escape(citation.quote)}</mark></p></div>{_tail(citation, lang)}'
    )


def scope(document: Document, citation: Citation, *, whole: bool = False) -> Span:
    """What to show around a citation: its case, else the document or a window of it."""
    for node in document.outline:
        if node.kind == "case" and node.start <= citation.start < node.end:
            return node.start, node.end
    if whole or len(document.text) <= 2 * WINDOW:
        return 0, len(document.text)
    first, last = max(0, citation.start - WINDOW), citation.end + WINDOW
    shown = [n for n in leaves(document.outline) if n.end > first and n.start < last]
    return shown[0].start, shown[-1].end


def render_outline(document: Document, start: int, end: int, lang: Lang) -> str:
    """A folded table of contents of `text[start:end]`; entries scroll the text beside them."""
    nodes = [
        n
        for n in document.outline
        if n.kind in _STRUCTURE and n.start >= start and n.end <= end and (n.title or n.label)
    ]
    if len(nodes) < 2:
        return ""
    tops = {n.id: _depth(document.outline, n) for n in nodes}
    base = min(tops.values())
    entries = "".join(
        f'<li class="d{min(tops[n.id] - base, 3)}"><button type="button" data-do="jump" '
        f'data-at="{n.start}">{escape(_named(n))}</button></li>'
        for n in nodes
    )
    return (
        f'<details class="outline"><summary>{icon("outline")}'
        f"<span>{escape(say('outline', lang))}</span></summary><ol>{entries}</ol></details>"
    )


def render_text(
    document: Document,
    start: int,
    end: int,
    layers: Sequence[tuple[str, Sequence[Span]]],
    lang: Lang,
) -> str:
    """The leaves of `text[start:end]` as headings, items and paragraphs.

    Every block carries `data-at`, the offset where the nodes that open with it begin.
    """
    outline = document.outline
    out: list[str] = []
    if start > 0 and not _opens_case(outline, start):
        out.append(_cut(start, lang))
    for node in leaves(outline):
        if node.end <= start or node.start >= end:
            continue
        text = document.text[node.start : node.end]
        a = node.start + len(text) - len(text.lstrip())
        shown = document.text[a : node.end].rstrip()
        if shown:
            tag, name = _tag(outline, node)
            inner = marked(shown, layers, a)
            out.append(f'<{tag} class="{name}" data-at="{node.start}">{inner}</{tag}>')
    if end < len(document.text) and not _opens_case(outline, end):
        left = len(document.text) - end
        if left > 200:  # a trailer is not worth a line
            out.append(_cut(left, lang))
    return "".join(out)


def _cut(n: int, lang: Lang) -> str:
    return (
        f'<p class="cut">{escape(say("cut", lang, n=f"{n:,}"))} '
        f'<button type="button" class="link" data-do="whole">{escape(say("show_all", lang))}'
        "</button></p>"
    )


def copied_reference(citation: Citation, lang: Lang) -> str:
    """“quote”（《document》案例N·section）: what "copy with reference" puts on the clipboard."""
    return f"“{citation.quote.strip()}”（{reference(citation, lang)}）"


def _head(
    citations: Sequence[Citation],
    position: int,
    lang: Lang,
    state: State,
    *,
    nearest: bool = False,
) -> str:
    citation, total = citations[position], len(citations)
    crumbs = [case_name(citation.case, lang), citation.section]
    where = " · ".join(part for part in crumbs if part)
    page = say("page_n", lang, n=citation.page) if citation.page else ""
    gone = f'<span class="gone">{escape(say(state, lang))}</span>' if state != "current" else ""
    count = say("nearest_of" if nearest else "source_of", lang, n=position + 1, total=total)
    few = "disabled" if total < 2 else ""
    return (
        f'<header class="panehead"><div class="row">'
        f"{icon_button('back', say('back', lang), 'close-pane', extra='data-role=back')}"
        f'<span class="count">{escape(count)}</span>'
        f"{icon_button('previous', say('previous', lang), 'previous', extra=few)}"
        f"{icon_button('next', say('next', lang), 'next', extra=few)}"
        f"{icon_button('close', say('close', lang), 'close-pane', extra='data-role=close')}</div>"
        f"<h2>{escape(citation.case_title or citation.document)}{gone}</h2>"
        f'<p class="crumbs"><span>{escape(where)}</span>'
        f"<span>《{escape(citation.document)}》{escape(page)}</span></p></header>"
    )


def _tail(citation: Citation, lang: Lang) -> str:
    return (
        f'<footer class="panefoot"><button type="button" class="tb" data-do="copy" '
        f'data-text="{escape(copied_reference(citation, lang))}">{icon("quote")}'
        f"<span>{escape(say('copy_reference', lang))}</span></button></footer>"
    )


def _tag(outline: Sequence[Node], node: Node) -> tuple[str, str]:
    if node.kind != "heading":
        return "p", node.kind
    kind = outline[node.parent].kind if node.parent is not None else "section"
    if kind == "case" and not node.title:
        return "p", "case-label"
    return {"case": "h2", "chapter": "h2", "section": "h3"}.get(kind, "h4"), kind


def _named(node: Node) -> str:
    gap = " " if node.label and not node.label.endswith(("、", ")", "）", ".")) else ""
    return f"{node.label}{gap}{node.title}"


def _depth(outline: Sequence[Node], node: Node) -> int:
    depth, parent = 0, node.parent
    while parent is not None:
        depth, parent = depth + 1, outline[parent].parent
    return depth


def _opens_case(outline: Sequence[Node], at: int) -> bool:
    return any(node.kind == "case" and at in (node.start, node.end) for node in outline)
