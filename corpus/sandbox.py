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
from pathlib import PurePath
from typing import IO, Any

from corpus.errors import CorpusError
from corpus.readers import Extracted, read_document
from corpus.types import Metadata

MAX_SECONDS = 60.0  # for one file
MAX_MEMORY = 1 << 30  # bytes of address space of the worker
MAX_FILE = 100 << 20  # bytes of one file
_IN_PROCESS = (".txt", ".md", ".markdown")  # no parser: decoded here, and the first start is quick
_LENGTHS = struct.Struct(">QQ")  # of the name and of the bytes; of the answer and 0


class Sandbox:
    """One worker process; files are read one after the other."""

    def __init__(self, *, seconds: float = MAX_SECONDS, memory: int = MAX_MEMORY) -> None:
        self._seconds = seconds
        self._memory = memory
        self._lock = threading.Lock()
        self._worker: subprocess.Popen[bytes] | None = None

    def read(self, name: str, data: bytes) -> Extracted:
        """Read one file.

        Raises
        ------
        CorpusError
            If it is too large, cannot be read, or exceeds the limits.
        """
        refuse_large(name, len(data))
        if PurePath(name).suffix.lower() in _IN_PROCESS:
            return read_document(name, data)
        with self._lock:
            answer = self._ask(name, data)
        if "zh" in answer:
            raise CorpusError(answer["zh"], answer["en"])
        return _extracted(answer)

    def close(self) -> None:
        """End the worker; the next file starts another."""
        worker, self._worker = self._worker, None
        if worker is not None:
            _kill(worker)
            worker.wait()
            for pipe in (worker.stdin, worker.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()

    def _ask(self, name: str, data: bytes) -> dict[str, Any]:
        if self._worker is None or self._worker.poll() is not None:
            self.close()
            self._worker = _start(self._memory)
        worker = self._worker
        assert worker.stdin is not None
        assert worker.stdout is not None
        late = threading.Event()

        def expire() -> None:
            late.set()
            _kill(worker)

        timer = threading.Timer(self._seconds, expire)
        timer.daemon = True
        timer.start()
        try:
            _send(worker.stdin, name.encode("utf-8", "surrogatepass"), data)
            answer, _ = _receive(worker.stdout)
            return dict(json.loads(answer))
        except (OSError, EOFError, ValueError) as error:
            self.close()
            raise _brought_down(name, late.is_set(), self._seconds) from error
        finally:
            timer.cancel()
            if late.is_set():  # it may have fired just after the answer
                self.close()


_shared = Sandbox()
atexit.register(_shared.close)


def read_safely(name: str, data: bytes) -> Extracted:
    """Read one file by the worker that this process shares; see `Sandbox.read`."""
    return _shared.read(name, data)


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


def _start(memory: int) -> subprocess.Popen[bytes]:
    # -P: a folder named "corpus" where the command is run must not be taken for this package.
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "corpus.sandbox", str(memory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p or os.getcwd() for p in sys.path)},  # noqa: PTH109
        start_new_session=True,  # so that programs started by a reader end with it
    )


def _kill(worker: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if sys.platform != "win32":
            os.killpg(worker.pid, signal.SIGKILL)
        else:
            worker.kill()


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
    )


def _read(name: str, data: bytes) -> dict[str, Any]:
    try:
        return dataclasses.asdict(read_document(name, data))
    except CorpusError as error:
        return {"zh": error.zh, "en": error.en}
    except Exception as error:  # noqa: BLE001  (any parser may raise anything on a damaged file)
        kind = type(error).__name__
        return {
            "zh": f"无法读取 {name}：文件已损坏或过于复杂（{kind}），请打开后另存再添加",
            "en": f"cannot read {name}: damaged or too complex ({kind}); open it and save it again",
        }


def _work(memory: int) -> None:
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    # A library that prints must not write between the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    while True:
        try:
            name, data = _receive(sys.stdin.buffer)
        except EOFError:
            return
        answer = _read(name.decode("utf-8", "surrogatepass"), data)
        _send(answers, json.dumps(answer).encode("ascii"))


if __name__ == "__main__":
    _work(int(sys.argv[1]))
