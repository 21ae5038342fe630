"""Files, folders and bytes in; documents with their outlines out, and a reason for each failure."""

import hashlib
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from fnmatch import fnmatch
from functools import partial
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from corpus.errors import CorpusError, UserError, reason
from corpus.outline import parse_outline
from corpus.readers import Extracted
from corpus.sandbox import expand_safely, read_safely, refuse_large
from corpus.types import Document, Metadata

NOTHING_TOLD: Mapping[str, str] = MappingProxyType({})
_WILD = re.compile(r"[*?\[]")
_SKIPPED = (".", "~$")  # hidden files, and the lock files of office programs


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that was not added, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Notice:
    """A file that was added, and what a person should know about it."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class File:
    """A file that has not been read yet."""

    name: str  # within a folder the path below it: two folders may hold a 通知.docx each
    load: Callable[[], bytes]
    metadata: Metadata = field(
        default_factory=Metadata
    )  # what is known from elsewhere; goes before what is read
    origin: str = ""  # the watched folder it lies in


@dataclass(frozen=True, slots=True)
class AddReport:
    """What became of the files; numbers are document ids."""

    added: tuple[int, ...] = ()
    replaced: tuple[int, ...] = ()  # new versions of documents of the same name
    unchanged: tuple[int, ...] = ()
    failed: tuple[Failure, ...] = ()
    files: tuple[tuple[str, int], ...] = ()  # which file gave which of the documents above
    notices: tuple[Notice, ...] = ()  # of what was added or replaced


Source = Path | tuple[str, bytes] | File


def find_files(sources: Sequence[Source], failed: list[Failure]) -> list[File]:
    """All files of the sources, folders recursively; what is missing goes into `failed`."""
    found: list[File] = []
    paths: list[tuple[str, Path]] = []  # with their names
    for source in sources:
        if isinstance(source, tuple):
            found.append(_loaded(*source))
        elif isinstance(source, File):
            found.append(source)
        elif source.is_dir():
            paths += [
                (posix(file.relative_to(source)), file)
                for file in sorted(source.rglob("*"))
                if file.is_file() and not is_skipped(file.relative_to(source))
            ]
        elif source.is_file():
            paths.append((posix(Path(source.name)), source))
        else:
            error = CorpusError(f"没有文件 {source}，请检查路径", f"no such file: {source}")
            failed.append(Failure(str(source), str(error)))
    # Where two share a name, both are called by their whole paths: else one would count as the
    # next version of the other.
    count = Counter(name for name, _ in set(paths))
    for name, path in paths:
        own = name if count[name] == 1 else posix(path).removeprefix("./").lstrip("/")
        found.append(File(own, partial(load_path, path)))
    return found


def posix(path: Path) -> str:
    """A path as a document's name; one that is not UTF-8 is read as GBK, as Windows writes it."""
    name = path.as_posix()
    try:
        name.encode()
    except UnicodeEncodeError:
        return os.fsencode(name).decode("gb18030", "replace")
    return name


def select_files(
    paths: Sequence[Path], include: Sequence[str], exclude: Sequence[str], failed: list[Failure]
) -> list[File]:
    """The files of the paths whose name or path below the folder fits; no `include` means all."""
    return [
        file
        for file in find_files([found for path in paths for found in _matching(path)], failed)
        if (not include or fits(file.name, include)) and not fits(file.name, exclude)
    ]


def _matching(path: Path) -> list[Source]:
    """What a pattern like `材料/*.docx` means: not every shell puts the names in its place.

    The files are named by their paths below what stands before the first * as those of a folder.
    """
    wild = next((i for i, part in enumerate(path.parts) if _WILD.search(part)), None)
    if wild is None or path.exists():
        return [path]
    base = Path(*path.parts[:wild])
    try:
        matches = sorted(base.glob(str(Path(*path.parts[wild:]))))
    except ValueError:  # a**b means nothing
        return [path]
    found: dict[str, Source] = {}  # a pattern may fit a folder and what is in it
    for match in matches:
        for file in sorted(match.rglob("*")) if match.is_dir() else [match]:
            below = file.relative_to(base)
            if file.is_file() and not is_skipped(below):
                found[posix(below)] = File(posix(below), partial(load_path, file))
    return [*found.values()] or [path]


def fits(name: str, patterns: Sequence[str]) -> bool:
    """Whether a file's name, or its path below its folder, fits one of the patterns."""
    base = PurePosixPath(name).name
    return any(fnmatch(name, p) or fnmatch(base, p) for p in patterns)


def read_file(file: File, failed: list[Failure]) -> Iterator[Document]:
    """The documents of one file: one, or those of an archive; failures are noted."""
    for name, data in contents_of(file, failed):
        document = read_content(name, data, file, failed)
        if document is not None:
            yield document


def contents_of(file: File, failed: list[Failure]) -> Iterator[tuple[str, bytes]]:
    """Names and bytes: those of the file, or of the files in an archive; failures are noted."""
    try:
        for name, data in expand_safely(file.name, file.load()):
            if isinstance(data, CorpusError):
                failed.append(Failure(name, str(data)))
            else:
                yield name, data
    except UserError as error:
        failed.append(Failure(file.name, str(error)))
    except OSError as error:
        told = CorpusError(
            f"无法读取 {file.name}：{reason(error)}，请检查权限",
            f"cannot read {file.name}: {error.strerror or error}; check its permissions",
        )
        failed.append(Failure(file.name, str(told)))


def read_content(
    name: str,
    data: bytes,
    file: File,
    failed: list[Failure],
    told: Mapping[str, str] = NOTHING_TOLD,
) -> Document | None:
    """One document of a file; None, with the failure noted, if it cannot be read.

    `told` is what a person has told about the last version; it goes before what is read.
    """
    try:
        extracted = read_safely(name, data)
    except UserError as error:
        failed.append(Failure(name, str(error)))
        return None
    metadata = merged(replace(extracted.metadata, **told), file.metadata)
    given = {key for key, value in asdict(file.metadata).items() if value}
    document = make_document(name, data, extracted, metadata, origin=file.origin)
    return replace(document, told=tuple(sorted({*told, *given})))


def merged(metadata: Metadata, better: Metadata) -> Metadata:
    """What is known, with what somebody knows better put in its place."""
    return replace(metadata, **{key: value for key, value in asdict(better).items() if value})


def sha256_of(data: bytes) -> str:
    """What tells a document's content from others."""
    return hashlib.sha256(data).hexdigest()


def make_document(
    name: str,
    data: bytes,
    extracted: Extracted,
    metadata: Metadata | None = None,
    *,
    origin: str = "",
) -> Document:
    """A document that has no id yet; `data` are the bytes that tell it from others."""
    return Document(
        id=0,
        name=name,
        text=extracted.text,
        sha256=sha256_of(data),
        outline=parse_outline(extracted.text, extracted.headings, extracted.tables),
        metadata=metadata or extracted.metadata,
        pages=extracted.pages,
        origin=origin,
        notice=extracted.notice,
    )


def text_document(name: str, title: str, text: str) -> Document:
    """A plain text as a document; the same text under two names is two documents."""
    data = f"{name}\n{text}".encode("utf-8", "replace")
    return make_document(name, data, Extracted(text), Metadata(title=title))


def load_path(path: Path) -> bytes:
    """The bytes of a file, unless it is too large."""
    refuse_large(path.name, path.stat().st_size)  # before it fills the memory
    return path.read_bytes()


def _loaded(name: str, data: bytes) -> File:
    return File(name, lambda: data)


def is_skipped(path: Path) -> bool:
    """Whether a path is hidden, or belongs to an office program that has a file open."""
    return any(part.startswith(_SKIPPED) for part in path.parts)
