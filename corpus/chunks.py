"""A document in, its chunks out: the units that are embedded and retrieved.

A chunk is one or more whole sentences under one heading of the outline, so it never crosses a
section or a case; an item is a chunk of its own unless it is short. Headings are not chunks of
their own; they go into the path of the chunks below.
"""

from collections.abc import Iterator, Sequence

from corpus.aliases import find_aliases, other_names
from corpus.outline import case_place, path
from corpus.sentences import sentence_spans
from corpus.types import Chunk, Document, Node

MAX_CHARS = 300  # of a chunk, unless one sentence is longer
_SHORT = 60  # characters; a shorter entry of a list joins the text before it
_MIN_TAIL = 80  # a shorter rest joins the chunk before it
_CONTENT = frozenset({"item", "paragraph", "row", "preface"})
_SECTIONS = frozenset({"chapter", "section", "subsection"})
_UNITS = _SECTIONS | {"document", "case"}  # which hold others


def split_chunks(document: Document, *, max_chars: int = MAX_CHARS) -> list[Chunk]:
    """Split a document into chunks in document order; their ids are 0 until they are stored.

    A heading with no text below it becomes a chunk, so that no sentence is lost.
    """
    outline, text = document.outline, document.text
    places = {node.id: _place_of(document, node) for node in outline if node.kind == "case"}
    aliases = find_aliases(text)
    chunks = []
    for node, until in _merged(text, _content_nodes(outline), max_chars):
        section, case = section_path(outline, node), case_around(outline, node)
        for start, end in _groups(text, (node.start, until), max_chars):
            chunks.append(
                Chunk(
                    id=0,
                    document_id=document.id,
                    node=node.id,
                    start=start,
                    end=end,
                    text=text[start:end],
                    document=document.title,
                    case=node.case,
                    case_title=case.title if case else "",
                    section=section,
                    place=(case and places[case.id]) or document.metadata.place,
                    page=document.page_at(start),
                    others=other_names(text[start:end], aliases),
                )
            )
    return chunks


def case_around(outline: Sequence[Node], node: Node) -> Node | None:
    """The case that a node lies in. Its number does not tell: two parts may each have a 案例一."""
    return next((up for up in path(outline, node) if up.kind == "case"), None)


def names_its_place(document: Document, chunk: Chunk) -> bool:
    """Whether the case of a chunk says which place it is about, whatever the document's is."""
    case = case_around(document.outline, document.outline[chunk.node])
    return case is not None and bool(_place_of(document, case))


def _place_of(document: Document, case: Node) -> str:
    return case_place(case.title, document.text[case.start : case.end])


def opening(document: Document, chunk: Chunk) -> str:
    """The headings right before a chunk, as they stand there, up to it; "" if there is none."""
    text, start = document.text, chunk.start
    for number in range(chunk.node, -1, -1):
        node = document.outline[number]
        if node.kind in _UNITS or (node.id == chunk.node and node.kind != "heading"):
            continue
        if node.kind != "heading" or text[node.end : start].strip():
            break
        start = node.start
    return text[start : chunk.start].lstrip()


def section_path(outline: Sequence[Node], node: Node) -> str:
    """The headings between the case and the node: `一、… › (二)…`."""
    return " › ".join(
        up.label + up.title for up in path(outline, node) if up.kind in _SECTIONS and up is not node
    )


def _content_nodes(outline: Sequence[Node]) -> Iterator[Node]:
    with_content = {
        up.id for node in outline if node.kind in _CONTENT for up in path(outline, node)
    }
    for node in outline:
        bare = node.kind == "heading" and node.parent not in with_content and node.parent != 0
        if node.kind in _CONTENT or bare:
            yield node


def _merged(text: str, nodes: Iterator[Node], max_chars: int) -> Iterator[tuple[Node, int]]:
    """Nodes with the end of what is chunked with them.

    A short entry says little without the line that opens its list and its neighbours, so it joins
    the leaf before it while both lie under the same heading and fit into one chunk.
    """
    first: Node | None = None
    end = 0
    for node in nodes:
        short = len(text[node.start : node.end].strip()) < _SHORT
        fits = first is not None and node.end - first.start <= max_chars
        beside = first is not None and node.parent == first.parent and node.start == end
        if not (short and fits and beside and node.kind == "item"):
            if first is not None:
                yield first, end
            first = node
        end = node.end
    if first is not None:
        yield first, end


def _groups(text: str, span: tuple[int, int], max_chars: int) -> Iterator[tuple[int, int]]:
    """Whole sentences of the span, put together up to `max_chars`."""
    start = end = -1
    pending: tuple[int, int] | None = None
    for a, b in sentence_spans(text, *span):
        if start >= 0 and b - start > max_chars:
            if pending:
                yield pending
            pending, start = (start, end), a
        elif start < 0:
            start = a
        end = b
    if start < 0:
        return
    if pending and end - start < _MIN_TAIL:
        yield pending[0], end
        return
    if pending:
        yield pending
    yield start, end
