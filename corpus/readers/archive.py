"""A .zip archive in, the files inside out; what cannot be taken comes out as the reason why.

Nothing is written to disk. Sizes that an entry declares bind: zipfile reads no byte beyond them,
so that they can be added up before anything is expanded.
"""

import io
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from corpus.errors import CorpusError
from corpus.readers.base import is_archive

MAX_ENTRIES = 2_000  # of an archive with all archives inside
MAX_EXPANDED = 500 << 20  # bytes of all entries together
MAX_ENTRY = 100 << 20  # bytes; a larger file would not be read either
MAX_DEPTH = 3  # archives within archives
MAX_RATIO = 200  # expanded to packed; deflate's utmost is 1,032, texts reach 20
_RATIO_FROM = 1 << 20  # bytes; below, a high ratio harms nobody
_ENCRYPTED, _UTF8 = 0x1, 0x800  # flag bits of an entry
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # the others may ask for gigabytes
_CLUTTER = re.compile(
    r"(?:^|/)(?:\.(?!\.(?:/|$))|~\$|__MACOSX/|(?:Thumbs\.db|desktop\.ini)$)", re.I
)
_ESCAPE = re.compile(r"^/|^[A-Za-z]:|(?:^|/)\.\.(?:/|$)|[\x00-\x1f]")

Entry = tuple[str, bytes | CorpusError]


@dataclass(slots=True)
class _Budget:
    entries: int = MAX_ENTRIES
    expanded: int = MAX_EXPANDED


def expand(name: str, data: bytes) -> Iterator[Entry]:
    """The files in an archive and in those inside it; any other file is itself.

    What cannot be taken out, the rest of an archive included, is a `CorpusError` in the place of
    its bytes.
    """
    try:
        if is_archive(name, data):
            yield from _entries(name, data, 1, _Budget())
        else:
            yield name, data
    except CorpusError as error:
        yield name, error


def _entries(name: str, data: bytes, depth: int, budget: _Budget) -> Iterator[Entry]:
    if depth > MAX_DEPTH:
        raise _refusal(name, f"压缩包嵌套超过 {MAX_DEPTH} 层，请先解压", "nested too deeply")
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise _refusal(name, "压缩包已损坏或不完整，请重新压缩", f"damaged ({error})") from error
    with archive:
        for info in archive.infolist():
            entry = entry_name(info)
            if info.is_dir() or entry.endswith("/") or _CLUTTER.search(entry):
                continue
            budget.entries -= 1
            if budget.entries < 0:
                told = f"压缩包里的文件超过 {MAX_ENTRIES:,} 个，请分开压缩"
                raise _refusal(name, told, f"more than {MAX_ENTRIES} files; split it")
            inside = f"{name}/{PurePosixPath(entry)}"
            try:
                content = _content(archive, info, inside, entry, budget)
                if is_archive(inside, content):
                    yield from _entries(inside, content, depth + 1, budget)
                else:
                    yield inside, content
            except CorpusError as error:
                yield inside, error


def entry_name(info: zipfile.ZipInfo) -> str:
    """The name as it was meant: Chinese Windows writes GBK where the format says CP437."""
    name = info.filename
    if not info.flag_bits & _UTF8:
        raw = name.encode("cp437", "replace")
        for encoding in ("utf-8", "gb18030"):
            try:
                decoded = raw.decode(encoding)
            except UnicodeDecodeError:
                continue
            # GBK pairs may be valid UTF-8, but only of two bytes, which Chinese in UTF-8 never is.
            if encoding == "gb18030" or not re.search("[\x80-\u07ff]", decoded):
                name = decoded
                break
    return name.replace("\\", "/")


def _content(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, entry: str, budget: _Budget
) -> bytes:
    if _ESCAPE.search(entry) or stat.S_ISLNK(info.external_attr >> 16):
        raise _refusal(name, "文件名指向压缩包之外，请重新压缩", "it points outside the archive")
    if info.flag_bits & _ENCRYPTED:
        raise _refusal(name, "文件已加密，请先去除密码", "encrypted; remove the password first")
    if info.compress_type not in _METHODS:
        raise _refusal(name, "压缩方式不受支持，请用普通方式重新压缩", "unsupported compression")
    size = info.file_size
    if size > MAX_ENTRY:
        raise _refusal(name, f"文件超过 {MAX_ENTRY >> 20} MB，请拆分后再添加", "too large")
    if size > _RATIO_FROM and size > MAX_RATIO * info.compress_size:
        raise _refusal(name, "压缩比异常，可能是压缩炸弹，请解压后添加", "suspicious ratio")
    if size > budget.expanded:
        told = f"压缩包解压后超过 {MAX_EXPANDED >> 20} MB，请分开压缩"
        raise _refusal(name, told, "the archive expands to too much; split it")
    budget.expanded -= size
    try:
        return archive.read(info)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError) as error:
        raise _refusal(name, "文件在压缩包里已损坏，请重新压缩", f"damaged ({error})") from error


def _refusal(name: str, zh: str, en: str) -> CorpusError:
    return CorpusError(f"无法读取 {name}：{zh}", f"cannot read {name}: {en}")
