"""The files of a tantivy index in, an error out if one of them was damaged or exchanged.

Tantivy writes a CRC at the end of every segment file but does not look at it when it opens them,
and has none for `meta.json`. We check the former, and keep the SHA-256 of the latter in a seal. A
commit breaks the seal first and renews it afterwards, so an index whose process died in between is
told apart from one whose `meta.json` was changed behind our back.
"""

import hashlib
import json
import re
import struct
import zlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from embeddings.lists import write_file

SEAL = "seal.json"
_META = "meta.json"
_SEGMENT = re.compile("[0-9a-f]{32}")  # its name without dashes
_TAIL = 256  # bytes at the end of a file, its footer among them
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
    meta, found = folder / _META, _read(folder)
    if not meta.exists():
        if found is not None or any(folder.glob("*.store")):
            raise DamagedError(f"{_META} is missing")
        return
    if found is None:
        raise DamagedError(f"{SEAL} is missing")
    files = _segment_files(folder)
    if not found["open"] and found["digest"] != _digest(folder, files):
        raise DamagedError(f"{_META} or the end of a file does not match its checksum")
    for file in files:
        if not crc_matches(file):
            raise DamagedError(f"{file.name} does not match its checksum")


def break_seal(folder: Path) -> None:
    """Say that a commit is under way; until it is sealed, an opening looks more closely."""
    _write(folder, is_open=True)


def seal(folder: Path) -> None:
    """Seal what is there now."""
    _write(folder, is_open=False)


def remove_leftovers(folder: Path) -> None:
    """Delete the files of a commit that was cut off; whoever calls holds the writer's lock.

    Tantivy counts on from the last commit, arrives at the same name for its list of deleted
    entries, and refuses to write. Segments that a killed process has left only take up space.
    """
    segments = json.loads((folder / _META).read_bytes())["segments"]
    valid = {segment["segment_id"].replace("-", ""): segment["deletes"] for segment in segments}
    for file in folder.iterdir():
        segment, *rest = file.name.split(".")
        if not _SEGMENT.fullmatch(segment):
            continue
        deletes = valid.get(segment)
        is_list = rest[-1:] == ["del"]
        if segment not in valid or (is_list and rest[0] != str((deletes or {}).get("opstamp"))):
            with suppress(OSError):  # mapped by a reader, where that matters
                file.unlink()


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


def _segment_files(folder: Path) -> list[Path]:
    """The files of all segments that `meta.json` names, sorted."""
    try:
        segments = json.loads((folder / _META).read_bytes())["segments"]
        names = {str(segment["segment_id"]).replace("-", "") for segment in segments}
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedError(f"{_META} cannot be read: {error}") from error
    return sorted(file for file in folder.iterdir() if file.name.split(".")[0] in names)


def _digest(folder: Path, files: Sequence[Path]) -> str:
    """Over `meta.json` and the footers, which no CRC covers."""
    digest = hashlib.sha256((folder / _META).read_bytes())
    for file in files:
        with file.open("rb") as data:
            data.seek(max(0, file.stat().st_size - _TAIL))
            digest.update(file.name.encode() + data.read())
    return digest.hexdigest()


def _read(folder: Path) -> dict[str, object] | None:
    try:
        found = json.loads((folder / SEAL).read_text("utf-8"))
        if found["check"] != _check(found["open"], found["digest"]):
            raise DamagedError(f"{SEAL} does not match its checksum")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DamagedError(f"{SEAL} cannot be read: {error}") from error
    return dict(found)


def _write(folder: Path, *, is_open: bool) -> None:
    digest = ""
    if not is_open:
        digest = _digest(folder, _segment_files(folder))
    content = {"open": is_open, "digest": digest, "check": _check(is_open, digest)}
    # If the power fails before it reaches the disk, it does not fit, and the index is built anew.
    write_file(folder / SEAL, json.dumps(content).encode(), sync=False)


def _check(is_open: object, digest: object) -> str:
    return hashlib.sha256(f"{is_open} {digest}".encode()).hexdigest()
