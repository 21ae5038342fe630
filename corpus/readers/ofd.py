"""An OFD (GB/T 33190) in, its text out: a zip of XML that says where every character stands.

Names of elements are looked up without their namespace: some programs write another prefix or
another year into it.
"""

import io
import math
import posixpath
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from lxml import etree

from corpus.errors import CorpusError
from corpus.readers.building import Extracted
from corpus.readers.layout import Glyph, Page, Rule, is_wide, path_rules
from corpus.readers.ocr import notice
from corpus.readers.paragraphs import extract
from corpus.types import Metadata

MAX_PART = 50 << 20  # bytes of one XML file, unpacked
MAX_TOTAL = 300 << 20  # bytes of all that is unpacked
MAX_PAGES = 5000
THIN = 0.7  # mm: a filled rectangle no wider is a line
DEFAULT_HEIGHT = 297.0  # mm

_POINTS = {"M": 2, "S": 2, "L": 2, "Q": 4, "B": 6, "A": 7, "C": 0}  # numbers after each command
_TOKEN = re.compile(r"[A-Z]|[-+]?[\d.]+(?:[eE][-+]?\d+)?")
_DAMAGED = (
    zipfile.BadZipFile, zlib.error, etree.LxmlError, KeyError, ValueError, NotImplementedError,
    EOFError, OSError, AttributeError,
)  # fmt: skip


def read(name: str, data: bytes) -> Extracted:
    """Read an OFD.

    Raises
    ------
    CorpusError
        If it is encrypted, damaged, too large when unpacked, or has no text.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            package = _Package(name, archive)
            if package.is_encrypted:
                raise CorpusError(
                    f"无法读取 {name}：文件已加密，请先去除密码",
                    f"cannot read {name}: encrypted; remove the password",
                )
            root, _ = package.xml("OFD.xml", "")
            title = " ".join(root.findtext("{*}DocBody/{*}DocInfo/{*}Title", "").split())
            scanned: list[int] = []
            found = extract(_pages(package, root, scanned), Metadata(title=title))
    except _DAMAGED as error:
        raise CorpusError(
            f"无法读取 {name}：文件已损坏，请用阅读器打开后另存为 OFD 再添加",
            f"cannot read {name}: damaged OFD ({type(error).__name__}); open it and save it again",
        ) from error
    if not found.text:
        raise CorpusError(
            f"无法读取 {name}：扫描件，没有文字层，请先做文字识别或添加原文件",
            f"cannot read {name}: scanned, no text layer; run OCR first or add the original",
        )
    return replace(found, notice=notice(scanned, recognised=False))


@dataclass(slots=True)
class _Package:
    """The files of the zip, unpacked one by one within limits."""

    name: str
    archive: zipfile.ZipFile
    _unpacked: int = 0
    _paths: dict[str, zipfile.ZipInfo] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for info in self.archive.infolist():
            path = posixpath.normpath(info.filename.replace("\\", "/").lower())
            self._paths[path.lstrip("/")] = info

    @property
    def is_encrypted(self) -> bool:
        """Whether a file in the zip needs a password, or a list of encrypted ones is there."""
        listed = any(posixpath.basename(path).startswith("encrypt") for path in self._paths)
        return listed or any(info.flag_bits & 1 for info in self._paths.values())

    def xml(self, path: str, folder: str) -> tuple[etree._Element, str]:
        """A parsed file and its folder; `path` is relative to `folder` unless it begins with /."""
        path = path.strip().replace("\\", "/").lower()
        full = posixpath.normpath(posixpath.join("/", folder, path)).lstrip("/")
        info = self._paths.get(full) or self._paths[posixpath.normpath(path).lstrip("/")]
        with self.archive.open(info) as file:
            data = file.read(MAX_PART + 1)
        self._unpacked += len(data)
        if len(data) > MAX_PART or self._unpacked > MAX_TOTAL:
            limit = MAX_TOTAL >> 20
            raise CorpusError(
                f"无法读取 {self.name}：解压后超过 {limit} MB，请拆分后再添加",
                f"cannot read {self.name}: larger than {limit} MB when unpacked; split it",
            )
        parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
        return etree.fromstring(data, parser), posixpath.dirname(full)


def _pages(package: _Package, root: etree._Element, scanned: list[int]) -> Iterator[Page]:
    """The pages one after the other; those that are pictures without text are noted."""
    number = 0
    for body in root.iterfind("{*}DocBody"):
        document, folder = package.xml(body.findtext("{*}DocRoot", ""), "")
        templates = {
            template.get("ID", ""): template.get("BaseLoc", "")
            for template in document.iterfind("{*}CommonData/{*}TemplatePage")
        }
        usual = _height(document.find("{*}CommonData/{*}PageArea"), DEFAULT_HEIGHT)
        drawn: dict[str, tuple[list[Glyph], list[Rule]]] = {}  # what each template draws
        pages = document.findall("{*}Pages/{*}Page")
        if len(pages) > MAX_PAGES:
            raise CorpusError(
                f"无法读取 {package.name}：超过 {MAX_PAGES} 页，请拆分后再添加",
                f"cannot read {package.name}: more than {MAX_PAGES} pages; split it",
            )
        for page in pages:
            content, _ = package.xml(page.get("BaseLoc", ""), folder)
            glyphs, rules = _drawn(content)
            number += 1
            if not glyphs and content.find(".//{*}ImageObject") is not None:
                scanned.append(number)
            for used in content.iterfind("{*}Template"):
                key = used.get("TemplateID", "")
                if key in templates and key not in drawn:
                    drawn[key] = _drawn(package.xml(templates[key], folder)[0])
                its_glyphs, its_rules = drawn.get(key, ([], []))
                glyphs, rules = glyphs + its_glyphs, rules + its_rules
            yield Page(_height(content.find("{*}Area"), usual), glyphs, rules)


def _height(area: etree._Element | None, usual: float) -> float:
    box = _numbers(area.findtext("{*}PhysicalBox", "")) if area is not None else []
    return box[3] if len(box) == 4 and box[3] > 0 else usual


def _drawn(content: etree._Element) -> tuple[list[Glyph], list[Rule]]:
    """The characters and lines of a page or a template."""
    glyphs: list[Glyph] = []
    rules: list[Rule] = []
    for item in content.iter("{*}TextObject", "{*}PathObject"):
        if item.get("Visible", "true").lower() == "false":
            continue
        place = _Place.of(item)
        if item.tag.endswith("}TextObject") or item.tag == "TextObject":
            glyphs += _text(item, place)
        else:
            data = item.findtext("{*}AbbreviatedData", "")
            filled = item.get("Fill", "false").lower() == "true"
            stroked = item.get("Stroke", "true").lower() == "true"
            rules += path_rules(list(_points(data, place)), THIN, filled, stroked)
    return glyphs, rules


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an object lies: its own matrix, then the corner of its boundary."""

    matrix: Sequence[float]
    x: float
    y: float

    @staticmethod
    def of(item: etree._Element) -> "_Place":
        """The place of a TextObject or PathObject."""
        boundary = _numbers(item.get("Boundary", ""))
        matrix = _numbers(item.get("CTM", ""))
        x, y = boundary[:2] if len(boundary) == 4 else (0.0, 0.0)
        return _Place(matrix if len(matrix) == 6 else (1, 0, 0, 1, 0, 0), x, y)

    def point(self, x: float, y: float) -> tuple[float, float]:
        """A point of the object on the page."""
        a, b, c, d, e, f = self.matrix
        return self.x + a * x + c * y + e, self.y + b * x + d * y + f


def _text(item: etree._Element, place: _Place) -> Iterator[Glyph]:
    """The characters of a text object; slanted text is a watermark or a stamp and left out."""
    a, b, c, d, _, _ = place.matrix
    size = _number(item.get("Size", "")) * math.hypot(c, d)
    if abs(b) > 0.1 * abs(a) or not 0.05 < size < 1000:
        return
    stretch = math.hypot(a, b) / (math.hypot(c, d) or 1) * (_number(item.get("HScale", "")) or 1)
    x = y = 0.0
    for code in item.iterfind("{*}TextCode"):
        text = code.text or ""
        # A code without a place of its own begins where the one before began.
        x, y = _number(code.get("X", ""), x), _number(code.get("Y", ""), y)
        right, down = (_steps(code.get(axis, ""), len(text)) for axis in ("DeltaX", "DeltaY"))
        at_x, at_y = x, y
        for i, char in enumerate(text):
            width = (1.0 if is_wide(char) else 0.5) * size * stretch
            left, baseline = place.point(at_x, at_y)
            shown = char if char.isprintable() else " "
            yield Glyph(shown, left, left + width, baseline, round(size, 3))
            at_x += right[i] if i < len(right) else (0 if down else width / (abs(a) or 1))
            at_y += down[i] if i < len(down) else 0


def _steps(deltas: str, n: int) -> list[float]:
    """`g 3 5 6.2` → 5, 5, 5, 6.2: the distances between characters, at most `n`."""
    steps: list[float] = []
    parts = iter(deltas.split())
    for part in parts:
        if len(steps) >= n:
            break
        if part.lower() == "g":
            count, step = int(next(parts, "0")), _number(next(parts, ""))
            steps += [step] * min(max(count, 0), n)
        else:
            steps.append(_number(part))
    return steps


def _points(data: str, place: _Place) -> Iterator[tuple[bool, float, float]]:
    """The points of a path and whether a straight line leads there."""
    tokens = _TOKEN.findall(data)
    start: tuple[float, float] | None = None
    i = 0
    while i < len(tokens):
        command = tokens[i]
        n = _POINTS.get(command, 0)
        numbers = [_number(token) for token in tokens[i + 1 : i + 1 + n]]
        i += 1 + n
        if command == "C" and start is not None:
            yield True, *start
        elif n and len(numbers) == n:
            point = place.point(*numbers[-2:])
            if command in "MS":
                start = point
            yield command == "L", *point


def _number(text: str, otherwise: float = 0.0) -> float:
    try:
        number = float(text)
    except ValueError:
        return otherwise
    return number if math.isfinite(number) else otherwise


def _numbers(text: str) -> list[float]:
    return [_number(part) for part in text.split()]
