"""Which reader reads which file: by its content where that tells, else by its name.

One module per kind of file holds `read(name, data) -> Extracted`; it is imported when the first
such file comes, so that a plain text costs no parser.
"""

import dataclasses
import io
import re
import zipfile
import zlib
from importlib import import_module
from pathlib import PurePath

from corpus.errors import CorpusError
from corpus.readers.building import Extracted
from corpus.readers.facts import guess

# The module of corpus.readers that reads files of a suffix.
READERS = {
    ".txt": "text",
    ".md": "text",
    ".markdown": "text",
    ".html": "html",
    ".htm": "html",
    ".docx": "word",
    ".docm": "word",
    ".doc": "office",
    ".wps": "office",
    ".rtf": "office",
    ".odt": "office",
    ".pdf": "pdf",
    ".ofd": "ofd",
    ".xlsx": "sheets",
    ".xlsm": "sheets",
    ".xls": "calc",
    ".et": "calc",
    ".ods": "calc",
    ".csv": "sheets",
    ".tsv": "sheets",
}
# No bytes tell these from other text.
_PLAIN = frozenset({".txt", ".md", ".markdown", ".csv", ".tsv"})
# Kinds that are known and not read, with what to do about them.
_REFUSED = {
    ".zip": "这是压缩包，请用扩展名 .zip 添加",
    ".rar": "请先解压，或改用 .zip 压缩包",
    ".7z": "请先解压，或改用 .zip 压缩包",
    ".pptx": "请另存为 .pdf",
    ".ppt": "请另存为 .pdf",
    ".odp": "请另存为 .pdf",
}
_MAGIC = (
    (b"{\\rtf", ".rtf"),
    (b"Rar!\x1a\x07", ".rar"),
    (b"7z\xbc\xaf\x27\x1c", ".7z"),
)
# Parts of a package that tell the kind, and what OpenDocument says of itself.
_PARTS = {
    "word/document.xml": ".docx",
    "xl/workbook.xml": ".xlsx",
    "ppt/presentation.xml": ".pptx",
    "OFD.xml": ".ofd",
}
_MIMETYPES = {
    b"application/vnd.oasis.opendocument.text": ".odt",
    b"application/vnd.oasis.opendocument.spreadsheet": ".ods",
    b"application/vnd.oasis.opendocument.presentation": ".odp",
}
_STREAMS = {"WordDocument": ".doc", "Workbook": ".xls", "PowerPoint Document": ".ppt"}
_ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, OSError, ValueError, RuntimeError, EOFError)
MAX_CHARS = 20_000_000  # of one document: 20,000 pages
MAX_EXPANDED = 500 << 20  # bytes of all parts of an office document
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_HTML = re.compile(
    rb"(?:\s|<!--(?:(?!-->).)*-->|<\?xml[^>]*>)*<(?:!doctype\s+html|html)\b", re.I | re.S
)
_HEAD = 4096  # bytes at the start that tell the kind


def read_document(name: str, data: bytes) -> Extracted:
    """Read one file.

    Raises
    ------
    CorpusError
        If it is empty, of an unknown kind, encrypted, or damaged.
    """
    if not data:
        raise CorpusError(
            f"无法读取 {name}：文件是空的，请检查来源后重新添加", f"cannot read {name}: empty file"
        )
    kind = kind_of(name, data)
    if kind not in READERS:
        mend = _REFUSED.get(kind, f"请另存为 {'、'.join(READERS)} 之一")
        raise CorpusError(
            f"无法读取 {name}：不支持 {kind or '没有扩展名的文件'}，{mend}",
            f"cannot read {name}: unsupported kind {kind!r}",
        )
    extracted: Extracted = import_module(f"corpus.readers.{READERS[kind]}").read(name, data)
    if not any(c.isalnum() for c in extracted.text):
        raise CorpusError(
            f"无法读取 {name}：文件里没有文字，请检查内容", f"cannot read {name}: it has no text"
        )
    if len(extracted.text) > MAX_CHARS:
        raise CorpusError(
            f"无法读取 {name}：文字超过 {MAX_CHARS:,} 字，请拆分后再添加",
            f"cannot read {name}: more than {MAX_CHARS:,} characters; split it",
        )
    facts = guess(extracted)
    title = facts.title or PurePath(name).stem
    return dataclasses.replace(
        extracted,
        metadata=dataclasses.replace(facts, title=title),
        headings=_with_title(extracted, title),
    )


def _with_title(extracted: Extracted, title: str) -> tuple[tuple[int, int, int], ...]:
    """The headings, with the line that is the title: it says nothing, so it is no text to quote.

    It opens nothing either, so that a file that marks it as heading is split like one that cannot.
    """
    start = 0
    for line in extracted.text[:_HEAD].split("\n")[:-1]:
        if "".join(line.split()) == "".join(title.split()):
            others = [heading for heading in extracted.headings if heading[0] != start]
            return ((start, start + len(line), 0), *others)
        start += len(line) + 1
    return extracted.headings


def is_plain(name: str, data: bytes) -> bool:
    """Whether a file is text by name and content, so that no parser is needed."""
    return READERS.get(_suffix(name)) == "text" and not _sniffed(data)


def is_pdf(data: bytes) -> bool:
    """Whether a file begins like a PDF, whatever it is called."""
    return _sniffed(data) == ".pdf"


def may_be_archive(name: str, data: bytes) -> bool:
    """Whether a file is called an archive and begins like one."""
    return _suffix(name) == ".zip" and _sniffed(data) == "zip"


def is_archive(name: str, data: bytes) -> bool:
    """Whether a file is an archive, and not an office document, which is one inside."""
    return may_be_archive(name, data) and _kind_of_zip(name, data) == ".zip"


def kind_of(name: str, data: bytes) -> str:
    """The suffix that fits the content, which may not be the one of the name.

    Raises
    ------
    CorpusError
        If the content is none that the name promises, or is encrypted.
    """
    suffix = _suffix(name)
    found = _sniffed(data)
    if found == "zip":
        found = _kind_of_zip(name, data)
    elif found == "ole":
        found = _kind_of_ole(name, data, suffix)
    if found or suffix in _PLAIN or (suffix not in READERS and suffix not in _REFUSED):
        return found or suffix
    if b"\0" not in data[:_HEAD] or data.startswith(_UTF16):
        return _kind_of_text(data, suffix)
    raise CorpusError(
        f"无法读取 {name}：内容不是 {suffix} 文件，可能已损坏，请打开后另存再添加",
        f"cannot read {name}: its content is no {suffix}; it may be damaged, save it again",
    )


def _suffix(name: str) -> str:
    return PurePath(name).suffix.lower()


def _sniffed(data: bytes) -> str:
    """The kind that the first bytes tell; "" for text and for what is unknown."""
    head = data[:_HEAD]
    if head.startswith(_OLE):
        return "ole"
    if head.startswith(_ZIP):
        return "zip"
    if b"%PDF-" in head[:1024]:
        return ".pdf"
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if _HTML.match(head.removeprefix(b"\xef\xbb\xbf")):
        return ".html"
    if b"<?mso-application" in head:  # the XML of 2003
        return ".xls" if b"Excel.Sheet" in head else ".doc" if b"Word.Document" in head else ""
    return ""


def _kind_of_text(data: bytes, suffix: str) -> str:
    """The kind of a text under a wrong name, or of a web page without its opening."""
    reader = READERS.get(suffix)
    if reader in ("sheets", "calc"):  # what web sites export as .xls
        return ".html" if data.lstrip().startswith(b"<") else ".csv"
    return ".html" if reader == "html" else ".txt"


def _kind_of_zip(name: str, data: bytes) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as package:
            sizes = {info.filename: info.file_size for info in package.infolist()}
            mimetype = package.open("mimetype").read(_HEAD) if "mimetype" in sizes else b""
    except _ZIP_ERRORS as error:
        raise CorpusError(
            f"无法读取 {name}：文件已损坏或不完整，请打开后另存再添加",
            f"cannot read {name}: damaged or incomplete ({error}); save it again",
        ) from error
    kind = next((kind for part, kind in _PARTS.items() if part in sizes), "")
    kind = kind or _MIMETYPES.get(mimetype.strip(), "")
    if kind and sum(sizes.values()) > MAX_EXPANDED:
        raise CorpusError(
            f"无法读取 {name}：展开后超过 {MAX_EXPANDED >> 20} MB，请拆分或删去图片后再添加",
            f"cannot read {name}: it expands to too much; split it or remove pictures",
        )
    return kind or ".zip"


def _kind_of_ole(name: str, data: bytes, suffix: str) -> str:
    """The kind of an OLE container, by the names of its streams."""
    if _stream("EncryptedPackage") in data:
        raise CorpusError(
            f"无法读取 {name}：文件已加密，请先去除密码",
            f"cannot read {name}: it is encrypted; remove the password first",
        )
    found = [kind for stream, kind in _STREAMS.items() if _stream(stream) in data]
    found = found or [".doc", ".xls"]
    # Of several kinds, the others lie embedded in the one that the name tells.
    named = READERS.get(suffix) in [READERS.get(kind, "") for kind in found]
    return suffix if named else found[0]


def _stream(name: str) -> bytes:
    return name.encode("utf-16-le")
