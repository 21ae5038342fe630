"""Reading under limits: whatever a file does to the worker, the next one is read."""

import os
import signal
from collections.abc import Iterator

import pytest

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
        pids.add(box._worker.pid)
    assert len(pids) == 1


def test_killed_worker_is_replaced(box: Sandbox) -> None:
    with pytest.raises(CorpusError):
        box.read("a.xyz", b"abc")
    assert box._worker is not None
    first = box._worker.pid
    os.kill(first, signal.SIGKILL)
    box._worker.wait()
    with pytest.raises(CorpusError, match=r"b\.xyz"):
        box.read("b.xyz", b"abc")
    assert box._worker.pid != first


def test_file_that_takes_too_long_is_named() -> None:
    box = Sandbox(seconds=0.001)  # shorter than any interpreter starts
    with pytest.raises(CorpusError, match=r"slow\.xyz.*0\.001"):
        box.read("slow.xyz", b"abc")
    assert box._worker is None


def test_too_large_file_is_refused(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "MAX_FILE", 2)
    with pytest.raises(CorpusError, match=r"a\.txt"):
        box.read("a.txt", b"abc")
