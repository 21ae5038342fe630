"""The files of a tantivy index in, an error out if one of them was damaged or exchanged.

Tantivy writes a CRC at the end of every segment file but does not look at it when it opens them,
and has none for `meta.json`. We check the former, and keep the SHA-256 of the latter in a seal. A
commit breaks the seal first and renews it afterwards, so an index whose process died in between is
told apart from one whose `meta.json` was changed behind our back.
"""

import hashlib
import json
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from embeddings.lists import write_file

SEAL = "seal.json"
_META = "meta.json"
_MAGIC = 1337  # the last four bytes of a tantivy file


class DamagedError(Exception):
    """A file of the index is not as it was written; the index has to be built anew."""


def verify(folder: Path) -> None:
    """Check the seal and all segment files; an index that does not exist yet is fine.

    Raises
    ------
    DamagedError
        Naming the file.
    """
    meta, seal = folder / _META, _seal(folder)
    if not meta.exists():
        if seal is not None or any(folder.glob("*.store")):
            raise DamagedError(f"{_META} is missing")
        return
    data = meta.read_bytes()
    if seal is None:
        raise DamagedError(f"{SEAL} is missing")
    if not seal["open"] and seal["meta"] != _sha256(data):
        raise DamagedError(f"{_META} does not match its checksum")
    try:
        segments = {str(s["segment_id"]).replace("-", "") for s in json.loads(data)["segments"]}
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedError(f"{_META} cannot be read: {error}") from error
    for file in folder.iterdir():
        if file.name.split(".")[0] in segments and not crc_matches(file):
            raise DamagedError(f"{file.name} does not match its checksum")


@contextmanager
def sealed_commit(folder: Path) -> Iterator[None]:
    """Break the seal, let the block commit, and seal what is there then.

    After an error in the block the seal stays broken; the next opening then looks more closely.
    """
    _write(folder, is_open=True)
    yield
    _write(folder, is_open=False)


def crc_matches(file: Path) -> bool:
    """Whether a segment file ends in a footer that fits the bytes before it."""
    data = file.read_bytes()
    if len(data) < 8:
        return False
    size, magic = struct.unpack("<II", data[-8:])
    end = len(data) - 8 - size
    if magic != _MAGIC or end < 0:
        return False
    try:
        expected = json.loads(data[end:-8])["crc"]
    except (ValueError, KeyError, TypeError):
        return False
    return bool(zlib.crc32(memoryview(data)[:end]) == expected)


def _seal(folder: Path) -> dict[str, object] | None:
    try:
        seal = json.loads((folder / SEAL).read_text("utf-8"))
        if seal["check"] != _check(seal["open"], seal["meta"]):
            raise DamagedError(f"{SEAL} does not match its checksum")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DamagedError(f"{SEAL} cannot be read: {error}") from error
    return dict(seal)


def _write(folder: Path, *, is_open: bool) -> None:
    meta = folder / _META
    digest = _sha256(meta.read_bytes()) if meta.exists() else ""
    seal = {"open": is_open, "meta": digest, "check": _check(is_open, digest)}
    write_file(folder / SEAL, json.dumps(seal).encode())


def _check(is_open: object, digest: object) -> str:
    return _sha256(f"{is_open} {digest}".encode())


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
