"""Rows of cells in, one line for each row out: 列名：值；列名：值.

One writer for the tables of all formats, whose every row can be cited alone. A `Row` has the text
of every place; a cell that spans columns stands in the first of them, with None in the others; one
that spans rows stands in all.
"""

import re
from collections.abc import Sequence

from corpus.readers.building import Builder

MIN_FILLED = 0.6  # of the cells of a header row
MAX_HEADERS = 4  # header rows above each other
MAX_NAME = 60  # characters of a column's name; more are text
MAX_ABOVE = 20  # rows above a header

_VALUE = re.compile(r"[-+−]?[\d,.]+\s?[%‰]?|\d{4}[年/-]\d{1,2}[月/-]\d{1,2}日?.*")
_YEAR = re.compile(r"(?:19|20)\d\d年?")

Row = list[str | None]


def write_table(
    builder: Builder,
    rows: Sequence[Sequence[str | None]],
    *,
    n_headers: int = 0,
    header: Sequence[str] = (),
) -> list[str]:
    """Add a table: titles above its header as lines, every other row with the header's names.

    A table of one row or of one column is layout, not data: its cells become lines.

    Parameters
    ----------
    n_headers
        How many rows at the top the file says to be headers; 0 if it says nothing.
    header
        The names of the table before, which a table of the same width may go on from.

    Returns
    -------
    list of str
        The names of the columns, empty if there are none.
    """
    grid: list[Row] = [[cell and " ".join(cell.split()) for cell in row] for row in rows]
    grid = [row for row in grid if any(row)]
    width = max((len(row) for row in grid), default=0)
    grid = [[*row, *[""] * (width - len(row))] for row in grid]
    if not n_headers and _is_form(grid):
        for row in grid:
            builder.line(_pairs(_texts(row)), row=True)
        return []
    n_above, depth = header_rows(grid, n_headers)
    names = _names(grid[n_above : n_above + depth], width)
    if len(header) == width and width > 1 and names != list(header):
        names, n_above, depth = list(header), 0, 0  # its first row is only a row
    for row in grid[:n_above]:
        builder.line(" ".join(_texts(row)))
    grid = grid[n_above + depth :]
    if not grid:
        for name in dict.fromkeys(names):
            builder.line(name)
    for row in grid:
        texts = _texts(row)
        if width > 1:
            # One text alone is a group's name or a note: it has no columns.
            alone = len(texts) == 1 and row[0] and (None in row or not _is_value(texts[0]))
            builder.line(texts[0] if alone else _row_line(names, row), row=True)
        else:
            builder.line(texts[0])
    return names if any(names) else []


def header_rows(rows: Sequence[Sequence[str | None]], n_known: int = 0) -> tuple[int, int]:
    """How many rows stand above the header, and how many the header has (0 = there is none).

    Unless `n_known` rows at the top are known to be headers, the header is the first row that is
    mostly filled, if it holds names and not values. It has one more row where cells span columns
    and all others reach down.
    """
    titles = _titles(rows)
    if n_known:
        first, depth = titles, max(1, n_known - titles)
    else:
        first, depth = _first_header(rows)
        if not depth:
            return titles, 0
    while first + depth < len(rows) - 1 and depth < MAX_HEADERS:
        last, below = rows[first + depth - 1], rows[first + depth]
        if not _goes_on(last, below) or any(cell and _is_value(cell) for cell in below):
            break
        depth += 1
    return first, depth


def _first_header(rows: Sequence[Sequence[str | None]]) -> tuple[int, int]:
    """Where the header begins, and 1; 0 if there is none."""
    for first, row in enumerate(rows[:MAX_ABOVE]):
        texts = [cell for cell in row if cell]
        filled = sum(cell != "" for cell in row)
        if filled < max(2, MIN_FILLED * len(row)) or len(set(texts)) < 2:
            continue
        if any(map(_is_value, texts)):
            return 0, 0
        if len(set(texts)) < 0.5 * len(texts) and None not in row:
            return 0, 0
        return first, 1
    return 0, 0


def _goes_on(last: Sequence[str | None], below: Sequence[str | None]) -> bool:
    """Whether a header row has another one below it."""
    spans = [None in last[i : i + 2] for i in range(len(last))]
    pairs = list(zip(spans, last, below, strict=False))
    return any(spans) and all(span or a == b or not (a and b) for span, a, b in pairs)


def _is_form(rows: Sequence[Sequence[str | None]]) -> bool:
    """Whether names and values stand beside each other, as in 姓名|张三|性别|男."""
    rows = [row for row in rows if len(_texts(row)) > 1]
    if len(rows) < 2 or None in rows[0]:
        return False
    merged = [row for row in rows[1:] if None in row]
    return len(merged) > 0.5 * (len(rows) - 1) and len({len(_texts(row)) for row in rows}) > 1


def _pairs(cells: Sequence[str]) -> str:
    if len(cells) % 2:
        return "；".join(cells)
    return "；".join(
        f"{name}：{value}" for name, value in zip(cells[::2], cells[1::2], strict=True)
    )


def _titles(rows: Sequence[Sequence[str | None]]) -> int:
    """How many rows at the top hold one text only."""
    n = 0
    while n < len(rows) and len(rows[n]) > 1 and len(_texts(rows[n])) == 1:
        n += 1
    return n if n < len(rows) else 0


def _texts(row: Sequence[str | None]) -> list[str]:
    return [cell for cell in row if cell]


def _is_value(cell: str) -> bool:
    """Whether a cell cannot be the name of a column."""
    return len(cell) > MAX_NAME or bool(_VALUE.fullmatch(cell) and not _YEAR.fullmatch(cell))


def _names(headers: Sequence[Sequence[str | None]], width: int) -> list[str]:
    columns: list[list[str]] = [[] for _ in range(width)]
    for row in headers:
        left = ""
        for i, cell in enumerate(row):
            left = left if cell is None else cell
            if left and left not in columns[i]:
                columns[i].append(left)
    return [" ".join(column) for column in columns]


def _row_line(header: Sequence[str], row: Sequence[str | None]) -> str:
    """A row as a sentence: 列名：值；列名：值."""
    parts = []
    for i, cell in enumerate(row):
        name = header[i] if i < len(header) else ""
        if cell:
            parts.append(f"{name}：{cell}" if name and name != cell else cell)
    return "；".join(dict.fromkeys(parts))
