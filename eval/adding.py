"""What adding costs: a thousand office files from nothing, one document to a large library.

Both work in a temporary home. The office files are made up, of about 3,000 characters each: Word,
Excel, HTML, Markdown and text in turn.
"""

import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from embeddings.encoder import load_encoder
from eval.benchmark import peak_memory_mb, read_rows
from rag.library import Library, Progress

N_FILES = 1_000
N_CHARS = 3_000  # of each, about
N_ADDITIONS = 60
PAUSE_S = 0.5  # between additions: people do not add hundreds in a second
_WORDS = "水质路灯公交税务法院调解市场监管专利银行港口学校医院社区消防气象改革服务企业项目资金"


@dataclass(frozen=True, slots=True)
class Additions:
    """One more document at a time in a large library."""

    library: int  # documents
    library_s: float  # to build it
    p50_ms: float  # until the document can be found
    p95_ms: float
    max_ms: float
    own_p50_ms: float  # of this, reading and encoding the document
    search_max_ms: float  # the slowest of the searches between additions


@dataclass(frozen=True, slots=True)
class Adding:
    """Figures of one machine."""

    files: int  # office files given
    files_added: int  # of these, how many could be read
    files_s: float  # until all of them can be found
    files_memory_mb: float  # peak of this process until then
    additions: Additions | None

    def table(self) -> str:
        """One figure a line."""
        parts = [asdict(self), asdict(self.additions) if self.additions else {}]
        lines = {key: value for part in parts for key, value in part.items() if key != "additions"}
        return "\n".join(f"{key:<18}{value:10.1f}" for key, value in lines.items())


def measure(
    passages: Path | None, limit: int, progress: Progress | None = None, n_files: int = N_FILES
) -> Adding:
    """Add office files; then single documents to a library of the rows `{text}` of `passages`."""
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder, "files")
        make_files(files, n_files)
        library = Library.open(Path(folder, "office"), load_encoder(), builtin=False)
        began = time.perf_counter()
        report = library.add([files], progress)
        files_s = time.perf_counter() - began
        library.close()
        megabytes = peak_memory_mb()
        large = Path(folder, "large")
        additions = _additions(large, passages, limit, progress) if passages else None
    return Adding(n_files, len(report.added), files_s, megabytes, additions)


def make_files(folder: Path, n: int) -> None:
    """Write `n` office files, each with headings, paragraphs and a table."""
    folder.mkdir(parents=True)
    makers: tuple[tuple[str, Callable[[Path, list[str]], None]], ...] = (
        ("docx", _word), ("xlsx", _sheet), ("html", _page), ("md", _markdown), ("txt", _text),
    )  # fmt: skip
    for number in range(n):
        suffix, make = makers[number % len(makers)]
        make(folder / f"文件{number:04}.{suffix}", _paragraphs(number))


def _paragraphs(number: int) -> list[str]:
    rng = random.Random(number)
    out, size = [f"关于第{number}号事项的通知"], 0
    while size < N_CHARS:
        out.append(
            f"{''.join(rng.choices(_WORDS, k=rng.randrange(40, 120)))}{rng.randrange(999)}项。"
        )
        size += len(out[-1])
    return out


def _word(file: Path, paragraphs: list[str]) -> None:
    from docx import Document

    document = Document()
    document.add_heading(paragraphs[0], 1)
    for paragraph in paragraphs[1:]:
        document.add_paragraph(paragraph)
    document.save(str(file))


def _sheet(file: Path, paragraphs: list[str]) -> None:
    from openpyxl import Workbook

    book = Workbook()
    for number, paragraph in enumerate(paragraphs):
        book.active.append([number, paragraph])
    book.save(file)


def _page(file: Path, paragraphs: list[str]) -> None:
    body = "".join(f"<p>{paragraph}</p>" for paragraph in paragraphs[1:])
    head = f"<meta charset=utf-8><title>{paragraphs[0]}</title>"
    file.write_text(f"<html><head>{head}</head><body><h1>{paragraphs[0]}</h1>{body}", "utf-8")


def _markdown(file: Path, paragraphs: list[str]) -> None:
    file.write_text("# " + "\n\n".join(paragraphs), "utf-8")


def _text(file: Path, paragraphs: list[str]) -> None:
    file.write_text("\n".join(paragraphs), "utf-8")


def _additions(home: Path, passages: Path, limit: int, progress: Progress | None) -> Additions:
    library = Library.open(home, load_encoder(), builtin=False)
    began = time.perf_counter()
    library.add_texts(_rows(passages, limit or sys.maxsize), progress)
    built_s = time.perf_counter() - began
    count = len(library.documents())
    whole, own, searches = [], [], []
    for number in range(N_ADDITIONS + 1):
        data = "\n".join(_paragraphs(10_000_000 + number)).encode()
        began = time.perf_counter()
        library.add([(f"新{number}.txt", data)])
        whole.append(time.perf_counter() - began)
        own.append(_own_s(data))
        began = time.perf_counter()
        snapshot = library.snapshot()
        snapshot.lexical.search(["改革"], 10)
        snapshot.vectors.search(snapshot.encoder.encode_query(["改革"]), 10)
        searches.append(time.perf_counter() - began)
        time.sleep(PAUSE_S)
    library.close()
    # The first addition loads what the others find loaded.
    p50, p95, most = np.percentile(np.array(whole[1:]) * 1000, [50, 95, 100])
    own_p50 = float(np.median(own[1:]) * 1000)
    slowest = max(searches[1:]) * 1000
    return Additions(count, built_s, float(p50), float(p95), float(most), own_p50, slowest)


def _own_s(data: bytes) -> float:
    """How long reading, splitting and encoding the document takes by itself."""
    from corpus.chunks import split_chunks
    from rag.indexes import index_text
    from rag.intake import File, read_file

    encoder = load_encoder()
    began = time.perf_counter()
    for document in read_file(File("x.txt", lambda: data), []):
        encoder.encode_document([index_text(chunk) for chunk in split_chunks(document)])
    return time.perf_counter() - began


def _rows(file: Path, limit: int) -> Iterator[tuple[str, str, str]]:
    for number, row in enumerate(islice(read_rows(file), limit)):
        yield f"{number}.txt", "", str(row["text"])
