"""Glyphs at places on pages in, lines in reading order out; PDF, OFD and OCR share it.

Nothing is known of a page but where its characters stand. Characters on one baseline are a line;
a gutter that long lines keep clear makes columns; what comes again at the edge of page after page
(running heads, page numbers) belongs to the paper and not to the text.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from statistics import median

# Coordinates grow rightwards and downwards; their unit is whatever the format uses (pt, mm, pixel).
# Distances within text are counted in em, the size of its characters.
MAX_GAP = 1.0  # em between pieces of one line; columns stand no closer
ROW_GAP = 2.0  # em between the cells of a row of a table without rules
RUN_GAP = 0.3  # em between characters that follow each other in the file as well
DIVISION_GAP = 0.15  # em more than usual after 第一章; the narrowest blank of a font has 0.2
EDGE = 0.13  # of the page's height: running heads and page numbers stand no deeper
MIN_REPEATS = 0.25  # of all pages, for a running head
MAX_COLUMNS = 3
MIN_COLUMN = 4  # lines on either side of a gutter
MIN_REST = 2  # lines on either side where the page before has the gutter

_WIDE = "\u2e80-\u9fff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\uffe0-\uffe6\U00020000-\U0003ffff"
WIDE = re.compile(f"[{_WIDE}\u3000-\u303f‘’“”…—]")
_OPENING, _CLOSING = "（《“‘「『【〈〔", "，。、；：！？）》”’」』】〉〕"
_LABEL = re.compile(r"第[一二三四五六七八九十百零〇\d]+(?:[编篇章节条]|部分)")
_NUMBER = r"(?:\d{1,4}|[ivxl]{1,6})"
_NUMBER_OF_LIST = re.compile(r"[(（]?\w{1,3}[)）、.．]|\W")
_PAGE_NUMBER = re.compile(
    rf"[-—–－―·•~\s]*(?:第|page|p\.)?\s*{_NUMBER}\s*页?"
    rf"(?:\s*(?:[/／,，|]|共|of|\s)+\s*{_NUMBER}\s*页?)?[-—–－―·•~\s]*",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Glyph:
    """One or more characters, drawn together."""

    text: str
    x0: float
    x1: float
    y: float  # of the baseline
    size: float


@dataclass(frozen=True, slots=True)
class Rule:
    """A horizontal or vertical line that was drawn."""

    x0: float
    y0: float
    x1: float
    y1: float


@dataclass(frozen=True, slots=True)
class Page:
    """What is drawn on a page."""

    height: float
    glyphs: Sequence[Glyph]
    rules: Sequence[Rule] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """Text on one baseline."""

    text: str
    x0: float
    x1: float
    y: float
    size: float
    flow: str = ""  # "" for lines over the whole page, "L", "R", "RL" … for those of columns
    page: int = 0
    is_row: bool = False  # made of cells far apart: a row of a table without rules


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells as `tables.write_table` takes them."""

    rows: Sequence[Sequence[str | None]]
    x0: float
    x1: float
    y: float
    page: int = 0


Item = Line | Table


def is_wide(char: str) -> bool:
    """Whether a character is as wide as a Chinese one and needs no blanks around it."""
    return bool(char) and WIDE.match(char) is not None


def path_rules(
    points: Sequence[tuple[bool, float, float]], thin: float, filled: object, stroked: object
) -> Iterator[Rule]:
    """The lines of a path: its strokes, or itself if it is a filled rectangle no wider than `thin`.

    A point is `(whether a straight line leads to it, x, y)`.
    """
    if not points:
        return
    xs, ys = [x for _, x, _ in points], [y for _, _, y in points]
    x0, x1, y0, y1 = min(xs), max(xs), min(ys), max(ys)
    if filled and min(x1 - x0, y1 - y0) <= thin:
        if y1 - y0 < x1 - x0:
            yield Rule(x0, (y0 + y1) / 2, x1, (y0 + y1) / 2)
        else:
            yield Rule((x0 + x1) / 2, y0, (x0 + x1) / 2, y1)
    elif stroked:
        for (_, ax, ay), (is_line, bx, by) in pairwise(points):
            if is_line:
                yield Rule(min(ax, bx), min(ay, by), max(ax, bx), max(ay, by))


def text_lines(glyphs: Iterable[Glyph]) -> list[Line]:
    """The lines that the glyphs make, in no particular order; a wide gap ends a line."""
    lines = [_line(run) for run in _runs(glyphs)]
    lines.sort(key=lambda line: line.y)
    merged: list[Line] = []
    for row in _rows(_unique(lines)):
        last: Line | None = None
        for line in sorted(row, key=lambda line: line.x0):
            if last and -0.7 < (line.x0 - last.x1) / max(line.size, last.size) < MAX_GAP:
                last = merged[-1] = _beside(last, line)
            else:
                merged.append(line)
                last = line
    return merged


def find_gutter(items: Sequence[Item], before: float | None = None) -> float | None:
    """Where two columns part, if they do; `before` is where they did on the page before.

    The last page of a text often holds only a few lines of each column, too few to tell by
    themselves.
    """
    lines = sorted((item for item in items if isinstance(item, Line)), key=lambda line: line.y)
    gutter = _gutter(lines)
    if gutter is not None or before is None:
        return gutter
    left = [line for line in lines if line.x1 <= before]
    right = [line for line in lines if line.x0 >= before]
    goes_on = len(left) + len(right) == len(lines) and min(len(left), len(right)) >= MIN_REST
    return before if goes_on and _is_prose(left) and _is_prose(right) else None


def reading_order(
    items: Sequence[Item], flow: str = "", *, gutter: float | None = None
) -> list[Item]:
    """Top to bottom; where the gutter parts columns, each column by itself."""
    items = sorted(items, key=lambda item: item.y)
    if gutter is None:
        return _joined_rows(items, flow)
    near = median([item.size for item in items if isinstance(item, Line)])
    ordered: list[Item] = []
    for crosses, group in groupby(items, key=lambda item: item.x0 < gutter < item.x1):
        zone = list(group)
        if crosses:
            ordered += _joined_rows(zone, flow)
            continue
        left = [item for item in zone if item.x1 <= gutter]
        right = [item for item in zone if item.x0 >= gutter]
        # A short title over three columns crosses no gutter, but stands above the first column.
        above = [item for item in right if left and item.y < left[0].y - near]
        ordered += _joined_rows(above, flow)
        ordered += reading_order(left, flow + "L", gutter=find_gutter(left))
        right = right[len(above) :]
        ordered += reading_order(right, flow + "R", gutter=find_gutter(right))
    return ordered


def join(before: str, after: str) -> str:
    """Two pieces that a line's end parts: no blank in Chinese, one between Latin words."""
    if not before or not after:
        return before + after
    if before.endswith("-") and before[-2:-1].isalpha() and after[0].islower():
        return before[:-1] + after
    if is_wide(before[-1]) or is_wide(after[0]) or before[-1] == "-":
        return before + after
    # Programs that break Latin words anywhere also break numbers; two numbers seldom meet.
    return before + after if before[-1].isdigit() and after[0].isdigit() else f"{before} {after}"


def running_heads(pages: Sequence[Sequence[Line]], heights: Sequence[float]) -> list[set[int]]:
    """For every page the positions of its lines that are running heads or page numbers."""
    edges = [_edge_lines(lines, height) for lines, height in zip(pages, heights, strict=True)]
    repeats = Counter(
        key
        for lines, edge in zip(pages, edges, strict=True)
        for key in {_head_key(lines[i].text) for i in edge}
    )
    needed = max(min(3, len(pages)), 2, MIN_REPEATS * len(pages))
    return [
        {
            i
            for i, alone in edge.items()
            if repeats[_head_key(lines[i].text)] >= needed
            or (alone and _PAGE_NUMBER.fullmatch(lines[i].text))
        }
        for lines, edge in zip(pages, edges, strict=True)
    ]


def _head_key(text: str) -> str:
    return re.sub(r"\d+", "#", "".join(text.split()))


def _edge_lines(lines: Sequence[Line], height: float) -> dict[int, bool]:
    """Positions of the lines in the two outermost rows at either edge → alone in the outermost."""
    place = {id(line): i for i, line in enumerate(lines)}
    rows = list(_rows(sorted(lines, key=lambda line: line.y)))
    found: dict[int, bool] = {}
    for depth, row in [*enumerate(rows[:2]), *enumerate(reversed(rows[-2:]))]:
        for line in row:
            if not EDGE * height < line.y < (1 - EDGE) * height:
                i = place[id(line)]
                found[i] = found.get(i, False) or (len(row) == 1 and depth == 0)
    return found


def _runs(glyphs: Iterable[Glyph]) -> Iterable[list[Glyph]]:
    """Glyphs that follow each other in the file and on a baseline."""
    run: list[Glyph] = []
    for glyph in glyphs:
        if run:
            last = run[-1]
            em = max(last.size, glyph.size)
            # A raised note mark is smaller than the text it follows.
            drop = 0.5 if abs(last.size - glyph.size) > 0.1 * em else 0.25
            if not (
                abs(glyph.y - last.y) < drop * em and -0.7 < (glyph.x0 - last.x1) / em < RUN_GAP
            ):
                yield run
                run = []
        if run or not glyph.text.isspace():
            run.append(glyph)
    if run:
        yield run


def _line(run: Sequence[Glyph]) -> Line:
    text = run[0].text
    last = run[0]
    gaps = [(b.x0 - a.x1) / b.size for a, b in pairwise(run) if is_wide(a.text) and is_wide(b.text)]
    usual = median(gaps) if len(gaps) > 2 else 0.0  # more than 0 in a line that is spread
    sizes: Counter[float] = Counter()
    for glyph in run:
        if glyph is not run[0]:
            gap = (glyph.x0 - last.x1) / glyph.size
            text += _blank(text, glyph.text, gap, usual + DIVISION_GAP) + glyph.text
        last = glyph
        if not glyph.text.isspace():
            sizes[glyph.size] += 3 if is_wide(glyph.text[0]) else 1
    size = max(sizes, key=lambda size: sizes[size])
    ends = [glyph.x1 for glyph in run if not glyph.text.isspace()]
    baseline = median([glyph.y for glyph in run if glyph.size == size])
    return Line(" ".join(text.split()), run[0].x0, max(ends), baseline, size)


def _blank(before: str, after: str, gap: float, division: float = RUN_GAP) -> str:
    """The blank that a gap of so many em stands for: a full one in Chinese, a narrow in Latin.

    After 第一章 a gap of `division` em is one: it parts the label from the text.
    """
    if before[-1] in _OPENING or after[0] in _CLOSING:
        return ""  # the gap is half of the mark's own width
    # Word and browsers set up to a quarter between Chinese and Latin, more in a justified line.
    needed = 0.75 if is_wide(before[-1]) or is_wide(after[0]) else 0.17
    if _LABEL.fullmatch(before) and is_wide(after[0]):
        needed = min(needed, division)
    return " " if gap > needed else ""


def _unique(lines: Sequence[Line]) -> list[Line]:
    """Without the second print that makes a poor man's bold or a shadow."""
    kept: list[Line] = []
    seen: dict[str, list[Line]] = {}
    for line in lines:
        near = 0.3 * line.size
        same = seen.setdefault(line.text, [])
        if not any(abs(a.x0 - line.x0) < near and abs(a.y - line.y) < near for a in same):
            same.append(line)
            kept.append(line)
    return kept


def _rows(lines: Sequence[Line]) -> Iterable[list[Line]]:
    """Lines, sorted by baseline, that stand on the same one."""
    row: list[Line] = []
    for line in lines:
        if row and line.y - row[0].y > 0.35 * max(line.size, row[0].size):
            yield row
            row = []
        row.append(line)
    if row:
        yield row


def _beside(left: Line, right: Line) -> Line:
    gap = (right.x0 - left.x1) / max(left.size, right.size)
    text = left.text + _blank(left.text, right.text, gap) + right.text
    main = left if len(left.text) >= len(right.text) else right
    return replace(main, text=text, x0=left.x0, x1=max(left.x1, right.x1))


def _joined_rows(items: Sequence[Item], flow: str) -> list[Item]:
    """Lines on one baseline become one: the cells of a row of a table without rules."""
    ordered: list[Item] = []
    for is_line, group in groupby(items, key=lambda item: isinstance(item, Line)):
        if not is_line:
            ordered += group
            continue
        for row in _rows([item for item in group if isinstance(item, Line)]):
            row.sort(key=lambda line: line.x0)
            joined = row[0]
            for line in row[1:]:
                # Justified Latin text has wide gaps too.
                is_chinese = is_wide(joined.text[-1]) or is_wide(line.text[0])
                gap = (line.x0 - joined.x1) / line.size
                apart = gap > (ROW_GAP if is_chinese else 2 * ROW_GAP)
                apart = apart and not _NUMBER_OF_LIST.fullmatch(joined.text)
                joined = replace(
                    joined,
                    text=f"{joined.text} {line.text}",
                    x1=line.x1,
                    is_row=joined.is_row or apart,
                )
            ordered.append(replace(joined, flow=flow))
    return ordered


def _gutter(lines: Sequence[Line], n_columns: int = MAX_COLUMNS) -> float | None:
    """Where two columns part: most lines end before it or begin after it, and fill their side."""
    best, found = MIN_COLUMN - 1, None
    em = median([line.size for line in lines]) if lines else 0.0
    starts = sorted(line.x0 for line in lines)
    for before, x in pairwise([float("-inf"), *starts]):
        if x - before < 0.1 * em:
            continue
        gutter = x - 0.3 * em
        left = [line for line in lines if line.x1 <= gutter]
        right = [line for line in lines if line.x0 >= gutter]
        n = min(len(left), len(right))
        if n > best and len(left) + len(right) > 0.5 * len(lines):
            beside = min(left[-1].y, right[-1].y) - max(left[0].y, right[0].y)
            if beside > 2 * em and all(
                _is_prose(side) or (n_columns > 2 and _gutter(side, n_columns - 1) is not None)
                for side in (left, right)
            ):
                best, found = n, gutter
    return found


def _is_prose(lines: Sequence[Line]) -> bool:
    """Whether lines fill their column as running text does and the cells of a table do not."""
    width = max(line.x1 for line in lines) - min(line.x0 for line in lines)
    typical = median([line.x1 - line.x0 for line in lines])
    return typical > 0.6 * width and typical > 8 * median([line.size for line in lines])
