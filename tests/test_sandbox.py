"""Reading under limits: whatever a file does to the worker, the next one is read."""

import io
import os
import signal
from collections.abc import Iterator

import openpyxl
import psutil
import pytest
from reader_helpers import zipped

from corpus import sandbox
from corpus.errors import CorpusError
from corpus.sandbox import Sandbox


@pytest.fixture
def box() -> Iterator[Sandbox]:
    found = Sandbox()
    yield found
    found.close()


def test_plain_text_starts_no_process(box: Sandbox) -> None:
    assert box.read("通知.txt", "关于放假的通知".encode()).text == "关于放假的通知"
    assert box._worker is None


def test_unknown_kind_is_refused_by_the_worker_with_its_mend(box: Sandbox) -> None:
    with pytest.raises(CorpusError, match=r"a\.xyz"):
        box.read("a.xyz", b"abc")


def test_one_worker_reads_many_files(box: Sandbox) -> None:
    pids = set()
    for i in range(5):
        with pytest.raises(CorpusError):
            box.read(f"{i}.xyz", b"abc")
        assert box._worker is not None
        pids.add(box._worker.process.pid)
    assert len(pids) == 1


def test_worker_takes_no_memory_for_the_cores_of_the_machine(box: Sandbox) -> None:
    book, out = openpyxl.Workbook(), io.BytesIO()
    book.active.append(["区", "数"])
    book.save(out)
    assert box.read("a.xlsx", out.getvalue()).text  # openpyxl brings numpy
    assert box._worker is not None
    assert psutil.Process(box._worker.process.pid).num_threads() == 1


def test_killed_worker_is_replaced(box: Sandbox) -> None:
    with pytest.raises(CorpusError):
        box.read("a.xyz", b"abc")
    assert box._worker is not None
    first = box._worker.process.pid
    os.kill(first, signal.SIGKILL)
    box._worker.process.wait()
    with pytest.raises(CorpusError, match=r"b\.xyz"):
        box.read("b.xyz", b"abc")
    assert box._worker.process.pid != first


def test_file_that_takes_too_long_is_named() -> None:
    box = Sandbox(seconds=0.001)  # shorter than any interpreter starts
    with pytest.raises(CorpusError, match=r"slow\.xyz.*0\.001"):
        box.read("slow.xyz", b"abc")
    assert box._worker is not None
    assert not box._worker.alive


def test_pdf_has_more_time_where_its_pages_are_recognised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "_RECOGNISES", True)
    box = Sandbox(seconds=0.001)
    with pytest.raises(CorpusError, match=r"scan\.pdf：超过 0\.01 秒"):
        box.read("scan.pdf", b"%PDF-1.4")
    with pytest.raises(CorpusError, match=r"a\.html：超过 0\.001 秒"):
        box.read("a.html", b"<html>")


def test_too_large_file_is_refused(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "MAX_FILE", 2)
    with pytest.raises(CorpusError, match=r"a\.txt"):
        box.read("a.txt", b"abc")


def test_an_archive_has_a_worker_of_its_own_that_ends_with_it(box: Sandbox) -> None:
    data = zipped({"甲.txt": b"1", "乙.txt": b"2"})
    found = box.expand("a.zip", data)
    assert next(found) == ("a.zip/甲.txt", b"1")
    # The archive waits while its files are read.
    assert box.read("甲.html", b"<html>text").text == "text"
    assert list(found) == [("a.zip/乙.txt", b"2")]


def test_an_archive_that_takes_too_long_is_named() -> None:
    with pytest.raises(CorpusError, match=r"a\.zip.*0\.001"):
        list(Sandbox(seconds=0.001).expand("a.zip", zipped({"甲.txt": b"1"})))


def test_time_that_runs_out_between_two_answers_is_named_with_the_next() -> None:
    worker = sandbox._Worker("expand", sandbox.MAX_MEMORY)
    with worker.limited("a.zip", 0.001):
        worker.process.wait()  # killed, but nothing was being read
    with pytest.raises(CorpusError, match=r"a\.zip.*0\.001"), worker.limited("a.zip", 0.001):
        worker.receive()


def test_a_long_text_is_read_by_the_worker(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "_IN_PROCESS", 2)
    assert box.read("a.txt", b"abc").text == "abc"
    assert box._worker is not None


def test_a_text_that_is_no_text_is_read_by_the_worker(box: Sandbox) -> None:
    assert box.read("a.txt", b"<!DOCTYPE html><p>text").text == "text"
    assert box._worker is not None
