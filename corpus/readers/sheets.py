"""A workbook (.xlsx) or a .csv in, its rows as sentences out: 列名：值；列名：值."""

import csv
import io
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from corpus.errors import CorpusError
from corpus.readers.building import Builder, Extracted
from corpus.readers.tables import Row, header_rows, write_table
from corpus.readers.text import decoded
from corpus.types import Metadata

MAX_UNPACKED = 200 << 20  # bytes of all that is in a workbook
MAX_CELLS = 1_000_000  # written in a workbook, empty ones with a format included
MAX_COLUMNS = 2_000  # of a sheet, without the empty ones
MAX_MERGED = 100_000  # cells that one merged cell covers
SAMPLE = 20_000  # characters that show the delimiter

_DEFAULT_NAME = re.compile(r"(?i)(?:sheet|工作表)\s*\d*")
_FORMAT = re.compile(r"(#,##)?(0+)(?:\.(0+))?(%?)")

Rows = list[Row]


def read(name: str, data: bytes) -> Extracted:
    """Read a workbook or a .csv.

    Raises
    ------
    CorpusError
        If it is encrypted, damaged or too large.
    """
    builder = Builder()
    title = ""
    if data.startswith(b"PK"):
        title = _read_workbook(builder, name, data)
    else:
        _write(builder, _csv_rows(name, data))
    return builder.extracted(Metadata(title=title))


def _read_workbook(builder: Builder, name: str, data: bytes) -> str:
    """Add the visible sheets; return the title of the workbook."""
    from openpyxl import load_workbook

    try:
        _refuse_unpacked(name, data)
        # Not read-only: that mode knows neither merged cells nor hidden rows.
        book = load_workbook(io.BytesIO(data), data_only=True, keep_links=False)
        shown = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
        for sheet in shown:
            rows = _sheet_rows(name, sheet)
            named = len(shown) > 1 or not _DEFAULT_NAME.fullmatch(sheet.title.strip())
            if rows and named:
                builder.line(sheet.title, level=1)
            _write(builder, rows)
        return " ".join((book.properties.title or "").split())
    except (zipfile.BadZipFile, zlib.error, KeyError, ValueError, TypeError, AttributeError,
            IndexError, SyntaxError, NotImplementedError, EOFError, OSError) as error:  # fmt: skip
        raise CorpusError(
            f"无法读取 {name}：文件已损坏，请用 Excel 或 WPS 打开后另存为 .xlsx",
            f"cannot read {name}: damaged workbook ({type(error).__name__}); save it again",
        ) from error
    except (MemoryError, RecursionError) as error:
        raise _too_large(name) from error


def _refuse_unpacked(name: str, data: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if any(info.flag_bits & 1 for info in archive.infolist()):
            raise CorpusError(
                f"无法读取 {name}：文件已加密，请先去除密码",
                f"cannot read {name}: encrypted; remove the password",
            )
        if sum(info.file_size for info in archive.infolist()) > MAX_UNPACKED:
            raise _too_large(name)
        # Counting is a hundred times quicker than building what is then refused.
        sheets = [info for info in archive.infolist() if "worksheets/" in info.filename]
        if sum(_n_cells(archive, info) for info in sheets) > MAX_CELLS:
            raise _too_large(name)


def _n_cells(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> int:
    n = 0
    with archive.open(info) as file:
        while data := file.read(1 << 20):
            n += data.count(b"<c ") + data.count(b"<c>")
    return n


def _too_large(name: str) -> CorpusError:
    return CorpusError(
        f"无法读取 {name}：表格过大，请删去空白行列或拆分后再添加",
        f"cannot read {name}: too many cells; remove empty rows and columns or split it",
    )


def _sheet_rows(name: str, sheet: Any) -> Rows:  # noqa: ANN401  (openpyxl has no types)
    """The visible cells as text, row by row, merged cells filled in; empty rows stay as such.

    Only the cells that exist are visited (`_cells` is openpyxl's own table of them): one stray cell
    at the end of a sheet makes its used range 17 billion cells.
    """
    shown: dict[tuple[int, int], str | None] = {
        place: _shown(cell) for place, cell in sheet._cells.items()
    }
    hidden_rows = {n for n, row in sheet.row_dimensions.items() if row.hidden}
    hidden_columns = {
        n
        for column in sheet.column_dimensions.values()
        if column.hidden
        for n in range(column.min or 1, min(column.max or 1, 20_000) + 1)
    }
    for merged in sheet.merged_cells.ranges:
        if (merged.max_row - merged.min_row + 1) * (
            merged.max_col - merged.min_col + 1
        ) > MAX_MERGED:
            raise _too_large(name)
        text = shown.get((merged.min_row, merged.min_col), "")
        columns = [n for n in range(merged.min_col, merged.max_col + 1) if n not in hidden_columns]
        for row in range(merged.min_row, merged.max_row + 1):
            shown |= {(row, column): None if text else "" for column in columns}
            shown |= {(row, column): text for column in columns[:1]}
    cells: dict[int, dict[int, str | None]] = {}
    for (row, column), shown_text in shown.items():
        if shown_text != "" and row not in hidden_rows and column not in hidden_columns:
            cells.setdefault(row, {})[column] = shown_text
    cells = {n: row for n, row in cells.items() if any(row.values())}
    columns = sorted({n for row in cells.values() for n, text in row.items() if text})
    if len(columns) > MAX_COLUMNS or len(columns) * len(cells) > 5 * MAX_CELLS:
        raise _too_large(name)
    rows: Rows = []
    before = 0
    for number in sorted(cells):
        if rows and any(
            n not in hidden_rows for n in range(before + 1, min(number, before + 1000))
        ):
            rows.append([])
        rows.append([cells[number].get(column, "") for column in columns])
        before = number
    return rows


def _shown(cell: Any) -> str:  # noqa: ANN401
    """A cell's value as the sheet shows it, errors left out."""
    value = cell.value
    if value is None or getattr(cell, "data_type", "") == "e":
        return ""
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, datetime | date | time | timedelta):
        return _date(value, str(cell.number_format))
    if isinstance(value, int | float):
        return _number(value, str(cell.number_format))
    return " ".join(str(value).split())


def _date(value: datetime | date | time | timedelta, shown_as: str) -> str:
    if isinstance(value, timedelta):
        minutes = int(value.total_seconds()) // 60
        return f"{minutes // 60}:{minutes % 60:02}"
    if isinstance(value, time):
        return f"{value.hour}:{value.minute:02}"
    text = f"{value.year}年{value.month}月"
    if re.search(r"(?i)d|日", shown_as):
        text += f"{value.day}日"
    if isinstance(value, datetime) and (value.hour or value.minute):
        text += f" {value.hour}:{value.minute:02}"
    return text


def _number(value: float, shown_as: str) -> str:
    """A number in its format: percent, decimals and thousands are kept, 3.0 becomes 3."""
    section = re.sub(r"\[[^\]]*\]|[_*].|\\", "", shown_as.split(";")[0])
    found = _FORMAT.search(section)
    if found is None or "E" in section or "?" in section:
        return f"{value:.15g}" if abs(value) < 1e15 else str(value)
    thousands, zeros, decimals, percent = found.groups()
    digits = len(decimals or "")
    number = value * 100 if percent else value
    kind = "d" if isinstance(number, int) and not digits else f".{digits}f"
    text = f"{number:{',' if thousands else ''}{kind}}"
    whole, point, rest = text.partition(".")
    text = whole.zfill(len(zeros) + (number < 0)) + point + rest  # 0007, of a code or 文号
    before, after = section[: found.start()], section[found.end() :]
    if after.startswith(","):  # shown in thousands
        return f"{value:.15g}"
    return re.sub('["#]', "", "".join((before, text, percent, after))).strip()


def _csv_rows(name: str, data: bytes) -> Rows:
    text = decoded(name, data)
    delimiter = _delimiter(text[:SAMPLE])
    limit = csv.field_size_limit(len(text) + 1)  # of the whole process
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error:
        rows = [line.split(delimiter) for line in text.splitlines()]
    finally:
        csv.field_size_limit(limit)
    if sum(map(len, rows)) > MAX_CELLS or max(map(len, rows), default=0) > MAX_COLUMNS:
        raise _too_large(name)
    width = max(map(len, rows), default=0)
    return [
        [*row, *[""] * (width - len(row))] if any(c.strip() for c in row) else [] for row in rows
    ]


def _delimiter(sample: str) -> str:
    """The delimiter by its regularity; if none is regular, the one that most lines have."""
    try:
        return csv.Sniffer().sniff(sample, delimiters=",;\t|").delimiter
    except csv.Error:
        lines = sample.splitlines()
        return max(",\t;|", key=lambda mark: sum(mark in line for line in lines))


def _write(builder: Builder, rows: Rows) -> None:
    """Add the tables of a sheet: after an empty row another one may begin, with its own header."""
    header: list[str] = []
    for block in _blocks(rows):
        narrow, columns = _trimmed(block)
        above, n_headers = header_rows(narrow)
        begins = not header or above or (n_headers and len(columns) != sum(map(bool, header)))
        if begins:
            names = write_table(builder, narrow)
            header = [""] * len(block[0])
            for column, text in zip(columns, names, strict=False):
                header[column] = text
        else:
            write_table(builder, block, header=header)


def _blocks(rows: Rows) -> Iterator[Rows]:
    block: Rows = []
    for row in [*rows, []]:
        if row:
            block.append(row)
        elif block:
            yield block
            block = []


def _trimmed(block: Sequence[Row]) -> tuple[Rows, list[int]]:
    """Without the columns that are empty in the block, and which are left."""
    columns = [i for i in range(len(block[0])) if any(row[i] for row in block)]
    return [[row[i] for i in columns] for row in block], columns
