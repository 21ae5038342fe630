"""One SQLite file: connections, transactions, migrations, backup, and errors in plain words.

A file path goes in; what comes out are short-lived connections and `StoreError`s with a mend.
"""

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path

from corpus.errors import DamagedStore, StoreError, reason

BUSY_S = 30.0  # how long a writer waits for another process
_PAGE = 16_384  # bytes
_WAL_KEPT = 64_000_000  # bytes of the write-ahead log that stay allocated after a checkpoint


class Database:
    """Reads from any thread; writes one at a time, across processes too.

    Parameters
    ----------
    file
        The database; it and its folder are created if they are missing.
    migrations
        SQL scripts; `user_version` counts how many of them a file has seen.
    """

    def __init__(self, file: Path, migrations: Sequence[str]) -> None:
        self.file = file
        self._migrations = migrations
        self._idle: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        self._closed = False
        with explained(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            with self._connection() as connection:
                self._migrate(connection)

    def close(self) -> None:
        """Close all connections; a thread that is still reading closes its own at the end."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection for queries; database errors become a StoreError."""
        with explained(self.file), self._connection() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction: committed at the end of the block, undone by an error in it."""
        with explained(self.file), self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """An idle connection or a new one: threads come and go, connections are kept."""
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        connection = connection or self._connect()
        try:
            yield connection
        finally:
            with self._lock:
                keep = not self._closed
                if keep:
                    self._idle.append(connection)
            if not keep:
                connection.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.file, timeout=BUSY_S, isolation_level=None, check_same_thread=False
        )
        try:
            # Texts of one to four kilobytes leave less of a large page empty; a file keeps its own.
            connection.execute(f"PRAGMA page_size = {_PAGE}")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute(f"PRAGMA journal_size_limit = {_WAL_KEPT}")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _migrate(self, connection: sqlite3.Connection) -> None:
        wanted = len(self._migrations)
        if _version(connection) == wanted:
            return
        connection.execute("BEGIN IMMEDIATE")
        try:
            version = _version(connection)
            if version > wanted:
                raise StoreError(
                    f"数据库 {self.file} 由更新版本的程序写成，请升级程序。",
                    f"{self.file} was written by a newer version; please upgrade",
                )
            for migration in self._migrations[version:]:
                for statement in migration.split(";"):
                    connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {wanted}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    # -- care -------------------------------------------------------------------------------

    def integrity_problems(self) -> list[str]:
        """What SQLite's own check and the foreign keys find wrong; empty = nothing."""
        with self.reading() as db:
            rows = [row[0] for row in db.execute("PRAGMA integrity_check")]
            problems = [row for row in rows if row != "ok"]
            problems += [f"foreign key: {row}" for row in db.execute("PRAGMA foreign_key_check")]
        return problems

    def backup(self, file: Path) -> None:
        """Write a consistent copy, also while others write; an older `file` is replaced.

        Raises
        ------
        StoreError
            If `file` cannot be written; an older one is then as it was.
        """
        if file.exists() and file.samefile(self.file):
            raise StoreError(
                f"备份不能写到数据库自身 {file}，请另选文件名。",
                f"the backup cannot be the database {file} itself; choose another name",
            )
        if file.is_dir() or not file.parent.is_dir():
            raise StoreError(
                f"备份不能写到 {file}：上一级文件夹不存在，或它本身是文件夹，请检查路径。",
                f"cannot write the backup to {file}: its folder is missing, or it is a folder; "
                "check the path",
            )
        temporary = file.with_name(f"{file.name}.{os.getpid()}.tmp")
        try:
            with explained(file):
                with closing(sqlite3.connect(temporary)) as copy, self.reading() as db:
                    db.backup(copy)
                    # One file, not a file and its log, is what people carry away.
                    copy.execute("PRAGMA journal_mode = DELETE")
                _sync(temporary)
                temporary.replace(file)
        finally:
            temporary.unlink(missing_ok=True)

    def restore(self, file: Path) -> None:
        """Take over the content of a backup in one transaction; older backups are migrated.

        Raises
        ------
        StoreError
            If `file` is not a whole backup; the store is then as before.
        """
        copy = self.file.with_name(f"{self.file.name}.{os.getpid()}.restore")
        try:
            with (
                closing(_opened_backup(file, len(self._migrations))) as source,
                explained(self.file),
                closing(sqlite3.connect(copy, isolation_level=None)) as taken,
            ):
                # An older backup is migrated beside the store, which changes in one step only.
                source.backup(taken)
                taken.execute("PRAGMA journal_mode = DELETE")
                self._migrate(taken)
                with self._connection() as connection:
                    size = connection.execute("PRAGMA page_size").fetchone()[0]
                    if taken.execute("PRAGMA page_size").fetchone()[0] != size:
                        # A write-ahead log keeps to one size of pages.
                        taken.execute(f"PRAGMA page_size = {size}")
                        taken.execute("VACUUM")
                    taken.backup(connection)
        finally:
            copy.unlink(missing_ok=True)


@contextmanager
def explained(file: Path) -> Iterator[None]:
    """Turn what SQLite and the file system say into a sentence with a mend."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise _operational(file, error) from error
    except sqlite3.ProgrammingError:
        raise
    except sqlite3.DatabaseError as error:
        raise DamagedStore(
            f"数据库 {file} 已损坏（{error}），请用 zhengwen restore 从备份恢复，"
            f"或移走该文件后重新添加文档。",
            f"database {file} is damaged: {error}; restore a backup or move the file away",
        ) from error
    except OSError as error:
        raise unusable(file.parent, error) from error


def unusable(home: Path, error: OSError) -> StoreError:
    """Say that a folder cannot be used or written to, and what to do."""
    return StoreError(
        f"数据目录 {home} 不可用或不可写（{reason(error)}），请检查权限和剩余空间，"
        f"或用 --home 指定其他目录。",
        f"folder {home} cannot be used ({error.strerror or error}); check permissions and free "
        f"space, or choose another --home",
    )


_HINTS = (
    ("full", "所在磁盘已满，请清理后重试", "the disk is full; free some space"),
    ("locked", "正被其他进程占用，请稍后再试", "another process is writing; try again later"),
    ("busy", "正被其他进程占用，请稍后再试", "another process is writing; try again later"),
    (
        "readonly",
        "只读，请检查权限，或用 --home 指定其他目录",
        "read-only; check permissions or choose another --home",
    ),
    (
        "unable to open",
        "无法打开，请检查权限，或用 --home 指定其他目录",
        "cannot be opened; check permissions or choose another --home",
    ),
    (
        "disk I/O",
        "读写失败，请检查磁盘和剩余空间",
        "reading or writing failed; check the disk and its free space",
    ),
)


def _operational(file: Path, error: sqlite3.OperationalError) -> StoreError:
    text = str(error)
    for key, zh, en in _HINTS:
        if key in text:
            return StoreError(f"数据库 {file} {zh}。", f"database {file}: {en}")
    return StoreError(f"数据库 {file} 出错：{text}。", f"database {file}: {text}")


def set_aside(file: Path, backup: Path, newest: int) -> Path:
    """Rename a damaged database once it is sure that `backup` can take its place.

    Raises
    ------
    StoreError
        If `backup` is not a whole one; nothing is renamed then.
    """
    _opened_backup(backup, newest).close()
    names = (f"{file.name}.damaged{n or ''}" for n in count())
    aside = next(file.with_name(name) for name in names if not file.with_name(name).exists())
    with explained(file):
        for ending in ("", "-wal", "-shm"):
            part = file.with_name(file.name + ending)
            if part.exists():
                part.replace(aside.with_name(aside.name + ending))
    return aside


def _opened_backup(file: Path, newest: int) -> sqlite3.Connection:
    if not file.is_file():
        raise StoreError(f"没有备份文件 {file}，请检查路径。", f"no backup file {file}")
    with explained(file):
        source = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)
        try:
            if _is_whole(source, newest):
                return source
        except sqlite3.OperationalError:
            source.close()
            raise
        except sqlite3.DatabaseError:
            pass  # not a database at all
    source.close()
    raise StoreError(
        f"{file} 不是本程序的完整备份，未恢复，请换一个备份文件。",
        f"{file} is not a whole backup of this program; choose another file",
    )


def _is_whole(source: sqlite3.Connection, newest: int) -> bool:
    # A database of another program has other tables, whatever its version says.
    tables = {row[0] for row in source.execute("SELECT name FROM sqlite_master")}
    known = 0 < _version(source) <= newest and {"documents", "changes"} <= tables
    return known and source.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _sync(file: Path) -> None:
    with file.open("rb+") as data:
        os.fsync(data.fileno())
