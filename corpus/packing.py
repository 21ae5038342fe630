"""How texts, outlines and vectors lie in the store: values in, compact bytes out, and back."""

import json
import zlib
from collections.abc import Sequence
from dataclasses import astuple

import numpy as np
import numpy.typing as npt

from corpus.types import Node

FloatArray = npt.NDArray[np.float32]

_LEVEL = 6  # of zlib; its checksum also notices a damaged text
_GB18030, _UTF8 = b"g", b"u"  # the first byte of a packed text
_STEPS = 127  # of an 8-bit component on either side of zero


def pack_text(text: str) -> bytes:
    """Compress a text; it comes back exactly as it was.

    Chinese takes two bytes a character in GB18030 and three in UTF-8, and a sixth less after
    compression. UTF-8 serves the few texts that GB18030 does not give back, such as lone
    surrogates from damaged files.
    """
    try:
        data = text.encode("gb18030")
        if data.decode("gb18030") == text:
            return _GB18030 + zlib.compress(data, _LEVEL)
    except UnicodeError:
        pass
    return _UTF8 + zlib.compress(text.encode("utf-8", "surrogatepass"), _LEVEL)


def unpack_text(data: bytes) -> str:
    """Read back `pack_text`; raises ValueError if the bytes are damaged."""
    try:
        plain = zlib.decompress(data[1:])
    except zlib.error as error:
        raise ValueError(f"stored text is damaged: {error}") from error
    if data[:1] == _GB18030:
        return plain.decode("gb18030")
    return plain.decode("utf-8", "surrogatepass")


def pack_outline(outline: Sequence[Node]) -> bytes:
    """Write an outline as compressed JSON, one list per node."""
    return pack_text(json.dumps([astuple(node) for node in outline], ensure_ascii=False))


def unpack_outline(outline: bytes, pages: bytes) -> tuple[tuple[Node, ...], tuple[int, ...]]:
    """Read back an outline, and the starts of the pages that `pack_pages` wrote."""
    nodes = tuple(Node(*row) for row in json.loads(unpack_text(outline)))
    return nodes, tuple(np.frombuffer(pages, "<i8").tolist())


def pack_pages(pages: Sequence[int]) -> bytes:
    """Write the starts of the pages."""
    return np.asarray(pages, "<i8").tobytes()


def pack_vectors(rows: FloatArray) -> bytes:
    """Write vectors `(n, dim)` as 8-bit integers with one scale per row.

    For unit vectors of 256 components an inner product moves by about 0.0003, which is less than
    what float16 weights of a model move it; the store is half as large as with float16.
    """
    rows = np.asarray(rows, np.float32)
    scales = np.abs(rows).max(axis=1, initial=0.0) / _STEPS
    codes = np.rint(rows / np.where(scales > 0, scales, 1.0)[:, None])
    return bytes(scales.astype("<f4").tobytes() + codes.astype(np.int8).tobytes())


def unpack_vectors(data: bytes, n: int) -> FloatArray:
    """Read back `pack_vectors`: `(n, dim)`, or `(0, 0)` for none."""
    if not n:
        return np.zeros((0, 0), np.float32)
    scales = np.frombuffer(data, "<f4", n)
    codes = np.frombuffer(data, np.int8, offset=4 * n).reshape(n, -1)
    return np.asarray(codes * scales[:, None], np.float32)
