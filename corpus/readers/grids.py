"""Glyphs and drawn lines of a page in, the tables that they make out: cells between ruled lines."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

from corpus.readers.layout import Glyph, Rule, Table, join, reading_order, text_lines

MAX_RULES = 4000  # of a page: more are a drawing
MAX_CELLS = 20_000  # of a table on a page


def find_tables(
    glyphs: Sequence[Glyph], rules: Sequence[Rule]
) -> tuple[list[Table], Sequence[Glyph]]:
    """The tables whose cells are ruled, and the glyphs that stand in none."""
    if len(rules) > MAX_RULES or not glyphs:
        return [], glyphs
    near = 0.25 * median(glyph.size for glyph in glyphs)
    tables = []
    for grid in _grids(rules, near):
        inside: list[Glyph] = []
        outside: list[Glyph] = []
        for glyph in glyphs:
            (inside if grid.region(glyph) is not None else outside).append(glyph)
        table = grid.table(inside)
        if table is not None:
            tables.append(table)
            glyphs = outside
    return tables, glyphs


@dataclass(slots=True)
class _Grid:
    """Rows and columns between ruled lines; cells without a line between them are one region."""

    xs: list[float]
    ys: list[float]
    _regions: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)

    def merge(self, a: tuple[int, int], b: tuple[int, int]) -> None:
        first, second = sorted((self._root(a), self._root(b)))
        self._regions[second] = first

    def region(self, glyph: Glyph) -> tuple[int, int] | None:
        """The cell that a glyph's middle lies in."""
        x, y = (glyph.x0 + glyph.x1) / 2, glyph.y - 0.3 * glyph.size
        if not (self.xs[0] < x < self.xs[-1] and self.ys[0] < y < self.ys[-1]):
            return None
        return self._root((bisect_right(self.ys, y) - 1, bisect_right(self.xs, x) - 1))

    def table(self, glyphs: Sequence[Glyph]) -> Table | None:
        """The texts of the cells; None if it is a frame around text and no table."""
        cells: dict[tuple[int, int], list[Glyph]] = defaultdict(list)
        for glyph in glyphs:
            found = self.region(glyph)
            if found is not None:
                cells[found].append(glyph)
        texts = {region: _cell_text(own) for region, own in cells.items()}
        if sum(bool(text) for text in texts.values()) < 3:
            return None
        rows = [
            [self._shown(texts, r, c) for c in range(len(self.xs) - 1)]
            for r in range(len(self.ys) - 1)
        ]
        # A rule that is drawn twice must not make a row of its own.
        return Table([row for row in rows if any(row)], self.xs[0], self.xs[-1], self.ys[0])

    def _shown(self, texts: Mapping[tuple[int, int], str], r: int, c: int) -> str | None:
        """The text of a place; None where the cell to its left covers it."""
        root = self._root((r, c))
        return None if c and self._root((r, c - 1)) == root else texts.get(root, "")

    def _root(self, cell: tuple[int, int]) -> tuple[int, int]:
        while cell in self._regions and self._regions[cell] != cell:
            cell = self._regions[cell]
        return cell


def _cell_text(glyphs: Sequence[Glyph]) -> str:
    text = ""
    for line in reading_order(text_lines(glyphs)):
        text = join(text, getattr(line, "text", ""))
    return text


def _grids(rules: Sequence[Rule], near: float) -> list[_Grid]:
    """The grids of at least two rows and two columns that rules make."""
    flat = _merged([(r.y0, r.x0, r.x1) for r in rules if r.y1 - r.y0 <= near < r.x1 - r.x0], near)
    steep = _merged([(r.x0, r.y0, r.y1) for r in rules if r.x1 - r.x0 <= near < r.y1 - r.y0], near)
    grids = []
    for across, down in _connected(flat, steep, near):
        xs = _distinct(
            [x for x, _, _ in down] + [a for _, a, _ in across] + [b for _, _, b in across], near
        )
        ys = _distinct(
            [y for y, _, _ in across] + [a for _, a, _ in down] + [b for _, _, b in down], near
        )
        if min(len(xs), len(ys)) >= 3 and len(xs) * len(ys) <= MAX_CELLS:
            grids.append(_grid(xs, ys, across, down, near))
    return grids


_Span = tuple[float, float, float]  # where a rule lies across its direction; from, to along it


def _grid(
    xs: list[float], ys: list[float], across: list[_Span], down: list[_Span], near: float
) -> _Grid:
    grid = _Grid(xs, ys)

    def parted(rules: list[_Span], at: float, middle: float) -> bool:
        return any(abs(place - at) <= near and a < middle < b for place, a, b in rules)

    for r, (top, bottom) in enumerate(pairwise(ys)):
        for c, (left, right) in enumerate(pairwise(xs)):
            if c + 2 < len(xs) and not parted(down, right, (top + bottom) / 2):
                grid.merge((r, c), (r, c + 1))
            if r + 2 < len(ys) and not parted(across, bottom, (left + right) / 2):
                grid.merge((r, c), (r + 1, c))
    return grid


def _merged(spans: list[_Span], near: float) -> list[_Span]:
    """Rules that lie on each other or go on from each other as one."""
    merged: list[_Span] = []
    spans.sort()
    places = _distinct([place for place, _, _ in spans], near)
    snapped = sorted(
        (places[max(0, bisect_right(places, place) - 1)], a, b) for place, a, b in spans
    )
    for place, a, b in snapped:
        if merged and merged[-1][0] == place and a <= merged[-1][2] + near:
            merged[-1] = (place, merged[-1][1], max(b, merged[-1][2]))
        else:
            merged.append((place, a, b))
    return merged


def _distinct(places: list[float], near: float) -> list[float]:
    distinct: list[float] = []
    for place in sorted(places):
        if not distinct or place - distinct[-1] > near:
            distinct.append(place)
    return distinct


def _connected(
    flat: list[_Span], steep: list[_Span], near: float
) -> list[tuple[list[_Span], list[_Span]]]:
    """Groups of horizontal and vertical rules that touch each other."""
    groups: list[tuple[list[_Span], list[_Span]]] = []
    left_flat, left_steep = set(flat), set(steep)
    while left_flat:
        across, down = [left_flat.pop()], list[_Span]()
        waiting = [(True, across[0])]
        while waiting:
            is_flat, (at, a, b) = waiting.pop()
            others = left_steep if is_flat else left_flat
            touching = {
                o
                for o in others
                if a - near <= o[0] <= b + near and o[1] - near <= at <= o[2] + near
            }
            others -= touching
            (down if is_flat else across).extend(touching)
            waiting += [(not is_flat, o) for o in touching]
        groups.append((across, down))
    return groups
