"""Building blocks of markup: text in, escaped HTML out.

Everything that comes from a document, a question or a model passes through `escape`; the page
inserts nothing else. Offsets are those of `corpus.types`.
"""

import html
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import pairwise

Span = tuple[int, int]

_ICONS = {  # 20 x 20, drawn with strokes of the text's colour
    "menu": "M3 5h14M3 10h14M3 15h14",
    "plus": "M10 4v12M4 10h12",
    "search": "M9 15A6 6 0 1 0 9 3a6 6 0 0 0 0 12zM13.5 13.5 17 17",
    "send": "M10 16V4M5 9l5-5 5 5",
    "stop": "M6 6h8v8H6z",
    "copy": "M7 7h9v9H7zM13 7V4H4v9h3",
    "retry": "M16 10a6 6 0 1 1-2-4.5M16 3v4h-4",
    "good": "M6 9v8H3V9zM6 9l4-6c1.5 0 2 1 1.7 2.5L11 8h5l-1.5 8H6",
    "bad": "M6 11V3H3v8zM6 11l4 6c1.5 0 2-1 1.7-2.5L11 12h5l-1.5-8H6",
    "close": "M5 5l10 10M15 5L5 15",
    "back": "M12 4l-6 6 6 6",
    "previous": "M12 5l-5 5 5 5",
    "next": "M8 5l5 5-5 5",
    "edit": "M4 16l1-4 8-8 3 3-8 8zM11 6l3 3",
    "delete": "M4 6h12M8 6V4h4v2M6 6l1 10h6l1-10",
    "outline": "M4 5h12M7 10h9M7 15h9M4 10h.01M4 15h.01",
    "quote": "M4 14c2 0 3-1.5 3-4V6H4v4h3M12 14c2 0 3-1.5 3-4V6h-3v4h3",
    "file": "M5 3h7l3 3v11H5zM12 3v3h3",
    "ask": "M4 4h12v9H9l-3 3v-3H4z",
    "download": "M10 3v9M6 9l4 4 4-4M4 16h12",
    "label": "M3 5h9M3 10h6M3 15h6M14 10v7M10.5 13.5h7",
    "info": "M10 17a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM10 9v4M10 6.5v.01",
}


def escape(text: object) -> str:
    """`text` as it can stand in an element or in a quoted attribute; control characters go.

    Bidirectional overrides go too: they could make a quote read differently from its source.
    """
    kept = (c for c in str(text) if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs"))
    return html.escape("".join(c for c in kept if c not in _BIDI), quote=True)


_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def icon(name: str) -> str:
    """A line drawing for a button; the button carries the words for screen readers."""
    return (
        '<svg class="icon" viewBox="0 0 20 20" width="18" height="18" aria-hidden="true" '
        f'focusable="false"><path d="{_ICONS[name]}"/></svg>'
    )


def icon_button(name: str, label: str, action: str, *, extra: str = "") -> str:
    """A button without words; `extra` is trusted markup for further attributes."""
    words = escape(label)
    return (
        f'<button type="button" class="ib" data-do="{escape(action)}" title="{words}" '
        f'aria-label="{words}" {extra}>{icon(name)}</button>'
    )


def marked(text: str, layers: Sequence[tuple[str, Iterable[Span]]], offset: int = 0) -> str:
    """Escape `text` and wrap its spans: `layers` are `(opening tag, spans)`, outermost first.

    Parameters
    ----------
    layers
        Opening tags are trusted markup such as `<mark class="hit">`; spans may overlap freely
        across layers and are cut to `text`.
    offset
        What the spans' offsets count from: position of `text` in its document.
    """
    cleaned = [
        (tag, [(a - offset, b - offset) for a, b in spans if b > offset and a < offset + len(text)])
        for tag, spans in layers
    ]
    cuts = {0, len(text)}
    for _, spans in cleaned:
        for a, b in spans:
            cuts.update((max(0, a), min(len(text), b)))
    edges = sorted(cuts)
    out: list[str] = []
    for a, b in pairwise(edges):
        tags = [tag for tag, spans in cleaned if any(x <= a and b <= y for x, y in spans)]
        closing = "".join(f"</{tag[1:].split(' ')[0].rstrip('>')}>" for tag in reversed(tags))
        out.append("".join(tags) + escape(text[a:b]) + closing)
    return "".join(out)
