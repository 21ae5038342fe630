"""A .docx file in, its visible text out: list numbers, tables, text boxes and notes included.

python-docx opens the package; the text is walked here, because what it calls a paragraph's text
lacks inserted runs, content controls, numbers, boxes and notes. Headers and footers, deleted and
hidden text, and tables of contents are left out.
"""

import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from corpus.errors import CorpusError
from corpus.readers.building import Builder, Extracted
from corpus.readers.numbering import Element, Numbering, W
from corpus.readers.tables import Row, write_table
from corpus.types import Metadata

if TYPE_CHECKING:
    from docx.document import Document

_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_MATH = "{http://schemas.openxmlformats.org/officeDocument/2006/math}t"
_P, _TABLE, _ROW, _CELL, _BOX = (f"{W}{tag}" for tag in ("p", "tbl", "tr", "tc", "txbxContent"))
_SKIPPED = frozenset(
    {f"{W}{tag}" for tag in ("del", "moveFrom", "txbxContent", "instrText", "pPr", "rt")}
    | {_FALLBACK}
)
_WRAPPERS = frozenset(f"{W}{tag}" for tag in ("sdt", "sdtContent", "ins", "moveTo", "customXml"))
_BLANKS = frozenset(f"{W}{tag}" for tag in ("tab", "br", "cr", "ptab"))
_NOTES = {f"{W}footnoteReference": "footnotes", f"{W}endnoteReference": "endnotes"}
_MAX_SPAN = 100  # columns; more are not meant
_HEADING = re.compile(r"(?:heading|标题)\s*(\d)|([一二三四五六])级标题", re.I)
_CONTENTS = re.compile(r"toc\s*\d|目录\s*\d", re.I)
# What python-docx does not take: documents with macros, which nothing here runs, and templates.
_KINDS = (
    "application/vnd.ms-word.document.macroEnabled.main+xml",
    "application/vnd.ms-word.template.macroEnabledTemplate.main+xml",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.template.main+xml",
)


def read(name: str, data: bytes) -> Extracted:
    """Read a Word document.

    Raises
    ------
    CorpusError
        If it is damaged.
    """
    from docx.opc.exceptions import PackageNotFoundError
    from lxml.etree import LxmlError

    damaged = (
        *(PackageNotFoundError, LxmlError, zipfile.BadZipFile, KeyError, ValueError),
        *(AttributeError, RecursionError, NotImplementedError, OSError, EOFError, zlib.error),
    )
    try:
        document = _opened(data)
        walker = _Walker(_styles(document), _notes(document), Numbering(_numbering(document)))
        walker.blocks(document.element.body)
        title = walker.title or document.core_properties.title or ""
    except damaged as error:
        raise CorpusError(
            f"无法读取 {name}：文件已损坏，请用 Word 或 WPS 打开后另存为 .docx",
            f"cannot read {name}: damaged document ({error}); save it again",
        ) from error
    return walker.builder.extracted(Metadata(title=" ".join(title.split())))


@dataclass(slots=True)
class _Walker:
    styles: dict[str, Element]  # elements by id
    notes: dict[tuple[str, str], str]  # texts by part and id
    numbering: Numbering
    builder: Builder = field(default_factory=Builder)
    title: str = ""  # what stands in the style Title
    _pending: list[str] = field(default_factory=list)  # notes referred to since the last block
    _n_notes: int = 0

    def blocks(self, parent: Element) -> None:
        for child in _blocks(parent):
            if child.tag == _P:
                self.paragraph(child)
            else:
                self.table(child)
            for note in self._pending:
                self._n_notes += 1
                self.builder.line(f"注{self._n_notes}：{note}")
            self._pending.clear()

    def paragraph(self, element: Element) -> None:
        styles = list(self._style_chain(element))
        names = [_value(style, "name").strip().lower() for style in styles]
        text = self.numbered(element, styles)
        if "title" in names:
            self.title += text
        if not any(map(_CONTENTS.fullmatch, names)):
            self.builder.line(text, level=_level(element, styles, names))
        for box in _boxes(element):
            self.blocks(box)

    def numbered(self, element: Element, styles: list[Element]) -> str:
        """The visible text of a paragraph with its number, without its boxes."""
        text = "".join(self._pieces(element))
        list_id, depth = _list_place(element, styles)
        # An empty paragraph of a list is counted, a deleted one is not.
        if not list_id or (not text.strip() and element.find(f"{W}pPr/{W}rPr/{W}del") is not None):
            return text
        number = self.numbering.next(list_id, depth)
        return number + text if text.strip() else ""

    def table(self, element: Element) -> None:
        rows = [(row, list(_own(row, _CELL, _ROW))) for row in _rows(element)]
        if len(rows) == 1 or all(len(cells) <= 1 for _, cells in rows):
            # Layout, not data: what stands inside are paragraphs as elsewhere.
            for _, cells in rows:
                for cell in cells:
                    self.blocks(cell)
        else:
            grid, n_headers = self._grid(rows)
            write_table(self.builder, grid, n_headers=n_headers)

    def _grid(self, rows: list[tuple[Element, list[Element]]]) -> tuple[list[Row], int]:
        """All rows with merged cells as `write_table` takes them, and how many are headers."""
        grid: list[Row] = []
        n_headers = 0
        for row, cells in rows:
            line: Row = [""] * _number(row.find(f"{W}trPr/{W}gridBefore"))
            for cell in cells:
                merged = cell.find(f"{W}tcPr/{W}vMerge")
                goes_on = merged is not None and merged.get(f"{W}val") != "restart"
                above = grid[-1][len(line)] if grid and len(line) < len(grid[-1]) else ""
                line.append(above if goes_on else self._cell(cell))
                line += [None] * (_number(cell.find(f"{W}tcPr/{W}gridSpan")) - 1)
            if n_headers == len(grid) and row.find(f"{W}trPr/{W}tblHeader") is not None:
                n_headers += 1
            grid.append(line)
        return grid, n_headers

    def _cell(self, cell: Element) -> str:
        parts = []
        for child in _blocks(cell):
            if child.tag == _P:
                parts.append(self.numbered(child, list(self._style_chain(child))))
                parts += [self._cell(box) for box in _boxes(child)]
            else:
                rows = [(row, list(_own(row, _CELL, _ROW))) for row in _rows(child)]
                inner = Builder()
                grid, n_headers = self._grid(rows)
                write_table(inner, grid, n_headers=n_headers)
                parts.append("；".join(inner.extracted().text.split("\n")))
        return " ".join(parts)

    def _pieces(self, element: Element) -> Iterator[str]:
        for node in _visible(element):
            if node.tag in (f"{W}t", _MATH):
                yield node.text or ""
            elif node.tag in _BLANKS:
                yield " "
            elif node.tag == f"{W}noBreakHyphen":
                yield "-"
            elif node.tag in _NOTES:
                note = self.notes.get((_NOTES[node.tag], node.get(f"{W}id", "")))
                self._pending += [note] if note else []

    def _style_chain(self, element: Element) -> Iterator[Element]:
        """The style of a paragraph and those it is based on."""
        style_id = _value(element.find(f"{W}pPr"), "pStyle")
        for _ in range(len(self.styles)):  # a damaged file may have a circle
            style = self.styles.get(style_id)
            if style is None:
                return
            yield style
            style_id = _value(style, "basedOn")


def _blocks(parent: Element) -> Iterator[Element]:
    """Paragraphs and tables, in reading order, those in content controls included."""
    for child in parent:
        if child.tag in (_P, _TABLE):
            yield child
        elif child.tag in _WRAPPERS:
            yield from _blocks(child)


def _rows(table: Element) -> Iterator[Element]:
    for row in _own(table, _ROW, _TABLE):
        if row.find(f"{W}trPr/{W}del") is None:
            yield row


def _own(parent: Element, tag: str, parent_tag: str) -> Iterator[Element]:
    """Descendants of a tag that do not lie in a table within the table."""
    for child in parent.iter(tag):
        if next(child.iterancestors(parent_tag)) is parent:
            yield child


def _visible(element: Element) -> Iterator[Element]:
    for child in element:
        if child.tag in _SKIPPED or (child.tag == f"{W}r" and _hidden(child)):
            continue
        yield child
        yield from _visible(child)


def _hidden(run: Element) -> bool:
    vanish = run.find(f"{W}rPr/{W}vanish")
    return vanish is not None and vanish.get(f"{W}val") not in ("0", "false", "off")


def _boxes(paragraph: Element) -> Iterator[Element]:
    """The text boxes anchored in a paragraph, without those in its boxes."""
    for box in paragraph.iter(_BOX):
        copy = next(box.iterancestors(_FALLBACK), None)  # the same again, for older programs
        if copy is None and next(box.iterancestors(_P)) is paragraph:
            yield box


def _level(element: Element, styles: list[Element], names: list[str]) -> int:
    """The level of a heading, 0 for other paragraphs."""
    for holder in (element, *styles):
        outline = holder.find(f"{W}pPr/{W}outlineLvl")
        if outline is not None:
            level = int(outline.get(f"{W}val", "9")) + 1
            return level if level <= 6 else 0
    for found in map(_HEADING.fullmatch, names):
        if found:
            return int(found[1] or "一二三四五六".index(found[2]) + 1)
    return 0


def _list_place(element: Element, styles: list[Element]) -> tuple[str, int]:
    """The list of a paragraph and the level there; its own word counts first."""
    list_id = depth = ""
    for holder in (element, *styles):
        properties = holder.find(f"{W}pPr/{W}numPr")
        if properties is not None:
            list_id = list_id or _value(properties, "numId")
            depth = depth or _value(properties, "ilvl")
    return list_id, int(depth or 0)


def _value(holder: Element, tag: str) -> str:
    found = holder.find(f"{W}{tag}") if holder is not None else None
    return str(found.get(f"{W}val", "")) if found is not None else ""


def _number(element: Element) -> int:
    value = element.get(f"{W}val", "0") if element is not None else "0"
    return min(int(value), _MAX_SPAN) if value.isdecimal() else 0


def _opened(data: bytes) -> "Document":
    from docx.opc.part import PartFactory
    from docx.package import Package
    from docx.parts.document import DocumentPart

    PartFactory.part_type_for.update(dict.fromkeys(_KINDS, DocumentPart))
    part = Package.open(io.BytesIO(data)).main_document_part
    if not isinstance(part, DocumentPart):
        raise ValueError(f"the main part is {part.content_type}")
    return part.document


def _styles(document: "Document") -> dict[str, Element]:
    styles = document.styles.element.iter(f"{W}style")
    return {style.get(f"{W}styleId", ""): style for style in styles}


def _numbering(document: "Document") -> Element | None:
    # python-docx would make a part where there is none.
    for relation in document.part.rels.values():
        if relation.reltype.endswith("/numbering") and not relation.is_external:
            return relation.target_part.element
    return None


def _notes(document: "Document") -> dict[tuple[str, str], str]:
    """The text of every footnote and endnote by its part and the number that refers to it."""
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
    notes = {}
    for relation in document.part.rels.values():
        part = relation.reltype.rsplit("/", 1)[-1]
        if part not in _NOTES.values() or relation.is_external:
            continue
        for note in etree.fromstring(relation.target_part.blob, parser):
            text = "".join(t.text or "" for t in note.iter(f"{W}t"))
            notes[part, note.get(f"{W}id", "")] = " ".join(text.split())
    return notes
