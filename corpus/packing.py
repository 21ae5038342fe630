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
_STEPS = 127  # of an 8-bit component on either side of zero


def pack_text(text: str) -> bytes:
    """Compress a text; lone surrogates, which damaged files may hold, come back as they were."""
    return zlib.compress(text.encode("utf-8", "surrogatepass"), _LEVEL)


def unpack_text(data: bytes) -> str:
    """Read back `pack_text`; raises ValueError if the bytes are damaged."""
    try:
        return zlib.decompress(data).decode("utf-8", "surrogatepass")
    except zlib.error as error:
        raise ValueError(f"stored text is damaged: {error}") from error


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
    """Read back `pack_vectors`: `(n, dim)`."""
    scales = np.frombuffer(data, "<f4", n)
    codes = np.frombuffer(data, np.int8, offset=4 * n).reshape(n, -1)
    return np.asarray(codes * scales[:, None], np.float32)
