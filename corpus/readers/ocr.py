"""A scanned page in, its lines out: for pages without text, if the `ocr` extra is installed.

rapidocr-onnxruntime carries its models in the wheel and reads a page in one to two seconds on one
core; nothing is loaded from the network.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
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


@cache
def is_installed() -> bool:
    """Whether scanned pages can be read."""
    return find_spec("rapidocr_onnxruntime") is not None


def scanned(name: str) -> CorpusError:
    """Why a scan is not read, and what to do."""
    return CorpusError(
        f"无法读取 {name}：扫描件，没有文字层，请先做文字识别，或安装 zhengwen[ocr] 后再添加",
        f"cannot read {name}: scanned, no text layer; run OCR first or install zhengwen[ocr]",
    )


def notice(pages: Sequence[int]) -> str:
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
    if is_installed():
        return (
            f"第{zh}页是扫描件，文字由识别得到，可能有错 "
            f"(scanned, recognised, perhaps with mistakes: page {en})"
        )
    return (
        f"第{zh}页是扫描件，没有文字层，未读入 (scanned, without a text layer, not read: page {en})"
    )


def read_page(page: Any) -> Page:  # noqa: ANN401  (pypdfium2 has no types)
    """Recognise the lines of a rendered page."""
    width, height = page.get_size()
    scale = min(DOTS_PER_INCH / 72, MAX_SIDE / max(width, height, 1))
    image = page.render(scale=scale).to_numpy()
    found, _ = _engine()(image, use_cls=False)
    glyphs = [
        _glyph([(x / scale, y / scale) for x, y in corners], text)
        for corners, text, score in found or ()
        if score >= MIN_SCORE
    ]
    return Page(height, _even(glyphs))


@cache
def _engine() -> Any:  # noqa: ANN401
    try:
        from rapidocr_onnxruntime import RapidOCR
    except ImportError as error:  # of a library of the system that it needs
        raise CorpusError(
            f"文字识别组件无法启动（{error}），请重新安装 zhengwen[ocr] 或将其卸载",
            f"text recognition does not start ({error}); install zhengwen[ocr] again or remove it",
        ) from error
    # The defaults need 1.7 GB of address space, these 1.2.
    return RapidOCR(
        use_cls=False,  # no lines that stand on their heads
        intra_op_num_threads=1,
        inter_op_num_threads=1,
        rec_batch_num=1,
        max_side_len=MAX_SIDE,
    )


def _glyph(corners: list[tuple[float, float]], text: str) -> Glyph:
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
