"""A list of files with what is known about them in, files to add out; bad rows are reported.

A CSV file as Excel saves it (UTF-8 or GBK) with a row of column names, or JSON Lines. The columns
may be named in Chinese or in English; only the path is needed.
"""

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from datetime import date
from pathlib import Path, PurePosixPath

from corpus.errors import CorpusError, reason
from corpus.readers.text import decode
from corpus.types import Metadata
from rag.intake import Failure, File, load_path

FIELDS = tuple(field.name for field in fields(Metadata))
_NAMES = {
    "path": ("path", "file", "路径", "文件", "文件名"),
    "title": ("title", "标题", "题名"),
    "place": ("place", "地区", "地点"),
    "date": ("date", "日期", "时间"),
    "department": ("department", "部门", "单位"),
    "theme": ("theme", "主题"),
}
_COLUMNS = {word: field for field, words in _NAMES.items() for word in words}
_DATE = re.compile(r"(\d{4})(?:[-/.年](\d{1,2})(?:[-/.月](\d{1,2})日?|月)?|年)?")
_MAX_CHARS = 200  # of one field

Row = dict[str, str]


def read_manifest(file: Path, failed: list[Failure]) -> list[File]:
    """The files that a manifest names, relative to its own folder; what is wrong goes to `failed`.

    Raises
    ------
    CorpusError
        If the manifest itself cannot be read.
    """
    try:
        text = decode(file.read_bytes())
        lines = file.suffix.lower() in (".jsonl", ".ndjson")
        rows = list(_lines(text, file) if lines else _table(text))
    except (OSError, ValueError, csv.Error) as error:
        raise CorpusError(
            f"无法读取清单 {file}（{reason(error)}），请检查路径，并另存为 UTF-8。",
            f"cannot read the manifest {file}: {error}; check the path and save it as UTF-8",
        ) from error
    found = []
    for number, row in rows:
        try:
            found.append(_file(file.parent, row))
        except CorpusError as error:
            name = f"{file.name}:{number}"
            told = CorpusError(f"清单 {name}：{error.zh}", f"manifest {name}: {error.en}")
            failed.append(Failure(name, str(told)))
    return found


def metadata_from(values: Mapping[str, object]) -> Metadata:
    """What somebody wrote about a document, with its date in ISO form.

    Raises
    ------
    CorpusError
        If the date is none.
    """
    words = {name: " ".join(str(values.get(name) or "").split())[:_MAX_CHARS] for name in FIELDS}
    return Metadata(**words | {"date": _iso_date(words["date"])})


def _iso_date(text: str) -> str:
    if not text:
        return ""
    found = _DATE.fullmatch(text)
    parts = [int(part) for part in found.groups() if part] if found else []
    try:
        date(*[*parts, 1, 1][:3])
    except (ValueError, TypeError) as error:
        raise CorpusError(
            f"日期“{text}”无法识别，请写成 2024、2024-03 或 2024-03-15。",
            f"“{text}” is not a date; write 2024, 2024-03 or 2024-03-15.",
        ) from error
    return "-".join([f"{parts[0]:04}", *(f"{part:02}" for part in parts[1:])])


def _file(folder: Path, row: Row | None) -> File:
    if not row or not row.get("path"):
        raise CorpusError(
            "没有写明文件路径，请在“路径”（path）一列填写。", "no path; fill in the column “path”"
        )
    path = folder / row["path"].replace("\\", "/")
    if not path.is_file():
        raise CorpusError(f"没有文件 {path}，请检查路径。", f"no such file: {path}; check the path")
    below = PurePosixPath(row["path"].replace("\\", "/"))
    plain = not below.is_absolute() and ".." not in below.parts and ":" not in below.parts[0]
    name = below.as_posix() if plain else path.name
    return File(name, lambda: load_path(path), metadata_from(row))


def _table(text: str) -> Iterator[tuple[int, Row | None]]:
    rows = csv.DictReader(io.StringIO(text.lstrip("\ufeff")))
    for row in rows:
        yield rows.line_num, _known(row)


def _lines(text: str, file: Path) -> Iterator[tuple[int, Row | None]]:
    for number, line in enumerate(text.lstrip("\ufeff").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        yield number, _known(row) if isinstance(row, dict) else None


def _known(row: Mapping[object, object]) -> Row:
    """The columns that are understood, under their English names; others may be there too."""
    found = {_COLUMNS.get(str(key).strip().lower()): value for key, value in row.items()}
    return {key: str(value).strip() for key, value in found.items() if key and value is not None}
