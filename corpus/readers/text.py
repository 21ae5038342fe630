"""Plain text and Markdown: bytes in, text out."""

import re
from pathlib import PurePath

from charset_normalizer import from_bytes

from corpus.errors import CorpusError
from corpus.readers.building import Extracted

_MARKDOWN = (".md", ".markdown")
_HEADING = re.compile(r" {0,3}(#{1,6})\s+(\S.*)")
_FENCE = re.compile(r" {0,3}(```|~~~)")
_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_SAMPLE = 4_000  # characters that tell an encoding, and a text from other bytes
_MAX_BAD = 0.01  # share of broken characters in a damaged or cut text
_MAX_ODD = 0.1  # share of control characters in a text


def read(name: str, data: bytes) -> Extracted:
    """Read a text.

    Raises
    ------
    CorpusError
        If no encoding fits.
    """
    text = decoded(name, data)
    return _marked(text) if PurePath(name).suffix.lower() in _MARKDOWN else Extracted(text)


def decoded(name: str, data: bytes) -> str:
    """Decode the bytes of a file, or raise `CorpusError` if no encoding fits."""
    try:
        return decode(data)
    except ValueError as error:
        raise CorpusError(
            f"无法读取 {name}：无法识别文字编码，请另存为 UTF-8",
            f"cannot read {name}: unknown text encoding; save it as UTF-8",
        ) from error


def _marked(text: str) -> Extracted:
    """Markdown without the marks of its headings; what stands in fences is code."""
    lines: list[str] = []
    headings: list[tuple[int, int, int]] = []
    at = 0
    fence = ""
    for line in text.split("\n"):
        opens = _FENCE.match(line)
        if opens and (not fence or opens[1] == fence):
            fence = "" if fence else opens[1]
        found = None if fence else _HEADING.fullmatch(line.rstrip())
        if found:
            line = found[2]
            bare = line.rstrip("#")  # # 标题 #
            if bare[-1:].isspace():
                line = bare.rstrip()
            headings.append((at, at + len(line), len(found[1])))
        lines.append(line)
        at += len(line) + 1
    return Extracted("\n".join(lines), tuple(headings))


def decode(data: bytes) -> str:
    """Decode by byte order mark, else UTF-8, else GB18030 or Big5, else by statistics.

    Line ends become newlines and control characters blanks; everything else is kept as written.

    Raises
    ------
    ValueError
        If no encoding fits.
    """
    text = _decoded(data).replace("\r\n", "\n").replace("\r", "\n")
    odd = {ord(c): " " for c in set(text) if not (c.isprintable() or c.isspace())}
    if not odd:
        return text
    sample = text[:_SAMPLE]
    if sum(ord(c) in odd for c in sample) > _MAX_ODD * len(sample):
        raise ValueError("no text: too many control characters")
    return text.translate(odd)


def _decoded(data: bytes) -> str:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding)
    if b"\0" in data:  # no text has NUL, but UTF-16 has it in every ASCII character
        first, second = data[::2].count(0), data[1::2].count(0)
        return data.decode("utf-16-be" if first > second else "utf-16-le")
    text = _if_fits(data, "utf-8")
    if text is not None:
        return text
    text = _if_fits(data, "gb18030")
    if text is None:
        best = from_bytes(data[: 16 * _SAMPLE]).best()
        if best is None:
            raise ValueError("no encoding fits")
        return data.decode(best.encoding)
    # Nearly all Big5 is valid GB18030 too, but rare characters of it.
    as_big5 = _if_fits(data, "big5hkscs") or ""
    common_gb = _share_of_common(text, "gb18030", (0xB0, 0xD7), 0xA1)
    common_big5 = _share_of_common(as_big5, "big5hkscs", (0xA4, 0xC6), 0x40)
    return as_big5 if common_big5 > max(0.7, common_gb) else text


def _if_fits(data: bytes, encoding: str) -> str | None:
    """The text if it has next to no broken characters: a file may be cut within one."""
    text = data.decode(encoding, "replace")
    n_bad = text.count("\ufffd")
    if n_bad and n_bad > _MAX_BAD * sum(not c.isascii() for c in text):
        return None
    return text


def _share_of_common(text: str, encoding: str, rows: tuple[int, int], column: int) -> float:
    """The share of characters that lie in the rows of an encoding that hold its common ones."""
    found = [c.encode(encoding, "replace") for c in text[:_SAMPLE] if not c.isascii()]
    common = sum(rows[0] <= c[0] <= rows[1] and len(c) == 2 and c[1] >= column for c in found)
    return common / len(found) if found else 0.0
