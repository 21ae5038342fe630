"""A web page in, its text out: headings, numbered lists and tables; navigation and scripts are not.

lxml parses what browsers accept; the blocks are walked here, since `text_content()` knows neither
lines nor tables.
"""

import contextlib
import re
from dataclasses import dataclass, field

from lxml import etree, html

from corpus.errors import CorpusError
from corpus.readers.building import Builder, Extracted
from corpus.readers.numbering import numeral
from corpus.readers.tables import Row, write_table
from corpus.readers.text import decode
from corpus.types import Metadata

_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_SKIPPED = frozenset(
    (
        *("script", "style", "noscript", "template", "head", "nav", "footer", "aside", "iframe"),
        *("svg", "math", "object", "select", "button", "input", "textarea", "dialog", "rt", "rp"),
        *("del", "canvas", "audio", "video", "map"),
    )
)
_INLINE = frozenset(
    (
        *("a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "dfn", "em"),
        *("font", "i", "img", "ins", "kbd", "label", "mark", "nobr", "q", "ruby", "rb", "s"),
        *("samp", "strike"),
        *("small", "span", "strong", "sub", "sup", "time", "tt", "u", "var", "wbr"),
    )
)
_MARKERS = {"a": "lowerLetter", "A": "upperLetter", "i": "lowerRoman", "I": "upperRoman"}
_CHINESE_LIST = re.compile(r"list-style(?:-type)?\s*:[^;]*(?:cjk-|chinese|trad-|simp-)", re.I)
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.I)
_BIG5 = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*big5", re.I)
# A line of the source ends between two characters of Chinese: no blank is meant.
_WRAPPED = re.compile(
    r"(?<=[\u3000-\u9fff\uff00-\uffef])[ \t]*\n\s*(?=[\u3000-\u9fff\uff00-\uffef])"
)
_MAX_DEPTH = 250  # elements within elements; lxml itself stops at 256
_MAX_SPAN = 100  # columns or rows of a merged cell
_HEAD = 4096  # bytes in which a page names its encoding


def read(name: str, data: bytes) -> Extracted:
    """Read a web page.

    Raises
    ------
    CorpusError
        If its encoding is unknown, or nothing can be parsed.
    """
    try:
        root = html.document_fromstring(_decoded(data), parser=html.HTMLParser(no_network=True))
    except (etree.LxmlError, ValueError, AssertionError) as error:
        raise CorpusError(
            f"无法读取 {name}：网页已损坏或编码不明，请用浏览器打开后另存再添加",
            f"cannot read {name}: damaged page or unknown encoding ({error}); save it again",
        ) from error
    walker = _Walker()
    walker.block(root, 0)
    walker.flush()
    title = " ".join((root.findtext(".//head/title") or "").split())
    return walker.builder.extracted(Metadata(title=title))


def _decoded(data: bytes) -> str:
    """The text of a page, without the declaration that lxml refuses in decoded text.

    What a page says of its encoding is wrong too often where the bytes tell it themselves; Big5
    they may not tell.
    """
    text = ""
    if _BIG5.search(data[:_HEAD]):
        with contextlib.suppress(UnicodeDecodeError):
            text = data.decode("big5hkscs")
    text = text or decode(data)
    return re.sub(r"^\s*<\?xml[^>]*>", "", text.removeprefix("\ufeff"))


@dataclass(slots=True)
class _Walker:
    """Collects the text of inline elements until a block begins or ends."""

    builder: Builder = field(default_factory=Builder)
    _text: list[str] = field(default_factory=list)
    _counts: dict[html.HtmlElement, int] = field(default_factory=dict)  # of entries, by list
    _marker: str = ""  # of the entry whose text comes next
    _level: int = 0  # of the heading that the text stands in

    def flush(self) -> None:
        text = _WRAPPED.sub("", "".join(self._text))
        if text.strip():
            self.builder.line(self._marker + text, level=self._level)
            self._marker = ""
        self._text.clear()

    def block(self, element: html.HtmlElement, depth: int) -> None:
        """Add what stands in an element; a block is a line of its own, an inline element is not."""
        tag = element.tag
        if not isinstance(tag, str) or tag in _SKIPPED or _hidden(element) or depth > _MAX_DEPTH:
            return
        if tag == "br":
            self.flush()
            return
        if tag in ("table", "pre"):
            self.flush()
            if tag == "table":
                self.table(element, depth)
            else:
                for line in element.text_content().splitlines():
                    self.builder.line(line)
            return
        inline = tag in _INLINE
        outer = self._level
        if not inline:
            self.flush()
            self._level = _HEADINGS.get(tag, outer)
        if tag == "li":
            self._marker = self.marker(element)
        self._text.append(element.text or "")
        for child in element:
            self.block(child, depth + 1)
            self._text.append(child.tail or "")
        if not inline:
            self.flush()
            self._level = outer

    def marker(self, item: html.HtmlElement) -> str:
        """The number or mark that a browser shows before an entry of a list."""
        parent = item.getparent()
        if parent is None or parent.tag != "ol":
            return "• "
        start, value = parent.get("start") or "", item.get("value") or ""
        n = self._counts.get(parent, int(start) - 1 if start.isdecimal() else 0) + 1
        n = int(value) if value.isdecimal() else n
        self._counts[parent] = n
        if _CHINESE_LIST.search(parent.get("style") or ""):
            return f"{numeral('chineseCounting', n)}、"
        return f"{numeral(_MARKERS.get(parent.get('type') or '', ''), n)}. "

    def table(self, element: html.HtmlElement, depth: int) -> None:
        rows = [row for row in element.iter("tr") if next(row.iterancestors("table")) is element]
        cells = [[cell for cell in row if cell.tag in ("td", "th")] for row in rows]
        for caption in element.findall("caption"):
            self.builder.line(_text(caption, depth))
        if len(rows) <= 1 or all(len(row) <= 1 for row in cells):
            # Layout, not data: what stands inside are blocks as elsewhere.
            for cell in (cell for row in cells for cell in row):
                self.block(cell, depth + 1)
            return
        n_headers = 0
        while n_headers < len(cells) and all(c.tag == "th" for c in cells[n_headers]):
            n_headers += 1
        write_table(self.builder, _grid(cells, depth), n_headers=n_headers)


def _grid(cells: list[list[html.HtmlElement]], depth: int) -> list[Row]:
    """All rows with merged cells as `write_table` takes them."""
    grid: list[Row] = []
    below: dict[int, tuple[int, str | None]] = {}  # column → rows still to fill, and with what
    for row in cells:
        line: Row = []
        for cell in row:
            _fill(line, below)
            height = _span(cell, "rowspan")
            for text in (_text(cell, depth), *[None] * (_span(cell, "colspan") - 1)):
                if height > 1:
                    below[len(line)] = (height - 1, text)
                line.append(text)
        _fill(line, below)
        grid.append(line)
    return grid


def _fill(line: Row, below: dict[int, tuple[int, str | None]]) -> None:
    """Add the cells that reach down into the row at this place."""
    while (column := len(line)) in below:
        left, text = below.pop(column)
        if left > 1:
            below[column] = (left - 1, text)
        line.append(text)


def _text(element: html.HtmlElement, depth: int) -> str:
    """The visible text of a cell, in one line."""
    walker = _Walker()
    walker.block(element, depth + 1)
    walker.flush()
    return " ".join(walker.builder.extracted().text.split())


def _span(cell: html.HtmlElement, name: str) -> int:
    value = (cell.get(name) or "1").strip()
    return max(1, min(int(value), _MAX_SPAN)) if value.isdecimal() else 1


def _hidden(element: html.HtmlElement) -> bool:
    return element.get("hidden") is not None or bool(_HIDDEN.search(element.get("style") or ""))
