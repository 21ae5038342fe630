"""What survives: killed processes, damaged files, a full disk, many processes at once."""

import errno
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import torture
from torture import open_library, text_of

import embeddings.lists
import embeddings.seal
import rag.library
from corpus.errors import StoreError
from embeddings.encoder import load_encoder
from embeddings.lexical import LexicalIndex
from embeddings.tokens import terms

ROUNDS = int(os.environ.get("ZHENGWEN_TORTURE_ROUNDS", "40"))
CROWD_S = 60 if ROUNDS > 40 else 4  # how long two writers and four readers work at once
SERVES_WITHIN_S = 10.0  # of a restart after a kill
N_MUTATIONS = 200


@pytest.fixture(scope="module", autouse=True)
def builtin_encoder():
    """A library with a fake encoder loads the built-in one for single words: once is enough."""
    builtin = load_encoder()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rag.library, "load_encoder", lambda: builtin)
        yield


@pytest.fixture(scope="module")
def tormentor():
    """Sends commands to a process of `torture.py`."""
    root = Path(__file__).parent.parent
    environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, torture.__file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:

        def send(**row):
            process.stdin.write(json.dumps({k: str(v) for k, v in row.items()}) + "\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())

        yield send
        process.stdin.close()


def found(library, question, top_k=3):
    """Texts that both indexes find."""
    snapshot = library.snapshot()
    words = snapshot.lexical.search(terms(question), top_k)[1].tolist()
    near = snapshot.vectors.search(snapshot.encoder.encode_query([question]), top_k)[1][0].tolist()
    return [[c.text for c in library.store.chunks_by_id(ids)] for ids in (words, near)]


def contents(library):
    return {info.name: library.document(info.id).text for info in library.documents()}


def assert_whole(library):
    """The check finds nothing, and the indexes hold exactly what the store holds."""
    assert library.check().problems == ()
    stored = library.store.chunk_ids()
    snapshot = library.snapshot()
    assert set(snapshot.lexical.search(terms("通知第版事项写明"), 9999)[1].tolist()) == stored
    assert snapshot.vectors.count == len(stored)
    assert snapshot.vectors.vectors(sorted(stored)).any(axis=1).all()


def replayed(expected, log):
    """What must be there after the acknowledged changes, and after the last one begun too."""
    after = dict(expected)
    begun = None
    for line in log.read_text("utf-8").splitlines():
        kind, *rest = json.loads(line)
        if kind == "try":
            begun = rest[0]
        if kind != "done":
            continue
        after = changed(after, begun)
        begun = None
    return after, changed(after, begun or [])


def changed(contents, changes):
    out = dict(contents)
    for name, version in changes:
        if version is None:
            out.pop(name, None)
        else:
            out[name] = text_of(name, version)
    return out


def test_nothing_acknowledged_is_lost_when_a_process_is_killed(memory_path, tormentor):
    home, log = memory_path / "home", memory_path / "log"
    expected = {}
    n_acknowledged = 0
    rng = random.Random(0)
    for number in range(ROUNDS):
        log.write_text("", "utf-8")
        # Every other time it may die while it opens the library.
        begun, seconds = number % 2 == 0, rng.uniform(0.01, 0.6)
        code = tormentor(kind="kill", home=home, log=log, seed=number, begun=begun, seconds=seconds)
        assert code == -9, "the child ended by itself"
        n_acknowledged += log.read_text("utf-8").count('"done"')
        without, with_last = replayed(expected, log)
        began = time.monotonic()
        library = open_library(home)
        library.snapshot()
        assert time.monotonic() - began < SERVES_WITHIN_S
        expected = contents(library)
        assert expected in (without, with_last), f"round {number}"
        assert_whole(library)
        library.close()
        if len(expected) > 60:
            shutil.rmtree(home)
            expected = {}
    assert n_acknowledged


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A home with some documents; an older state of its index files; what is found in it."""
    home = tmp_path_factory.mktemp("finished") / "home"
    older = home.parent / "older"
    library = open_library(home)
    library.add([(f"旧{i}.txt", text_of(f"旧{i}", i).encode()) for i in range(20)])
    library.rebuild()
    shutil.copytree(home, older)
    library.add([(f"新{i}.txt", text_of(f"新{i}", i).encode()) for i in range(20)])
    library.rebuild()
    questions = ["旧3第3版二项写明", "新7第7版一项", "新19第19版三项写明"]
    answers = [found(library, question, 1) for question in questions]
    library.close()
    return home, older, dict(zip(questions, answers, strict=True))


def index_files(home):
    return sorted(
        file
        for folder in ("lexical", "vectors")
        for file in (home / folder).iterdir()
        if file.is_file() and not file.name.endswith(".lock")
    )


def mutate(home, older, rng):
    """Damage one index file, or exchange it for another one; returns what was done."""
    file = rng.choice(index_files(home))
    data = bytearray(file.read_bytes())
    kind = rng.choice(["flip", "flip", "cut", "older", "exchange", "delete", "zero", "append"])
    if kind == "flip" and data:
        for _ in range(rng.choice([1, 1, 8])):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif kind == "cut":
        del data[rng.randrange(len(data) + 1) :]
    elif kind == "older":
        other = older / file.relative_to(home)
        same = [f for f in index_files(older) if f.suffix == file.suffix]
        data = bytearray((other if other.exists() else rng.choice(same)).read_bytes())
    elif kind == "exchange":
        data = bytearray(rng.choice(index_files(home)).read_bytes())
    elif kind == "zero":
        data = bytearray(len(data))
    elif kind == "append":
        data += rng.randbytes(rng.randrange(1, 64))
    file.unlink()
    if kind != "delete":
        file.write_bytes(data)
    return f"{kind} {file.relative_to(home)}"


@pytest.mark.parametrize("part", range(4))
def test_damaged_index_files_never_change_an_answer(finished, memory_path, part):
    home, older, answers = finished
    rng = random.Random(part)
    for number in range(N_MUTATIONS // 4):
        copy = memory_path / f"{number}"
        shutil.copytree(home, copy)
        done = mutate(copy, older, rng)
        library = open_library(copy)
        assert {q: found(library, q, 1) for q in answers} == answers, done
        assert_whole(library)
        library.close()
        shutil.rmtree(copy)


@pytest.mark.parametrize("folder", ["lexical", "vectors", "both"])
def test_index_folders_of_an_older_state_catch_up(finished, memory_path, folder):
    home, older, answers = finished
    copy = memory_path / "copy"
    shutil.copytree(home, copy)
    for name in ("lexical", "vectors") if folder == "both" else (folder,):
        shutil.rmtree(copy / name)
        shutil.copytree(older / name, copy / name)
    library = open_library(copy)
    assert {q: found(library, q, 1) for q in answers} == answers
    assert_whole(library)
    library.close()


@contextmanager
def disk_with(n_bytes):
    """No file may grow beyond `n_bytes`: what a full disk looks like to every write."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def big_text(i):
    return "\n".join(text_of(f"大{i}", version) for version in range(60)).encode()


# From nothing fits, over the write-ahead log and each index file, to everything fits.
@pytest.mark.parametrize("n_bytes", [0, 100, 300, 1000, 4000, 10_000, 30_000, 60_000, 300_000])
def test_a_full_disk_is_named_and_the_old_state_serves(memory_path, n_bytes):
    library = open_library(memory_path / "home")
    library.add([("路灯.txt", text_of("路灯", 1).encode())])
    before = contents(library)
    try:
        with disk_with(n_bytes):
            library.add([("大.txt", big_text(n_bytes))])
    except StoreError as error:
        assert "空间" in str(error) or "磁盘" in str(error)
    assert "路灯第1版一项" in found(library, "路灯第1版一项写明", 1)[0][0]
    assert before.items() <= contents(library).items()
    # When there is space again, everything that was acknowledged or not goes in.
    library.add([("大.txt", big_text(n_bytes)), ("后.txt", text_of("后", 2).encode())])
    assert set(contents(library)) == {"路灯.txt", "大.txt", "后.txt"}
    assert_whole(library)
    library.close()


class FullDiskError(OSError):
    """What a failing file layer raises at one of its calls."""


@contextmanager
def failing_at(n, kind):
    """The n-th write point fails: replacing or opening a file, committing to tantivy or SQLite."""
    calls = 0

    def failing(function):
        def call(*args, **kwargs):
            nonlocal calls
            calls += 1
            if calls == n:
                raise FullDiskError(errno.ENOSPC, "No space left on device")
            return function(*args, **kwargs)

        return call

    points = {
        "file": [(Path, "replace"), (os, "fsync"), (embeddings.lists, "write_file")],
        "seal": [(embeddings.seal, "write_file")],
        "tantivy": [(LexicalIndex, "apply"), (LexicalIndex, "finish"), (LexicalIndex, "reload")],
        "store": [(rag.library.Store, "add_documents"), (rag.library.Store, "mark")],
    }[kind]
    with pytest.MonkeyPatch.context() as patch:
        for owner, name in points:
            patch.setattr(owner, name, failing(getattr(owner, name)))
        yield lambda: calls


@pytest.mark.parametrize("kind", ["file", "seal", "tantivy", "store"])
def test_a_failure_at_every_write_point_leaves_a_whole_state(memory_path, kind):
    n = 0
    while True:
        n += 1
        home = memory_path / f"home{n}"
        library = open_library(home)
        library.add([("路灯.txt", text_of("路灯", 1).encode())])
        before = contents(library)
        with failing_at(n, kind) as calls:
            try:
                library.add([("大.txt", big_text(n))])
                library.remove([library.documents()[0].id])
                library.rebuild()
            except (StoreError, FullDiskError):
                pass
            reached = calls() >= n
        # Questions are answered from a whole state, and what was missed goes in later.
        snapshot = library.snapshot()
        assert snapshot.lexical.count == snapshot.vectors.count
        library.add([("后.txt", text_of("后", 2).encode())])
        assert "后.txt" in contents(library)
        assert_whole(library)
        library.close()
        again = open_library(home)
        assert set(contents(again)) <= {*before, "大.txt", "后.txt"}
        assert_whole(again)
        again.close()
        if not reached:
            return
        assert n < 40


def test_a_home_on_a_full_disk_is_named(memory_path):
    with disk_with(0), pytest.raises(StoreError, match=r"--home|空间|磁盘"):
        open_library(memory_path / "home")
    open_library(memory_path / "home").close()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_home_is_named(memory_path):
    home = memory_path / "home"
    open_library(home).close()
    home.chmod(0o500)
    with pytest.raises(StoreError, match="--home"):
        open_library(home)
    home.chmod(0o700)


def test_two_writers_and_four_readers_lose_and_tear_nothing(memory_path, tormentor):
    home = memory_path / "home"
    open_library(home).close()
    codes = tormentor(kind="crowd", home=home, stop=memory_path / "stop", seconds=CROWD_S)
    assert codes == [0] * 6
    library = open_library(home)
    written = {p: int((memory_path / f"{p}.written").read_text("utf-8")) for p in "甲乙"}
    assert min(written.values()) >= 5
    assert contents(library) == {
        f"{prefix}{i}.txt": text_of(f"{prefix}{i}.txt", i)
        for prefix, n in written.items()
        for i in range(n)
        if i % 5 != 4
    }
    assert_whole(library)
    library.close()
