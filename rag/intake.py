"""Files, folders and bytes in; documents with their outlines out, and a reason for each failure."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import partial
from pathlib import Path, PurePosixPath

from corpus.errors import CorpusError, UserError
from corpus.outline import parse_outline
from corpus.readers import Extracted, expand
from corpus.sandbox import read_safely, refuse_large
from corpus.types import Document, Metadata

_SKIPPED = (".", "~$")  # hidden files, and the lock files of office programs


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that was not added, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class File:
    """A file that has not been read yet."""

    name: str  # within a folder the path below it: two folders may hold a 通知.docx each
    load: Callable[[], bytes]


Source = Path | tuple[str, bytes] | File


def find_files(sources: Sequence[Source], failed: list[Failure]) -> list[File]:
    """All files of the sources, folders recursively; what is missing goes into `failed`."""
    found: list[File] = []
    for source in sources:
        if isinstance(source, tuple):
            found.append(_loaded(*source))
        elif isinstance(source, File):
            found.append(source)
        elif source.is_dir():
            found += [
                File(file.relative_to(source).as_posix(), partial(_bytes, file))
                for file in sorted(source.rglob("*"))
                if file.is_file() and not _skipped(file.relative_to(source))
            ]
        elif source.is_file():
            found.append(File(source.name, partial(_bytes, source)))
        else:
            error = CorpusError(f"没有文件 {source}，请检查路径", f"no such file: {source}")
            failed.append(Failure(str(source), str(error)))
    return found


def select_files(
    paths: Sequence[Path], include: Sequence[str], exclude: Sequence[str], failed: list[Failure]
) -> list[File]:
    """The files of the paths whose name or path below the folder fits; no `include` means all."""

    def fits(name: str, patterns: Sequence[str]) -> bool:
        base = PurePosixPath(name).name
        return any(fnmatch(name, p) or fnmatch(base, p) for p in patterns)

    return [
        file
        for file in find_files(paths, failed)
        if (not include or fits(file.name, include)) and not fits(file.name, exclude)
    ]


def read_file(file: File, failed: list[Failure]) -> Iterator[Document]:
    """The documents of one file: one, or those of an archive; failures are noted."""
    try:
        for name, data in expand(file.name, file.load()):
            try:
                yield make_document(name, data, read_safely(name, data))
            except UserError as error:
                failed.append(Failure(name, str(error)))
    except UserError as error:
        failed.append(Failure(file.name, str(error)))
    except OSError as error:
        reason = error.strerror or str(error)
        told = CorpusError(
            f"无法读取 {file.name}：{reason}，请检查权限",
            f"cannot read {file.name}: {reason}; check its permissions",
        )
        failed.append(Failure(file.name, str(told)))


def make_document(
    name: str, data: bytes, extracted: Extracted, metadata: Metadata | None = None
) -> Document:
    """A document that has no id yet; `data` are the bytes that tell it from others."""
    return Document(
        id=0,
        name=name,
        text=extracted.text,
        sha256=hashlib.sha256(data).hexdigest(),
        outline=parse_outline(extracted.text, extracted.headings, extracted.tables),
        metadata=metadata or extracted.metadata,
        pages=extracted.pages,
    )


def text_document(name: str, title: str, text: str) -> Document:
    """A plain text as a document; the same text under two names is two documents."""
    data = f"{name}\n{text}".encode("utf-8", "replace")
    return make_document(name, data, Extracted(text), Metadata(title=title))


def _bytes(path: Path) -> bytes:
    refuse_large(path.name, path.stat().st_size)  # before it fills the memory
    return path.read_bytes()


def _loaded(name: str, data: bytes) -> File:
    return File(name, lambda: data)


def _skipped(path: Path) -> bool:
    return any(part.startswith(_SKIPPED) for part in path.parts)
