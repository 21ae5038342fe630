"""Processes that change a library until they are killed; `test_durability.py` starts them.

`python tests/torture.py` imports everything once and then forks a child for every line of JSON on
its standard input, so that a round costs milliseconds. A child writes down what it is about to do
and what has been acknowledged; the lines survive its death.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from fake_encoder import FakeEncoder

import rag.library
from embeddings.encoder import load_encoder
from embeddings.tokens import terms
from rag.library import Library

EXACT_UP_TO = 40  # chunks, so that a small library has trained lists too
_WORDS = "水质路灯公交税务法院调解市场监管专利银行港口学校医院社区消防气象"


def encoder():
    return FakeEncoder()


def text_of(name: str, version: int) -> str:
    """A small notice that only this version of this document holds."""
    rng = random.Random(f"{name} {version}")
    lines = [f"关于{name}的通知第{version}版"]
    for label in "一二三":
        rest = "".join(rng.choices(_WORDS, k=12))
        lines.append(f"{label}、事项{label}\n{name}第{version}版{label}项写明{rest}。")
    return "\n".join(lines)


def open_library(home: Path) -> Library:
    return Library.open(home, encoder(), builtin=False, exact_up_to=EXACT_UP_TO)


def change(home: Path, log: Path, seed: int) -> None:
    """Change the library at random until somebody ends the process."""
    rng = random.Random(seed)
    with log.open("a", encoding="utf-8", buffering=1) as out:

        def note(*entry: object) -> None:
            out.write(json.dumps(entry, ensure_ascii=False) + "\n")

        library = open_library(home)
        note("open")
        while True:
            infos = library.documents()
            what = rng.choices(["add", "change", "remove", "rebuild", "many"], [5, 3, 3, 1, 2])[0]
            if what == "rebuild":
                library.rebuild()
            elif what == "remove" and infos:
                info = rng.choice(infos)
                note("try", [[info.name, None]])
                library.remove([info.id])
                note("done")
            else:
                n = rng.randrange(2, 6) if what == "many" else 1
                names = [f"文{rng.randrange(10_000)}.txt" for _ in range(n)]
                if what == "change" and infos:
                    names = [rng.choice(infos).name]
                version = rng.randrange(1_000_000)
                note("try", [[name, version] for name in dict.fromkeys(names)])
                library.add([(name, text_of(name, version).encode()) for name in names])
                note("done")


def write_some(home: Path, prefix: str, seconds: float) -> None:
    """One of several writers: adds documents for a while, removes every fifth."""
    library = open_library(home)
    end = time.monotonic() + seconds
    i = 0
    while time.monotonic() < end or i < 5:
        name = f"{prefix}{i}.txt"
        [number] = library.add([(name, text_of(name, i).encode())]).added
        if i % 5 == 4:
            library.remove([number])
        i += 1
    library.close()
    (home.parent / f"{prefix}.written").write_text(str(i), "utf-8")


def read_until(home: Path, stop: Path) -> None:
    """One of several readers: whatever it sees must be whole."""
    library = open_library(home)
    while not stop.exists():
        snapshot = library.snapshot()
        assert snapshot.lexical.count == snapshot.vectors.count
        _, ids = snapshot.lexical.search(terms("通知事项写明"), 50)
        near = snapshot.vectors.search(snapshot.encoder.encode_query(["写明"]), 50)[1][0]
        for chunk in library.store.chunks_by_id([*ids.tolist(), *near[near >= 0].tolist()]):
            document = library.document(chunk.document_id)
            assert chunk.text == document.text[chunk.start : chunk.end]
            assert document.text.endswith("。")
    library.close()


def _killed(row: dict[str, object]) -> int:
    """Fork a child, let it work for a while, kill it; returns how it ended."""
    child = os.fork()
    if not child:
        _child(lambda: change(Path(str(row["home"])), Path(str(row["log"])), int(str(row["seed"]))))
    for _ in range(6000 if row["begun"] == "True" else 0):
        if Path(str(row["log"])).stat().st_size:
            break
        time.sleep(0.01)
    time.sleep(float(str(row["seconds"])))
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    # A child that ended by itself met an error.
    return os.waitstatus_to_exitcode(status)


def _crowd(row: dict[str, object]) -> list[int]:
    """Two writers and four readers at once; their exit codes."""
    home, stop = Path(str(row["home"])), Path(str(row["stop"]))
    seconds = float(str(row["seconds"]))
    writers = [_forked(lambda p=p: write_some(home, p, seconds)) for p in ("甲", "乙")]
    readers = [_forked(lambda: read_until(home, stop)) for _ in range(4)]
    codes = [os.waitstatus_to_exitcode(os.waitpid(w, 0)[1]) for w in writers]
    stop.touch()
    return codes + [os.waitstatus_to_exitcode(os.waitpid(r, 0)[1]) for r in readers]


def _forked(work) -> int:
    child = os.fork()
    if not child:
        _child(work)
    return child


def _child(work) -> None:
    code = 1
    try:
        work()
        code = 0
    except BaseException as error:  # noqa: BLE001  (the parent only sees the exit code)
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        import traceback

        traceback.print_exc()
    finally:
        os._exit(code)


def main() -> None:
    # A fake encoder makes the library load the built-in one for single words: once is enough.
    builtin = load_encoder()
    rag.library.load_encoder = lambda: builtin
    for line in sys.stdin:
        row = json.loads(line)
        answer = _crowd(row) if row["kind"] == "crowd" else _killed(row)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
