"""Damaged and hostile files: each is read or refused with a reason; nothing else ever happens."""

import io
import random
import shutil
import zipfile
from collections.abc import Iterator
from functools import cache

import pytest
from reader_helpers import as_docx, as_html, as_markdown, as_text, changed_part, numbered, zipped

from corpus import sandbox
from corpus.errors import CorpusError
from corpus.readers import Extracted
from corpus.sandbox import Sandbox, expand_safely, read_safely

N_MUTATIONS = 50
_NUMBERS = [("chineseCounting", "%1、"), ("decimal", "%2.")]
GOOD = {
    "a.txt": as_text(),
    "a.md": as_markdown(),
    "a.html": as_html("gb2312"),
    "a.docx": as_docx(),
    "b.docx": numbered(_NUMBERS, [(0, "甲"), (1, "乙"), (0, "丙")]),
}
RTF = b"{\\rtf1\\ansi {\\b Title}\\par text \\u36890?\\u30693?\\par}"


@pytest.fixture(autouse=True)
def anything_but_a_crash() -> Iterator[None]:
    """The shared worker is the same before and after: no file has brought it down."""
    read_safely("a.html", GOOD["a.html"])
    worker = sandbox._shared._worker
    yield
    assert sandbox._shared._worker is worker


def read_or_refused(name: str, data: bytes) -> Extracted | CorpusError:
    try:
        return read_safely(name, data)
    except CorpusError as error:
        assert name in error.zh
        return error


def flipped(data: bytes, chance: random.Random) -> bytes:
    out = bytearray(data)
    for _ in range(chance.randint(1, 20)):
        out[chance.randrange(len(out))] = chance.randrange(256)
    return bytes(out)


def cut(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(1, len(data))]


def swapped(data: bytes, chance: random.Random) -> bytes:
    a, b, c = sorted(chance.randrange(len(data)) for _ in range(3))
    return data[:a] + data[b:c] + data[a:b] + data[c:]


@cache
def parts(data: bytes) -> list[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        return [(name, package.read(name)) for name in package.namelist()]


def part_damaged(data: bytes, chance: random.Random) -> bytes:
    """A whole package with damage in one part: what the checksums of a zip cannot tell."""
    named = dict(parts(data))
    worth = [
        name for name in named if name.startswith("word/") and name.endswith((".xml", ".rels"))
    ]
    one = chance.choice(worth)
    if chance.random() < 0.2:
        named[one] = named[chance.choice(worth)]
    else:
        named[one] = chance.choice([flipped, cut, swapped])(named[one], chance)
    return zipped(named)


@pytest.mark.parametrize("name", GOOD)
def test_mutations_are_read_or_refused(name: str) -> None:
    for seed in range(N_MUTATIONS):
        chance = random.Random(seed)
        ways = [flipped, cut, swapped, *([part_damaged] * 5 if name.endswith("docx") else [])]
        read_or_refused(name, chance.choice(ways)(GOOD[name], chance))


def test_mutations_of_archives_are_expanded_or_refused() -> None:
    good = zipped({"甲.txt": GOOD["a.txt"], "乙.zip": zipped({"丙.docx": GOOD["a.docx"]})})
    for seed in range(N_MUTATIONS):
        chance = random.Random(seed)
        data = chance.choice([flipped, cut, swapped])(good, chance)
        for name, content in expand_safely("a.zip", data):
            if isinstance(content, bytes):
                read_or_refused(name, content)


@pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice is not installed")
def test_mutations_of_older_files_are_read_or_refused() -> None:
    for seed in range(4):  # a second each
        chance = random.Random(seed)
        read_or_refused("a.rtf", chance.choice([flipped, cut, swapped])(RTF, chance))


def word_with(body: str, head: str = "") -> bytes:
    w = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    xml = (
        f'<?xml version="1.0"?>{head}<w:document xmlns:w="{w}"><w:body>{body}</w:body></w:document>'
    )
    return changed_part(GOOD["a.docx"], "word/document.xml", lambda _: xml.encode())


ENTITIES = "<!DOCTYPE w [<!ENTITY a 'aaaaaaaaaa'>" + "".join(
    f"<!ENTITY {b} '{f'&{a};' * 10}'>" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
) + "]>"  # fmt: skip


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("entities.docx", word_with("<w:p><w:r><w:t>&i;</w:t></w:r></w:p>", ENTITIES)),
        (
            "external.docx",
            word_with(
                "<w:p><w:r><w:t>甲&x;</w:t></w:r></w:p>",
                "<!DOCTYPE w [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>",
            ),
        ),
        ("nested.docx", word_with("<w:sdt>" * 10_000 + "</w:sdt>" * 10_000)),
        ("nested.docx", word_with(("<w:tbl><w:tr><w:tc>" * 80) + "</w:tc></w:tr></w:tbl>" * 80)),
        ("nested.html", b"<html>" + b"<div>" * 10_000 + b"text"),
        ("nested.html", b"<html>" + b"<table><tr><td>" * 10_000 + b"text"),
        (
            "spans.html",
            b"<html><table>" + b"<tr><td rowspan=65534 colspan=1000>x" * 500 + b"</table>",
        ),
        ("list.html", b"<html><ol start=99999999999999>" + b"<li>x" * 5_000),
        ("comments.html", b"<!---->" * 1_000 + b"<!-"),
        ("quotes.md", b">" * 100_000),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_hostile_files_are_read_or_refused(name: str, data: bytes) -> None:
    found = read_or_refused(name, data)
    if isinstance(found, Extracted):
        assert "root:" not in found.text
        assert len(found.text) < 10_000_000


def test_a_package_that_expands_too_far_is_refused() -> None:
    bomb = changed_part(GOOD["a.docx"], "word/media/a.bin", lambda _: b"\0" * (501 << 20))
    assert "展开后超过 500 MB" in str(read_or_refused("a.docx", bomb))


def test_a_part_that_fills_the_memory_is_refused() -> None:
    body = "<w:p><w:r><w:t>text</w:t></w:r></w:p>" * 1_000_000
    box = Sandbox(memory=400 << 20)
    try:
        with pytest.raises(CorpusError, match=r"bomb\.docx"):
            box.read("bomb.docx", word_with(body))
        assert box.read("a.docx", GOOD["a.docx"]).text
    finally:
        box.close()


@pytest.mark.parametrize("name", ["line.txt", "line.html"])
def test_one_endless_line_is_refused(name: str) -> None:
    data = b"<html>" * name.endswith("html") + "字".encode() * 20_000_001
    assert f"无法读取 {name}" in str(read_or_refused(name, data))
