"""A file's name and bytes in, its text out: read in a process of its own, under limits.

A damaged or hostile file can loop, swallow memory or crash a parser. The worker process is started
at the first file that needs it, kept for the next ones, and replaced when a file brings it down.
Names, bytes and JSON pass between the two, never pickled objects.
"""

import atexit
import contextlib
import dataclasses
import json
import os
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from importlib.util import find_spec
from typing import IO, Any

from corpus.errors import CorpusError
from corpus.readers import Entry, Extracted, expand, read_document
from corpus.readers.base import is_pdf, is_plain, may_be_archive
from corpus.types import Metadata

_RECOGNISES = find_spec("rapidocr_onnxruntime") is not None  # scanned pages of a PDF
MAX_SECONDS = 60.0  # for one file
SCANS_TAKE = 10  # times as long may a PDF take whose pages are recognised, at seconds a page
# Bytes of address space of the worker; recognising a scanned page takes 1.0 to 1.3 GB of it.
MAX_MEMORY = 3 << 29 if _RECOGNISES else 1 << 30
MAX_FILE = 100 << 20  # bytes of one file
# Libraries of numbers take 40 MB of address space for every core, which on a machine with 32 of
# them is all that a worker has. With one thread a page is recognised as quickly, in 1.0 GB.
_ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OPENCV_FOR_THREADS_NUM": "1",
    "MALLOC_ARENA_MAX": "1",  # of glibc: 64 MB for every thread
}
_IN_PROCESS = 1 << 20  # bytes; a shorter text needs no parser: decoded here, with a quick start
_LENGTHS = struct.Struct(">QQ")  # of the name and of the bytes; of the answer and 0


class Sandbox:
    """One worker process; files are read one after the other."""

    def __init__(self, *, seconds: float = MAX_SECONDS, memory: int = MAX_MEMORY) -> None:
        self._seconds = seconds
        self._memory = memory
        self._lock = threading.Lock()
        self._worker: _Worker | None = None

    def read(self, name: str, data: bytes) -> Extracted:
        """Read one file.

        Raises
        ------
        CorpusError
            If it is too large, cannot be read, or exceeds the limits.
        """
        refuse_large(name, len(data))
        if len(data) <= _IN_PROCESS and is_plain(name, data):
            return read_document(name, data)
        with self._lock:
            if self._worker is None or not self._worker.alive:
                self.close()
                self._worker = _Worker("read", self._memory)
            with self._worker.limited(name, self._allowed(data)):
                self._worker.send(name, data)
                answer = json.loads(self._worker.receive()[0])
        if "zh" in answer:
            raise CorpusError(answer["zh"], answer["en"])
        return _extracted(answer)

    def expand(self, name: str, data: bytes) -> Iterator[Entry]:
        """The files in an archive, see `corpus.readers.expand`; any other file is itself.

        An archive has a worker of its own, which waits while its files are being read.

        Raises
        ------
        CorpusError
            If it is too large, or exceeds the limits.
        """
        refuse_large(name, len(data))
        if not may_be_archive(name, data):
            yield name, data
            return
        worker = _Worker("expand", self._memory)
        try:
            with worker.limited(name, self._seconds):
                worker.send(name, data)
            while True:
                with worker.limited(name, self._seconds):
                    entry, content = worker.receive()
                told = json.loads(entry)
                if "zh" in told:
                    yield told["name"], CorpusError(told["zh"], told["en"])
                elif "name" in told:
                    yield told["name"], content
                else:
                    return
        finally:
            worker.close()

    def close(self) -> None:
        """End the worker; the next file starts another."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.close()

    def _allowed(self, data: bytes) -> float:
        return self._seconds * SCANS_TAKE if _RECOGNISES and is_pdf(data) else self._seconds


class _Worker:
    """A process under limits that takes files and answers; see `_work` for its side."""

    def __init__(self, task: str, memory: int) -> None:
        # -P: a folder named "corpus" where the command is run must not be taken for this package.
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "corpus.sandbox", task, str(memory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **_ONE_THREAD, "PYTHONPATH": _module_path()},
            start_new_session=True,  # so that programs started by a reader end with it
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._stdin, self._stdout = self.process.stdin, self.process.stdout
        self._late = threading.Event()  # it was killed because a block took too long

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def send(self, name: str, data: bytes) -> None:
        _send(self._stdin, name.encode("utf-8", "surrogatepass"), data)

    def receive(self) -> tuple[bytes, bytes]:
        return _receive(self._stdout)

    @contextlib.contextmanager
    def limited(self, name: str, seconds: float) -> Iterator[None]:
        """Kill the process when the block takes too long; say so, or that it broke down."""

        def expire() -> None:
            self._late.set()
            self._kill()

        timer = threading.Timer(seconds, expire)
        timer.daemon = True
        timer.start()
        try:
            yield
        except (OSError, EOFError, ValueError) as error:
            self.close()
            raise _brought_down(name, self._late.is_set(), seconds) from error
        finally:
            timer.cancel()
            if self._late.is_set():  # it may have fired just after the answer
                self.close()

    def close(self) -> None:
        self._kill()
        self.process.wait()
        for pipe in (self._stdin, self._stdout):
            with contextlib.suppress(OSError):
                pipe.close()

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if sys.platform != "win32":
                os.killpg(self.process.pid, signal.SIGKILL)
            else:
                self.process.kill()


_shared = Sandbox()
atexit.register(_shared.close)


def read_safely(name: str, data: bytes) -> Extracted:
    """Read one file by the worker that this process shares; see `Sandbox.read`."""
    return _shared.read(name, data)


def expand_safely(name: str, data: bytes) -> Iterator[Entry]:
    """The files in an archive; see `Sandbox.expand`."""
    return _shared.expand(name, data)


def refuse_large(name: str, n_bytes: int) -> None:
    """Raise `CorpusError` for a file that is larger than any that is read."""
    if n_bytes > MAX_FILE:
        limit = MAX_FILE >> 20
        raise CorpusError(
            f"无法读取 {name}：文件超过 {limit} MB，请拆分后再添加",
            f"cannot read {name}: larger than {limit} MB; split it",
        )


def _brought_down(name: str, late: bool, seconds: float) -> CorpusError:
    if late:
        return CorpusError(
            f"无法读取 {name}：超过 {seconds:g} 秒仍未读完，请拆分或另存后再添加",
            f"cannot read {name}: not done within {seconds:g} s; split it or save it again",
        )
    return CorpusError(
        f"无法读取 {name}：文件使读取程序中断，可能已损坏，请打开后另存再添加",
        f"cannot read {name}: it stopped the reader and may be damaged; open it and save it again",
    )


def _module_path() -> str:
    return os.pathsep.join(path or os.getcwd() for path in sys.path)  # noqa: PTH109


def _send(pipe: IO[bytes], first: bytes, second: bytes = b"") -> None:
    pipe.write(_LENGTHS.pack(len(first), len(second)))
    pipe.write(first)
    pipe.write(second)
    pipe.flush()


def _receive(pipe: IO[bytes]) -> tuple[bytes, bytes]:
    lengths = _LENGTHS.unpack(_exactly(pipe, _LENGTHS.size))
    return _exactly(pipe, lengths[0]), _exactly(pipe, lengths[1])


def _exactly(pipe: IO[bytes], n_bytes: int) -> bytes:
    data = pipe.read(n_bytes)
    if len(data) < n_bytes:
        raise EOFError
    return data


def _extracted(answer: dict[str, Any]) -> Extracted:
    return Extracted(
        answer["text"],
        tuple((start, end, level) for start, end, level in answer["headings"]),
        tuple((start, end) for start, end in answer["tables"]),
        tuple(answer["pages"]),
        Metadata(**answer["metadata"]),
        answer["notice"],
    )


def _read(name: str, data: bytes) -> dict[str, Any]:
    try:
        return dataclasses.asdict(read_document(name, data))
    except Exception as error:  # noqa: BLE001  (any parser may raise anything on a damaged file)
        return _told(name, error)


def _told(name: str, error: Exception) -> dict[str, str]:
    if isinstance(error, CorpusError):
        return {"name": name, "zh": error.zh, "en": error.en}
    kind = type(error).__name__
    return {
        "name": name,
        "zh": f"无法读取 {name}：文件已损坏或过于复杂，请打开后另存再添加",
        "en": f"cannot read {name}: damaged or too complex ({kind}); open it and save it again",
    }


def _expand(name: str, data: bytes) -> Iterator[tuple[dict[str, str], bytes]]:
    try:
        for entry, content in expand(name, data):
            if isinstance(content, CorpusError):
                yield _told(entry, content), b""
            else:
                yield {"name": entry}, content
    except Exception as error:  # noqa: BLE001  (see `_read`)
        yield _told(name, error), b""
    yield {}, b""


def _work(task: str, memory: int) -> None:
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    # A library that prints must not write between the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    while True:
        try:
            first, data = _receive(sys.stdin.buffer)
        except EOFError:
            return
        name = first.decode("utf-8", "surrogatepass")
        parts = _expand(name, data) if task == "expand" else [(_read(name, data), b"")]
        for answer, content in parts:
            _send(answers, json.dumps(answer).encode("ascii"), content)


if __name__ == "__main__":
    _work(sys.argv[1], int(sys.argv[2]))
