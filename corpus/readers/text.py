"""Plain text and Markdown: bytes in, text out."""

from charset_normalizer import from_bytes

_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


def decode(data: bytes) -> str:
    """Decode by byte order mark, else UTF-8, else GB18030, else by statistics (Big5, …).

    Line ends become newlines and control characters blanks; everything else is kept as written.

    Raises
    ------
    ValueError
        If no encoding fits.
    """
    text = _decoded(data).replace("\r\n", "\n").replace("\r", "\n")
    return "".join(c if c.isprintable() or c.isspace() else " " for c in text)


def _decoded(data: bytes) -> str:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding)
    for encoding in ("utf-8", "gb18030"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    best = from_bytes(data).best()
    if best is None:
        raise ValueError("no encoding fits")
    return str(best)
