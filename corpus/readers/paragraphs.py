"""Pages of glyphs in, extracted text out: lines become paragraphs, headings and table rows.

A page breaks lines anywhere, so a line goes on from the one before unless something says that it
does not: an indent, a short last line, a gap, another size, a list mark.
"""

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from corpus.readers.building import Builder, Extracted
from corpus.readers.grids import find_tables
from corpus.readers.layout import (
    Item,
    Line,
    Page,
    Table,
    find_gutter,
    is_wide,
    join,
    reading_order,
    running_heads,
    text_lines,
)
from corpus.readers.tables import write_table
from corpus.types import Metadata

LARGER = 1.1  # times the size of the body: a heading
MAX_GAP = 1.35  # times the usual distance of lines: a blank line
MAX_INDENT = 6  # em of a block of text: what stands further right is a signature or a date
MAX_HEADING = 80  # characters

_NUMERAL = "一二三四五六七八九十百零〇"
_MARK = re.compile(
    rf"第[{_NUMERAL}\d]+(?:[编篇章节条]|部分)|[（(](?:[{_NUMERAL}]+|\d{{1,2}})[)）]"
    rf"|\d{{1,2}}(?:[、．]|\.(?!\d))|[①-⑳•●■◆▪\uf06c\uf0b7]|附件|案例[{_NUMERAL}\d]"
)
_SECTION_MARK = re.compile(rf"[{_NUMERAL}]+、")
_TERMINATED = re.compile(r"[。！？!?；;：:…][”’」』）)]*$")
_CONTENTS = re.compile(r".*?(?:[.·…．]\s?){4,}\s*[ivxlIVXL\d]+$")  # "一、总体要求………3"
# What may not be parted at a line's end: opening marks, a word or one character, closing marks.
_FIRST_WORD = re.compile(
    r"[（(《“‘「『【〈]*(?:[A-Za-z0-9.,%/:_+\-]+|.)[，。、；：！？）)》”’」』】〉%…]*"
)
_LETTERHEAD = re.compile(r"文件$")


def extract(pages: Iterable[Page], metadata: Metadata) -> Extracted:
    """The text of pages; a title that is seen on the first page replaces one that is only noted."""
    lines: list[list[Line]] = []
    tables: list[list[Table]] = []
    heights: list[float] = []
    for page in pages:
        found, rest = find_tables(page.glyphs, page.rules)
        tables.append(found)
        lines.append([line for line in text_lines(rest) if not _CONTENTS.fullmatch(line.text)])
        heights.append(page.height)
    heads = running_heads(lines, heights)
    items: list[Item] = []
    gutter: float | None = None
    for number, (own, its_tables, head) in enumerate(zip(lines, tables, heads, strict=True)):
        kept = [line for i, line in enumerate(own) if i not in head]
        gutter = find_gutter([*kept, *its_tables], gutter)
        for item in reading_order([*kept, *its_tables], gutter=gutter):
            items.append(replace(item, page=number))
    return _extracted(items, len(heights), metadata)


def _extracted(items: Sequence[Item], n_pages: int, metadata: Metadata) -> Extracted:
    type_area = _TypeArea([item for item in items if isinstance(item, Line)])
    paragraphs = list(_paragraphs(items, type_area))
    title = _title(paragraphs, type_area)
    levels = _levels(paragraphs, type_area, title)
    builder = Builder()
    begun = 0
    header: list[str] = []  # of the table before, which may go on
    for number, paragraph in enumerate(paragraphs):
        if isinstance(paragraph, Table):
            while begun <= paragraph.page:
                builder.page()
                begun += 1
            header = write_table(builder, paragraph.rows, header=header)
            continue
        header = []
        begun = _write(builder, paragraph, levels.get(number, 0), begun)
    while begun < n_pages:
        builder.page()
        begun += 1
    title_lines = paragraphs[title] if title is not None else None
    if isinstance(title_lines, list):
        metadata = replace(metadata, title=_joined(title_lines))
    found = builder.extracted(metadata)
    # Pages without text at the end would begin after it.
    return replace(found, pages=tuple(min(page, len(found.text)) for page in found.pages))


def _write(builder: Builder, lines: Sequence[Line], level: int, begun: int) -> int:
    """Add a paragraph and the pages that begin before or in it; return how many have begun."""
    while begun <= lines[0].page:
        builder.page()
        begun += 1
    text = _joined(lines)
    builder.line(text, level=level)
    for i in range(1, len(lines)):
        while begun <= lines[i].page:
            builder.page(back=len(_joined(lines[i:])))
            begun += 1
    return begun


def _paragraphs(items: Sequence[Item], area: "_TypeArea") -> Iterator[list[Line] | Table]:
    paragraph: list[Line] = []
    for item in items:
        if isinstance(item, Line) and paragraph and area.goes_on(paragraph, item):
            paragraph.append(item)
            continue
        if paragraph:
            yield paragraph
        paragraph = []
        if isinstance(item, Line):
            paragraph = [item]
        else:
            yield item
    if paragraph:
        yield paragraph


class _TypeArea:
    """Where text begins and ends on the pages, its usual size and distance of lines."""

    def __init__(self, lines: Sequence[Line]) -> None:
        by_size = sorted((line.size, len(line.text)) for line in lines)
        half = sum(n for _, n in by_size) / 2
        passed = 0
        self.body = 1.0  # the size of most text
        for self.body, n in by_size:
            passed += n
            if passed >= half:
                break
        flows: dict[str, list[Line]] = defaultdict(list)
        places: dict[tuple[int, str], list[Line]] = defaultdict(list)
        for line in lines:
            flows[line.flow].append(line)
            places[line.page, line.flow].append(line)
        whole = {flow: self._edges(its_lines) for flow, its_lines in flows.items()}
        self._bounds = {
            (page, flow): self._with_whole(self._edges(its_lines), whole[flow], len(its_lines))
            for (page, flow), its_lines in places.items()
        }
        self._pitches = self._usual_pitches(lines)
        # Where paragraphs are indented, a mark at the left edge stands within running text.
        opening = [b for a, b in pairwise(lines) if not self._is_full(a, b)]
        self._indents = sum(self._indent(line) > 0.9 for line in opening) > 0.5 * len(opening)

    def bounds(self, line: Line) -> tuple[float, float]:
        """The left and the right edge of the text that the line is a part of."""
        return self._bounds[line.page, line.flow]

    def goes_on(self, paragraph: Sequence[Line], line: Line) -> bool:
        """Whether a line continues the paragraph."""
        before = paragraph[-1]
        if before.is_row or line.is_row:
            return False
        if abs(line.size - before.size) > 0.1 * max(line.size, before.size):
            return False
        together = (line.page, line.flow) == (before.page, before.flow)
        if together and line.y - before.y > MAX_GAP * self._pitch(line):
            return False
        if _SECTION_MARK.match(line.text):
            return False
        terminated = _TERMINATED.search(before.text) is not None
        indented = self._indent(line) > 0.9
        if _MARK.match(line.text) and (indented or (terminated and not self._indents)):
            return False
        if self._is_centred(line):  # a title of several lines
            large = line.size > LARGER * self.body
            return (large and self._is_centred(before)) or (
                self._is_full(before, line) and not terminated
            )
        if not self._is_full(before, line):
            return False
        if not indented:
            return True
        # A hanging list or an indented block: its lines stand below each other.
        beside = (line.x0 - before.x0) / line.size
        if len(paragraph) > 1 and abs(paragraph[0].x0 - before.x0) > 0.5 * line.size:
            return abs(beside) < 0.4
        hangs = _MARK.match(before.text) is not None and 0.5 < beside < 5
        block = abs(beside) < 0.4 and self._indent(line) < MAX_INDENT
        return not terminated and (hangs or block)

    def _indent(self, line: Line) -> float:
        return (line.x0 - self.bounds(line)[0]) / line.size

    def _is_full(self, before: Line, line: Line) -> bool:
        """Whether the first word of `line` had no more room at the end of `before`."""
        found = _FIRST_WORD.match(line.text)
        word = found[0] if found else ""
        width = sum(1.0 if is_wide(char) else 0.5 for char in word[:24])
        return self.bounds(before)[1] - before.x1 < (width + 0.6) * before.size

    def _is_centred(self, line: Line) -> bool:
        left, right = self.bounds(line)
        before, after = line.x0 - left, right - line.x1
        return abs(before - after) < 1.5 * line.size and before > 0.8 * line.size

    def _pitch(self, line: Line) -> float:
        return self._pitches.get(round(line.size / self.body, 1), 2.2) * line.size

    def _edges(self, lines: Sequence[Line]) -> tuple[float, float]:
        """Edges that several lines share: one that sticks out is no edge."""

        def edge(places: Iterable[float]) -> float:
            inwards = sorted(places)
            needed = max(2, 0.1 * len(inwards))
            for place in reversed(inwards):
                near = bisect_left(inwards, place - self.body)
                if bisect_right(inwards, place) - near >= needed:
                    return place
            return inwards[-1]

        return -edge(-line.x0 for line in lines), edge(line.x1 for line in lines)

    def _with_whole(
        self, page: tuple[float, float], whole: tuple[float, float], n_lines: int
    ) -> tuple[float, float]:
        """The edges of a page of short or few lines, as the other pages have them."""
        left, right = page
        if n_lines < 8 and 0 < left - whole[0] < 2.5 * self.body:
            left = whole[0]
        return left, max(right, min(left + whole[1] - whole[0], whole[1]))

    def _usual_pitches(self, lines: Sequence[Line]) -> dict[float, float]:
        """For a size of text, relative to the body's, the distance of its lines in em."""
        found: dict[float, list[float]] = defaultdict(list)
        for a, b in pairwise(lines):
            if (a.page, a.flow) == (b.page, b.flow) and abs(a.size - b.size) < 0.05 * a.size:
                found[round(b.size / self.body, 1)].append((b.y - a.y) / b.size)
        return {size: sorted(pitches)[len(pitches) // 4] for size, pitches in found.items()}


def _size(paragraph: Sequence[Line]) -> float:
    return max(line.size for line in paragraph)


def _title(paragraphs: Sequence[list[Line] | Table], area: _TypeArea) -> int | None:
    """Position of the document's title: the largest text on its first page but the letterhead."""
    best: int | None = None
    largest = LARGER * area.body
    for i, paragraph in enumerate(paragraphs):
        if isinstance(paragraph, Table) or paragraph[0].page > 0:
            continue
        text = _joined(paragraph)
        shaped = 3 < len(text) <= MAX_HEADING and not _LETTERHEAD.search(text)
        if shaped and not _is_marked(text) and _size(paragraph) > 1.02 * largest:
            best, largest = i, _size(paragraph)
    return best


def _levels(
    paragraphs: Sequence[list[Line] | Table], area: _TypeArea, title: int | None
) -> dict[int, int]:
    """Levels of the headings: text that is clearly larger than the body, after the title."""
    found = {
        i: round(_size(paragraph) / area.body, 1)
        for i, paragraph in enumerate(paragraphs)
        if isinstance(paragraph, list)
        and i > (-1 if title is None else title)
        and _size(paragraph) > LARGER * area.body
        and len(_joined(paragraph)) <= MAX_HEADING
        and not _joined(paragraph).endswith("。")
    }
    sizes = sorted(set(found.values()), reverse=True)
    return {i: sizes.index(size) + 1 for i, size in found.items()}


def _is_marked(text: str) -> bool:
    return bool(_MARK.match(text) or _SECTION_MARK.match(text))


def _joined(lines: Sequence[Line]) -> str:
    text = lines[0].text
    for line in lines[1:]:
        text = join(text, line.text)
    return text
