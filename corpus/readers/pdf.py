"""A PDF in, its text out: pdfium says where every character stands, `paragraphs` does the rest."""

import ctypes
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace

import pypdfium2 as pdfium
import pypdfium2.raw as c

from corpus.errors import CorpusError
from corpus.readers import ocr
from corpus.readers.building import Extracted
from corpus.readers.layout import Glyph, Page, Rule, is_wide, path_rules
from corpus.readers.paragraphs import extract
from corpus.types import Metadata

MIN_CHARS = 10  # of a page that has a text layer; a scan may carry a printed page number
MAX_OBJECTS = 20_000  # of a page, and points of a path: more are a drawing and no table
THIN = 2.0  # pt: a filled rectangle no wider is a line

_TOOL_TITLE = re.compile(r"(?i)^microsoft |^untitled|^无标题|^未命名|^about:|\.\w{2,5}$|[/\\]")
# Radicals that fonts give for the character of the same shape; NFKC has no map for these.
_RADICALS = str.maketrans(
    "⺟⺠⺩⺬⻁⻄⻅⻆⻉⻋⻑⻓⻔⻘⻙⻚⻛⻜⻝⻢⻣⻤⻥⻦⻧⻨⻩⻪⻬⻮⻰⻳",
    "母民王示虎西见角贝车長长门青韦页风飞食马骨鬼鱼鸟卤麦黄黾齐齿龙龟",
)
_COMPATIBLE = re.compile("[\u2f00-\u2fdf\uf900-\ufaff\U0002f800-\U0002fa1f]")
_UNKNOWN = ("\x00", "\ufffd")  # characters that the font does not name


def read(name: str, data: bytes) -> Extracted:
    """Read a PDF.

    Raises
    ------
    CorpusError
        If it is encrypted, damaged, or a scan that has no text.
    """
    try:
        with pdfium.PdfDocument(data) as document:
            title = " ".join(document.get_metadata_value("Title").split())
            title = "" if _TOOL_TITLE.search(title) else title
            scanned: list[int] = []
            found = extract(_pages(name, document, scanned), Metadata(title=title))
    except pdfium.PdfiumError as error:
        raise _refusal(name, error) from error
    return replace(found, notice=ocr.notice(scanned, recognised=ocr.is_installed()))


def _refusal(name: str, error: pdfium.PdfiumError) -> CorpusError:
    if error.err_code in (c.FPDF_ERR_PASSWORD, c.FPDF_ERR_SECURITY):
        return CorpusError(
            f"无法读取 {name}：文件已加密，请先去除密码",
            f"cannot read {name}: encrypted; remove the password",
        )
    return CorpusError(
        f"无法读取 {name}：文件已损坏，请打开后另存为 PDF 再添加",
        f"cannot read {name}: damaged PDF ({error}); open it and save it again",
    )


def _pages(name: str, document: pdfium.PdfDocument, scanned: list[int]) -> Iterator[Page]:
    """The pages one after the other; scanned ones are noted, and recognised if that can be done."""
    n_text = 0
    for i in range(len(document)):
        with closing(document[i]) as page:
            found = _page(page)
            if found.glyphs:
                n_text += 1
            elif c.FPDFPage_CountObjects(page):
                scanned.append(i + 1)
                if ocr.is_installed():
                    found = ocr.read_page(page)
        yield found
    if len(scanned) > n_text and not ocr.is_installed():
        raise ocr.scanned(name)


def _page(page: pdfium.PdfPage) -> Page:
    """What stands on a page; no characters if it has no usable text layer."""
    with closing(page.get_textpage()) as text:
        marks = list(_marks(text))
    n_unknown = sum(mark.char in _UNKNOWN for mark in marks)
    marks = [mark for mark in marks if mark.char not in _UNKNOWN]
    visible = [mark for mark in marks if not mark.char.isspace()]
    frame = _Frame.of(page, Counter(mark.angle for mark in visible if mark.angle % 90 == 0))
    if n_unknown > len(visible) or (len(visible) < MIN_CHARS and _is_picture(page)):
        return Page(frame.height, ())
    # Text at another angle is a watermark, a stamp or the name of an axis.
    glyphs = [frame.glyph(mark) for mark in marks if mark.angle == frame.angle]
    return Page(frame.height, glyphs, list(_rules(page, frame)))


def _is_picture(page: pdfium.PdfPage) -> bool:
    """Whether an image covers most of a page."""
    left, bottom, right, top = page.get_bbox()
    x0, y0, x1, y1 = (ctypes.c_float() for _ in range(4))
    for i in range(min(c.FPDFPage_CountObjects(page), MAX_OBJECTS)):
        item = c.FPDFPage_GetObject(page, i)
        if c.FPDFPageObj_GetType(item) == c.FPDF_PAGEOBJ_IMAGE:
            c.FPDFPageObj_GetBounds(item, x0, y0, x1, y1)
            area = (x1.value - x0.value) * (y1.value - y0.value)
            if area > 0.5 * (right - left) * (top - bottom):
                return True
    return False


@dataclass(frozen=True, slots=True)
class _Mark:
    """A character as the file has it: y grows upwards, the page may lie on its side."""

    char: str
    x: float  # where its baseline begins
    y: float
    angle: int  # degrees
    size: float
    box: tuple[float, float, float, float] | None  # left, bottom, right, top if it is narrow
    width: float


@dataclass(frozen=True, slots=True)
class _Frame:
    """Turns coordinates of the file so that most text runs rightwards and y grows downwards."""

    angle: int
    top: float
    height: float

    @staticmethod
    def of(page: pdfium.PdfPage, angles: Counter[int]) -> "_Frame":
        """The frame of a page whose characters stand at the angles counted."""
        angle = angles.most_common(1)[0][0] if angles else 0
        left, bottom, right, top = page.get_bbox()
        upright = _Frame(angle, 0, 0)
        ys = [upright.point(x, y)[1] for x in (left, right) for y in (bottom, top)]
        return _Frame(angle, min(ys), max(ys) - min(ys))

    def point(self, x: float, y: float) -> tuple[float, float]:
        """A place on the page, from its left and from its top."""
        if self.angle == 90:
            x, y = y, -x
        elif self.angle == 180:
            x, y = -x, -y
        elif self.angle == 270:
            x, y = -y, x
        return x, -y - self.top

    def glyph(self, mark: _Mark) -> Glyph:
        """A character in this frame."""
        x, y = self.point(mark.x, mark.y)
        if mark.box is None:
            return Glyph(mark.char, x, x + mark.width, y, mark.size)
        ends = self.point(*mark.box[:2])[0], self.point(*mark.box[2:])[0]
        return Glyph(mark.char, x, max(x, *ends), y, mark.size)


def _marks(text: pdfium.PdfTextPage) -> Iterator[_Mark]:
    """The characters of a page in the order of the file, as pdfium's C interface tells them.

    pypdfium2's own methods make a Python object or two for each of five questions about a
    character; a report of 300 pages has 300,000 of them.
    """
    matrix, box = c.FS_MATRIX(), c.FS_RECTF()
    matrix_at, box_at = ctypes.byref(matrix), ctypes.byref(box)
    x, y = ctypes.c_double(), ctypes.c_double()
    x_at, y_at = ctypes.byref(x), ctypes.byref(y)
    high = 0
    for i in range(text.count_chars()):
        if c.FPDFText_IsGenerated(text, i) == 1 or not c.FPDFText_GetMatrix(text, i, matrix_at):
            continue
        code = c.FPDFText_GetUnicode(text, i)
        if 0xD800 <= code < 0xDC00:
            high = code
            continue
        if 0xDC00 <= code < 0xE000:
            code = 0x10000 + ((high - 0xD800) << 10) + code - 0xDC00 if high else 0xFFFD
        high = 0
        char = _character(code)
        em = c.FPDFText_GetFontSize(text, i)
        size = em * math.hypot(matrix.c, matrix.d)
        if not (0.5 < size < 2000):
            continue
        angle = round(math.degrees(math.atan2(matrix.b, matrix.a))) % 360
        c.FPDFText_GetCharOrigin(text, i, x_at, y_at)
        narrow = not is_wide(char) and c.FPDFText_GetLooseCharBox(text, i, box_at)
        yield _Mark(
            char, x.value, y.value, angle, round(size, 2),
            (box.left, box.bottom, box.right, box.top) if narrow else None,
            em * math.hypot(matrix.a, matrix.b),
        )  # fmt: skip


def _character(code: int) -> str:
    if code in (0x02, 0xAD, 0xFFFE):  # how pdfium tells a hyphen at the end of a line
        return "-"
    char = chr(code) if code < 0x110000 else "\ufffd"
    if _COMPATIBLE.match(char):
        return unicodedata.normalize("NFKC", char)
    char = char.translate(_RADICALS)
    return char if char.isprintable() or char.isspace() or char == "\x00" else " "


def _rules(page: pdfium.PdfPage, frame: _Frame) -> Iterator[Rule]:
    """The lines that are drawn on a page: strokes, and filled rectangles that are thin."""
    n_objects = c.FPDFPage_CountObjects(page)
    if n_objects > MAX_OBJECTS:
        return
    fill, stroke = ctypes.c_int(), ctypes.c_int()
    for i in range(n_objects):
        item = c.FPDFPage_GetObject(page, i)
        if c.FPDFPageObj_GetType(item) != c.FPDF_PAGEOBJ_PATH:
            continue
        c.FPDFPath_GetDrawMode(item, fill, stroke)
        yield from path_rules(list(_points(item, frame)), THIN, fill.value, stroke.value)


def _points(path: c.FPDF_PAGEOBJECT, frame: _Frame) -> Iterator[tuple[bool, float, float]]:
    """The points of a path whether a line leads there; a closing line is added."""
    n_points = c.FPDFPath_CountSegments(path)
    m = c.FS_MATRIX()
    if not 1 < n_points <= MAX_OBJECTS or not c.FPDFPageObj_GetMatrix(path, m):
        return
    x, y = ctypes.c_float(), ctypes.c_float()
    start: tuple[float, float] | None = None
    for i in range(n_points):
        segment = c.FPDFPath_GetPathSegment(path, i)
        kind = c.FPDFPathSegment_GetType(segment)
        c.FPDFPathSegment_GetPoint(segment, x, y)
        place = frame.point(
            m.a * x.value + m.c * y.value + m.e, m.b * x.value + m.d * y.value + m.f
        )
        if kind == c.FPDF_SEGMENT_MOVETO:
            start = place
        yield kind == c.FPDF_SEGMENT_LINETO, *place
        if c.FPDFPathSegment_GetClose(segment) and start is not None:
            yield True, *start
