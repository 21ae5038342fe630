"""A scanned page in, its lines out: for pages without text, if the `ocr` extra is installed.

rapidocr-onnxruntime carries its models in the wheel and reads a page in one to two seconds on one
core; nothing is loaded from the network.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from statistics import median
from typing import Any

from corpus.errors import CorpusError
from corpus.readers.layout import Glyph, Page, is_wide

DOTS_PER_INCH = 150  # more takes more memory than a worker may use and reads no better
MAX_SIDE = 2000  # pixels of a rendered page
SAME_SIZE = 1.2  # times the usual size: what is smaller is of the usual size
MIN_SCORE = 0.5  # of a line; what is less sure is a stain or a stamp
MIN_LINES = 3  # that tell whether a page stands upright

# What the model takes for what it resembles.
_MENDS = (
    (re.compile("丶"), "、"),  # the stroke is in no word, the comma in every other sentence
    # Brackets and quotation marks of which one half was read as another kind.
    (re.compile(r"\(([^()（）\n]*)）|（([^()（）\n]*)\)"), r"（\1\2）"),
    (re.compile('“([^“”"]*)"|"([^“”"]*)”'), r"“\1\2”"),
    # The number of a document, 〔2024〕15号, unless its brackets are a pair.
    (
        re.compile(
            r"(?!\(.{4}\)|（.{4}）|\[.{4}\]|【.{4}】)[〔（(【\[](\d{4})[〕）)】\]](?=\d+号)"
        ),
        r"〔\1〕",
    ),
)

Corners = Sequence[tuple[float, float]]  # of a box, clockwise from the one at the top left


@dataclass(frozen=True, slots=True)
class _Line:
    """A line that was found on a page; places in pt."""

    corners: Corners
    text: str
    score: float

    @property
    def is_sure(self) -> bool:
        return bool(self.text) and self.score >= MIN_SCORE

    @property
    def is_high(self) -> bool:
        """Whether its box is higher than wide, so that its text was read upwards or downwards."""
        top_left, top_right, _, bottom_left = self.corners
        return math.dist(top_left, bottom_left) > math.dist(top_left, top_right)


@cache
def is_installed() -> bool:
    """Whether scanned pages can be read."""
    return find_spec("rapidocr_onnxruntime") is not None


def scanned(name: str) -> CorpusError:
    """Why a scan is not read, and what to do."""
    return CorpusError(
        f"无法读取 {name}：扫描件，没有文字层，请先做文字识别，"
        "或按 README 安装 zhengwen[ocr] 后再添加",
        f"cannot read {name}: scanned, no text layer; run OCR first, or install zhengwen[ocr] as "
        "README says",
    )


def notice(pages: Sequence[int], *, recognised: bool) -> str:
    """What to tell of a document whose pages of these numbers are scans; "" if none is.

    Chinese with English in brackets, as errors are told.
    """
    if not pages:
        return ""
    runs: list[list[int]] = []
    for page in pages:
        if runs and page == runs[-1][-1] + 1:
            runs[-1].append(page)
        else:
            runs.append([page])
    zh = "、".join(
        f"{run[0]}—{run[-1]}" if len(run) > 2 else "、".join(map(str, run)) for run in runs
    )
    en = zh.replace("—", "–").replace("、", ", ")
    if recognised:
        return (
            f"第{zh}页是扫描件，文字由识别得到，可能有错 "
            f"(scanned, recognised, perhaps with mistakes: page {en})"
        )
    return (
        f"第{zh}页是扫描件，没有文字层，未读入 (scanned, without a text layer, not read: page {en})"
    )


def read_page(page: Any) -> Page:  # noqa: ANN401  (pypdfium2 has no types)
    """Recognise the lines of a rendered page, whichever way up it was scanned."""
    width, height = page.get_size()
    lines = _recognised(page, 0)
    if turn := _turn(lines):
        turned = _recognised(page, turn)
        if _n_upright(turned) > _n_upright(lines):
            lines, height = turned, height if turn == 180 else width
    lines = [line for line in lines if line.is_sure]
    texts = mended("\n".join(line.text for line in lines)).split("\n")
    glyphs = [_glyph(line.corners, text) for line, text in zip(lines, texts, strict=True)]
    return Page(height, _even(glyphs))


def mended(text: str) -> str:
    """The lines of a page with the marks that the model is known to confuse put right."""
    for found, instead in _MENDS:
        text = found.sub(instead, text)
    return text


def _recognised(page: Any, turn: int) -> list[_Line]:  # noqa: ANN401
    """The lines of a page that is turned clockwise by so many degrees."""
    scale = min(DOTS_PER_INCH / 72, MAX_SIDE / max(*page.get_size(), 1))
    image = page.render(scale=scale, rotation=turn).to_numpy()
    found, _ = _engine()(image, use_cls=False)
    return [
        _Line([(x / scale, y / scale) for x, y in corners], text, score)
        for corners, text, score in found or ()
    ]


def _turn(lines: Sequence[_Line]) -> int:
    """How far to turn a page clockwise for its lines to stand upright, as far as they tell.

    Text that runs downwards is turned before it is recognised, and recognised well; text that runs
    upwards or stands on its head is not.
    """
    n_high = sum(line.is_high for line in lines)
    is_sure = 2 * sum(line.is_sure for line in lines) > len(lines)
    if len(lines) < MIN_LINES:
        return 0
    if 2 * n_high > len(lines):
        return 270 if is_sure else 90
    return 0 if is_sure else 180


def _n_upright(lines: Sequence[_Line]) -> int:
    return sum(len(line.text) for line in lines if line.is_sure and not line.is_high)


@cache
def _engine() -> Any:  # noqa: ANN401
    try:
        from rapidocr_onnxruntime import RapidOCR
    except ImportError as error:  # of a library of the system that it needs
        raise CorpusError(
            f"文字识别组件无法启动（{error}），缺 libGL、libgthread 时请安装系统软件包 libgl1、"
            "libglib2.0-0，否则请重新安装 zhengwen[ocr]",
            f"text recognition does not start ({error}); if libGL or libgthread is missing, "
            "install the packages libgl1 and libglib2.0-0, else zhengwen[ocr] again",
        ) from error
    # The defaults need half as much memory again.
    return RapidOCR(
        text_score=0,  # lines that are not sure tell how the page lies
        use_cls=False,  # whole pages are turned, no lines
        intra_op_num_threads=1,
        inter_op_num_threads=1,
        rec_batch_num=1,
        max_side_len=MAX_SIDE,
    )


def _glyph(corners: Corners, text: str) -> Glyph:
    """A line; its corners are those of a box that leans as the scan does, clockwise."""
    (x0, top), (x1, _), (x2, bottom_right), (x3, bottom) = corners
    height = math.dist((x0, top), (x3, bottom))
    # The box stands about a tenth of its height away from the characters.
    baseline = (bottom + bottom_right) / 2 - 0.2 * height
    # How wide so many Chinese characters are tells their size better than how high the box is.
    n_wide = sum(map(is_wide, text))
    width = max(x1, x2) - min(x0, x3)
    is_chinese = n_wide > max(3, 0.6 * len(text))
    size = width / (n_wide + 0.5 * (len(text) - n_wide)) if is_chinese else 0.9 * height
    return Glyph(text, min(x0, x3), max(x1, x2), baseline, size)


def _even(glyphs: list[Glyph]) -> list[Glyph]:
    """Sizes are measured roughly: lines of about the usual size get just that size."""
    usual = median(glyph.size for glyph in glyphs) if glyphs else 0.0
    return [
        replace(glyph, size=usual) if glyph.size < SAME_SIZE * usual else glyph for glyph in glyphs
    ]
