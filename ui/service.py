"""What the page's callbacks share: the assistant while it opens, running questions, the queue.

One instance per process. Opening (which indexes the built-in cases at the first start) happens
beside the import of the page's libraries and shows its progress in the page.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from corpus.errors import UserError
from ui.text import Lang, say

if TYPE_CHECKING:
    from rag.assistant import Assistant
    from rag.watch import Watcher, WatchState

Progress = Callable[[str, int, int], None]
Opener = Callable[[Progress], "Assistant"]

log = logging.getLogger(__name__)

MAX_ANSWERING = 2  # questions answered at the same time; more would only slow each other down


@dataclass(frozen=True, slots=True)
class Following:
    """What a service follows while it runs."""

    folder: Path | None = None  # whose files are added and removed
    model: Callable[[], str] | None = None  # reads which model the settings name


NOTHING = Following()


class Service:
    """The assistant behind the page, from its opening to its closing."""

    def __init__(self, opener: Opener, following: Following = NOTHING) -> None:
        self._opener = opener
        self._following = following
        self._watcher: Watcher | None = None
        self._threads: list[threading.Thread] = []
        self._stop_following = threading.Event()
        self._assistant: Assistant | None = None
        self._failure: BaseException | None = None
        self._opened = threading.Event()
        self.progress: tuple[str, int, int] = ("", 0, 0)
        self.runs = Runs()

    def open(self) -> None:
        """Begin to open the assistant; returns at once."""
        threading.Thread(target=self._open, name="open", daemon=True).start()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Whether opening has ended, in success or failure, within the time."""
        return self._opened.wait(timeout_s)

    @property
    def failure(self) -> BaseException | None:
        """Why opening failed."""
        return self._failure

    @property
    def ready(self) -> bool:
        """Whether questions can be asked."""
        return self._assistant is not None

    @property
    def assistant(self) -> "Assistant":
        """The opened assistant.

        Raises
        ------
        UserError
            While it is opening.
        """
        if self._assistant is None:
            raise UserError(say("indexing", "zh") + "。", say("indexing", "en") + ".")
        return self._assistant

    @property
    def watches(self) -> bool:
        """Whether there is a folder to watch, once the assistant is open."""
        return self._following.folder is not None

    @property
    def watched(self) -> "WatchState | None":
        """How things stand with the watched folder, if there is one."""
        return self._watcher.state if self._watcher else None

    def close(self) -> None:
        """Stop all answers and the following, and close the assistant."""
        self.runs.stop_all()
        self._stop_following.set()
        self._opened.wait(30)
        for thread in self._threads:
            thread.join(30)
        if self._assistant is not None:
            self._assistant.close()
            self._assistant = None

    def on_failure(self, then: Callable[[], None]) -> None:
        """Call `then` in a thread of its own if opening fails."""

        def watch() -> None:
            self._opened.wait()
            if self._failure is not None:
                then()

        threading.Thread(target=watch, name="watch", daemon=True).start()

    def report(self, stage: str, done: int, total: int) -> None:
        """Take note of progress; called by whoever indexes."""
        self.progress = (stage, done, total)

    def _open(self) -> None:
        try:
            assistant = self._opener(self.report)
            self._follow(assistant)
            self._assistant = assistant
        except Exception as error:  # noqa: BLE001 - shown in the page and raised by `serve`
            self._failure = error
        finally:
            self._opened.set()

    def _follow(self, assistant: "Assistant") -> None:
        from rag.model_watch import ModelWatch
        from rag.watch import Watcher

        library, wanted = assistant.library, self._following
        followed: list[Watcher | ModelWatch] = []
        if wanted.folder is not None:
            self._watcher = Watcher(library, wanted.folder)
            followed.append(self._watcher)
        if wanted.model is not None:
            followed.append(ModelWatch(library, assistant.config.model, wanted.model))
        for one in followed:
            name = type(one).__name__
            arguments = (self._stop_following,)
            thread = threading.Thread(target=one.run, args=arguments, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()


class Runs:
    """The questions being answered and those waiting for their turn, in order of arrival."""

    def __init__(self, limit: int = MAX_ANSWERING) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._order: dict[str, threading.Event] = {}  # run → its cancel event; oldest first

    @contextmanager
    def enter(self, run: str) -> Iterator[threading.Event]:
        """Stand in line under the name `run`; gives the event that stops it."""
        cancel = threading.Event()
        with self._lock:
            self._order[run] = cancel
        try:
            yield cancel
        finally:
            cancel.set()
            with self._lock:
                self._order.pop(run, None)

    def ahead(self, run: str) -> int:
        """How many must end before `run` may begin; 0 = begin."""
        with self._lock:
            place = list(self._order).index(run) if run in self._order else 0
        return max(0, place + 1 - self._limit)

    def alive(self, run: str) -> bool:
        """Whether `run` is waiting or being answered."""
        with self._lock:
            return run in self._order

    def stop(self, run: str) -> None:
        """Ask `run` to stop; nothing happens if it has ended."""
        with self._lock:
            cancel = self._order.get(run)
        if cancel is not None:
            cancel.set()

    def stop_all(self) -> None:
        """Ask every run to stop."""
        with self._lock:
            for cancel in self._order.values():
                cancel.set()


def wait_turn(runs: Runs, run: str, cancel: threading.Event) -> Iterator[int]:
    """Yield how many are ahead, whenever that changes, until it is `run`'s turn or it stops."""
    shown = 0
    while (ahead := runs.ahead(run)) and not cancel.is_set():
        if ahead != shown:
            shown = ahead
            yield ahead
        time.sleep(0.05)


def explain(error: BaseException, lang: Lang) -> str:
    """What to tell the user; anything but a `UserError` is a bug and goes to the log in full."""
    if isinstance(error, UserError):
        return error.zh if lang == "zh" else error.en
    log.error("unexpected error behind the page", exc_info=error)
    return say("broken", lang)
