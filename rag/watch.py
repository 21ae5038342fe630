"""A folder in, a library that follows it: new, changed and deleted files, by looking now and then.

A file is read once two looks have found it the same, so one that is still being copied is not read
half; it counts as deleted once two looks have missed it. What was read is kept in the store, so the
next start goes on where this one ended. Only documents that came from the folder are removed.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from corpus.errors import CorpusError, StoreError, UserError, reason
from corpus.watched import Stamp
from rag.intake import Failure, File, Notice, fits, is_skipped, load_path, posix
from rag.library import Library

LOOK_EVERY_S = 1.0
_SHARE = 0.1  # of the time that looking may take: a folder on a slow drive is looked at less often
_AT_ONCE = 50  # files that are added before it is noted that they were
_HALF_DONE = (".crdownload", ".part", ".partial", ".tmp", ".download")  # of browsers and copiers
_SUSPICIOUS = 10  # documents; an empty folder that held more is rather a drive that is not there

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WatchState:
    """How things stand with a watched folder; the numbers are those of the last change."""

    folder: str
    looked: str = ""  # when it was last looked at, ISO, UTC
    changed: str = ""  # when something was last done, ISO, UTC
    n_files: int = 0
    added: int = 0
    replaced: int = 0
    removed: int = 0
    failed: tuple[Failure, ...] = ()  # all files that could not be added, as they are now
    notices: tuple[Notice, ...] = ()  # of the files that were added since the start and are there
    problem: str = ""  # why the folder cannot be followed at the moment


@dataclass
class _Unread:
    """A file that could not be added, and how it was then."""

    stamp: Stamp
    failures: list[Failure] = field(default_factory=list)


class Watcher:
    """Follows one folder; `run` does so until it is told to stop."""

    def __init__(
        self,
        library: Library,
        folder: Path,
        *,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
    ) -> None:
        self._library = library
        self._folder = folder.resolve()
        self._include, self._exclude = include, exclude
        self._before: dict[str, Stamp] | None = None
        self._paths: dict[str, Path] = {}  # by the names that documents have
        self._unread: dict[str, _Unread] = {}
        self._notices: dict[str, list[Notice]] = {}
        self._walk_s = 0.0  # what finding all files took the last time
        self.state = WatchState(str(self._folder))

    def run(
        self,
        stop: threading.Event,
        changed: Callable[[WatchState], None] = lambda state: None,
        *,
        every_s: float = LOOK_EVERY_S,
    ) -> None:
        """Look again and again; `changed` is told when something was done or went wrong."""
        while not stop.is_set():
            before = self.state
            try:
                self.look(stop.is_set)
            except (UserError, OSError) as error:
                self.state = replace(self.state, problem=str(error))
                if self.state.problem != before.problem:  # else once a second
                    _LOG.warning("%s", error)
            if (self.state.changed, self.state.problem) != (before.changed, before.problem):
                changed(self.state)
            stop.wait(max(every_s, self._walk_s / _SHARE))

    def look(self, cancelled: Callable[[], bool] = lambda: False) -> WatchState:
        """Look once, and add and remove what has changed.

        Raises
        ------
        UserError
            If the folder cannot be read or the library not be written to; nothing is removed then.
        """
        began = time.monotonic()
        try:
            found = self._files()
        finally:  # a drive that does not answer takes its time too
            self._walk_s = time.monotonic() - began
        before, self._before = self._before, found
        settled = {p: s for p, s in found.items() if before is not None and before.get(p) == s}
        seen = self._library.store.watched_files(str(self._folder))
        fresh = [p for p, s in settled.items() if seen.get(p) != s and not self._known_bad(p, s)]
        done = [0, 0, 0]
        for at in range(0, len(fresh), _AT_ONCE):
            counts = self._add(fresh[at : at + _AT_ONCE], settled, cancelled)
            done[:2] = [a + b for a, b in zip(done, counts, strict=False)]
        gone = [p for p in seen if before is not None and p not in found and p not in before]
        self._unread = {p: bad for p, bad in self._unread.items() if p in found}
        self._notices = {p: told for p, told in self._notices.items() if p in found}
        if before is not None and not cancelled():
            done[2] = self._remove(gone, found.keys() - settled.keys(), empty=not found)
        self._note(len(found), done, anything=bool(fresh or gone or any(done)))
        return self.state

    def _files(self) -> dict[str, Stamp]:
        """All files by their path below the folder, with size and time."""

        def give_up(error: OSError) -> None:
            raise error  # a part that cannot be read must not look as if it were empty

        found: dict[str, Stamp] = {}
        try:
            for folder, _, names in os.walk(self._folder, onerror=give_up):
                for name in names:
                    file = Path(folder, name)
                    below = file.relative_to(self._folder)
                    if self._wanted(below) and file.is_file():
                        known_as = posix(below)
                        found[known_as] = _stamp(file)
                        self._paths[known_as] = file
        except FileNotFoundError:
            if self._folder.is_dir():
                return self._before or {}  # something was deleted while we looked
            raise self._unreachable("不存在", "is not there") from None
        except OSError as error:
            zh, en = f"无法读取（{reason(error)}）", f"cannot be read: {error.strerror or error}"
            raise self._unreachable(zh, en) from error
        return found

    def _unreachable(self, zh: str, en: str) -> StoreError:
        return StoreError(
            f"监视的文件夹 {self._folder} {zh}，请检查路径、权限或磁盘连接；已添加的文档不受影响。",
            f"the watched folder {self._folder} {en}; check its path, permissions and drive; its "
            f"documents stay as they are",
        )

    def _wanted(self, path: Path) -> bool:
        name = path.as_posix()
        return (
            not is_skipped(path)
            and path.suffix.lower() not in _HALF_DONE
            and (not self._include or fits(name, self._include))
            and not fits(name, self._exclude)
        )

    def _known_bad(self, path: str, stamp: Stamp) -> bool:
        return path in self._unread and self._unread[path].stamp == stamp

    def _add(
        self, paths: Sequence[str], stamps: dict[str, Stamp], cancelled: Callable[[], bool]
    ) -> tuple[int, int]:
        """Add files, and note what each of them holds; how many are new, how many new versions."""
        files = [
            File(path, partial(_load, self._paths[path], stamps[path]), origin=str(self._folder))
            for path in paths
        ]
        report = self._library.add(files, cancelled=cancelled)
        for path in paths:
            documents = [number for name, number in report.files if name == path]
            failures = [f for f in report.failed if _is_of(f.name, path)]
            self._notices[path] = [n for n in report.notices if _is_of(n.name, path)]
            self._unread.pop(path, None)
            if failures:
                self._unread[path] = _Unread(stamps[path], failures)
            if documents:
                self._library.store.note_watched(str(self._folder), path, stamps[path], documents)
        return len(report.added), len(report.replaced)

    def _remove(self, gone: Sequence[str], pending: set[str], *, empty: bool) -> int:
        """Remove what came from the folder and that no file holds any more; how many."""
        store = self._library.store
        if empty and len(gone) > _SUSPICIOUS:
            raise StoreError(
                f"监视的文件夹 {self._folder} 突然变空，可能磁盘未连接，已添加的文档暂不移除；"
                "如确已清空，请用 zhengwen remove 移除。",
                f"the watched folder {self._folder} is suddenly empty, perhaps its drive is not "
                "connected; its documents stay; if it was emptied, run zhengwen remove",
            )
        if gone:
            store.forget_watched(str(self._folder), gone)
        left = [
            number
            for number, name in store.left_over(str(self._folder)).items()
            if not any(name.startswith(path) for path in pending)  # about to be read again
        ]
        if left:
            self._library.remove(left)
        return len(left)

    def _note(self, n_files: int, done: Sequence[int], *, anything: bool) -> None:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        failed = tuple(f for _, bad in sorted(self._unread.items()) for f in bad.failures)
        notices = tuple(n for _, told in sorted(self._notices.items()) for n in told)
        state = replace(self.state, looked=now, n_files=n_files, problem="")
        state = replace(state, failed=failed, notices=notices)
        if anything:
            added, replaced, removed = done
            state = replace(state, changed=now, added=added, replaced=replaced, removed=removed)
        self.state = state


def _stamp(file: Path) -> Stamp:
    status = file.stat()
    # The second one tells changed permissions, and contents under an old date.
    return status.st_size, max(status.st_mtime_ns, status.st_ctime_ns)


def _is_of(name: str, path: str) -> bool:
    """Whether something is told of a file, or of one inside it if it is an archive."""
    return name == path or name.startswith(f"{path}/")


def _load(file: Path, stamp: Stamp) -> bytes:
    data = load_path(file)
    if _stamp(file) != stamp:
        raise CorpusError(
            f"{file.name} 正在写入，稍后会再读取", f"{file.name} is being written; read again later"
        )
    return data
