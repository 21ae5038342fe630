"""A library that serves takes up the model that the settings name, and never mixes two."""

import logging
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from model_folders import bag_folder, turned_model

import rag.library
from embeddings.encoder import load_encoder
from rag.assistant import Assistant
from rag.config import SETTINGS, choose_model, load_config
from rag.model_watch import ModelWatch

ROOT = Path(__file__).parent.parent
QUESTION = "深圳有多少台ATM机支持外卡取现?"


@pytest.fixture
def home(memory_path):
    return memory_path / "home"


@pytest.fixture
def assistant(home):
    with Assistant.open(home) as opened:
        yield opened


@pytest.fixture
def turned(memory_path):
    return turned_model(memory_path / "turned")


@pytest.fixture
def watch(home, assistant):
    """A watch that has looked once already."""
    made = ModelWatch(assistant.library, "", lambda: load_config(home).model)
    made.look()
    return made


@contextmanager
def running(watch):
    stop = threading.Event()
    thread = threading.Thread(target=watch.run, args=(stop,), kwargs={"every_s": 0.02})
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(30)


@contextmanager
def asking(ask, wanted, problems, n=3):
    """Ask again and again from several threads; whatever is not as wanted goes to `problems`."""
    stop, counts = threading.Event(), [0] * n

    def go(i):
        while not stop.is_set():
            try:
                if (found := ask()) != wanted:
                    problems.append(found)
            except Exception as error:  # noqa: BLE001 - the test fails on any
                problems.append(error)
            counts[i] += 1

    threads = [threading.Thread(target=go, args=(i,)) for i in range(n)]
    for thread in threads:
        thread.start()
    try:
        yield counts
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)


def nearest(assistant):
    """What vectors alone find; between two models it would be chance."""
    return [(h.chunk.id, round(h.score, 2)) for h in assistant.search(QUESTION, mode="dense")]


def wait_for(condition, timeout_s=60):
    until = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_rebuild_in_another_process_is_taken_up_while_questions_go_on(
    home, assistant, turned, watch
):
    library = assistant.library
    wanted, problems, old = nearest(assistant), [], library.snapshot()
    new = load_encoder(turned)
    # The two are told apart by what they find, else this would prove nothing.
    mixed = old.vectors.search(new.encode_query([QUESTION]), 10)[1][0].tolist()
    assert mixed != [number for number, _ in wanted]
    with running(watch), asking(lambda: nearest(assistant), wanted, problems) as counts:
        command = [sys.executable, "-m", "ui.cli", "--home", str(home), "rebuild", "--model"]
        done = subprocess.run(
            [*command, str(turned)], capture_output=True, encoding="utf-8", cwd=ROOT
        )
        assert done.returncode == 0, done.stderr
        assert "运行中的网页会自动换用" in done.stderr
        wait_for(lambda: library.encoder.fingerprint == new.fingerprint)
        after = [n + 5 for n in counts]
        wait_for(lambda: all(a >= b for a, b in zip(counts, after, strict=True)))
    assert problems == []
    wait_for(lambda: not len(library.store.vectors(old.encoder.fingerprint)[0]))
    assert library.check().problems == ()


def test_models_change_to_and_fro_under_questions_and_changes(home, assistant, turned, watch):
    def ask():
        return assistant.ask(QUESTION).answer

    library, problems = assistant.library, []
    with running(watch), asking(ask, ask(), problems, n=2):
        for turn in range(4):
            if turn % 2:
                (home / SETTINGS).unlink()  # the built-in one
            else:
                choose_model(home, str(turned))
            library.add([(f"{turn}.txt", f"第{turn}号码头停靠渡船。".encode())])
            wait_for(lambda name=("turned", "built-in")[turn % 2]: library.encoder.name == name)
    assert problems == []
    assert library.check().problems == ()
    assert len(assistant.search("码头停靠渡船", mode="dense", top_k=4)) == 4


def test_a_question_under_way_ends_with_the_model_it_began_with(assistant, turned):
    class Unused:
        """A model that stores vectors and must not see a question."""

        def __init__(self, model):
            self.name, self.dim, self.fingerprint = model.name, model.dim, model.fingerprint
            self.encode_document = model.encode_document

        def encode_query(self, texts):
            raise AssertionError(texts)

    wanted = assistant.ask("比较广州和深圳的做法").answer
    events = assistant.stream("比较广州和深圳的做法")
    next(events)
    assistant.library.take_up(Unused(load_encoder(turned)))
    *_, answer = events
    assert answer.answer == wanted
    with pytest.raises(AssertionError):
        assistant.ask(QUESTION)


def test_new_weights_under_the_same_name_are_taken_up(home, assistant, turned, watch):
    choose_model(home, str(turned))
    watch.look()
    first = assistant.library.encoder.fingerprint
    other = turned_model(turned.with_name("other"), by=2)
    (other / "model.safetensors").replace(turned / "model.safetensors")
    watch.look()
    assert assistant.library.encoder.fingerprint == first
    choose_model(home, str(turned))  # as a rebuild does
    watch.look()
    assert assistant.library.encoder.fingerprint == load_encoder(turned).fingerprint != first


def test_what_was_chosen_while_the_library_opened_is_taken_up(home, assistant, turned):
    choose_model(home, str(turned))
    ModelWatch(assistant.library, "", lambda: load_config(home).model).look()
    assert assistant.library.encoder.name == "turned"


def test_a_flag_goes_before_the_settings(home, assistant, turned, caplog):
    assistant.library.take_up(load_encoder(turned))
    flags = {"model": str(turned)}
    flagged = ModelWatch(assistant.library, str(turned), lambda: load_config(home, flags).model)
    for name in ("none/such", "none/other"):
        choose_model(home, name)
        flagged.look()
    assert assistant.library.encoder.name == "turned"
    assert caplog.records == []


def test_a_model_that_cannot_be_loaded_is_told_once_and_the_last_one_goes_on(
    home, assistant, turned, watch, caplog
):
    wanted = nearest(assistant)
    (turned / "vocabulary.json").rename(turned / "away.json")
    choose_model(home, str(turned))
    for _ in range(3):
        watch.look()
    [line] = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    assert "built-in goes on serving" in line
    assert "zhengwen rebuild --model" in line
    assert nearest(assistant) == wanted
    (turned / "away.json").rename(turned / "vocabulary.json")
    choose_model(home, str(turned))
    watch.look()
    assert assistant.library.encoder.name == "turned"
    assert nearest(assistant) == wanted


def test_settings_that_cannot_be_read_are_told_once_and_read_again(
    home, assistant, turned, watch, caplog
):
    (home / SETTINGS).write_text("model = ", "utf-8")
    watch.look()
    watch.look()
    assert len(caplog.records) == 1
    assert SETTINGS in caplog.text
    (home / SETTINGS).write_text(f'model = "{turned}"\n', "utf-8")
    watch.look()
    assert assistant.library.encoder.name == "turned"


def test_a_store_that_is_being_written_to_is_tried_again(
    home, assistant, turned, watch, monkeypatch, caplog
):
    monkeypatch.setattr(rag.library, "LOCK_S", 0.05)
    other = Assistant.open(home)
    busy = ModelWatch(other.library, "", lambda: load_config(home).model)
    choose_model(home, str(turned))
    with assistant.library._file_lock.acquire():
        busy.look()
        assert "trying again" in caplog.text
        assert other.library.encoder.name == "built-in"
    busy.look()
    assert other.library.encoder.name == "turned"
    other.close()


def test_a_model_of_another_size_is_taken_up(home, assistant, memory_path, watch):
    import numpy as np

    table = {"table": np.eye(3, 8, dtype=np.float32)}
    small = bag_folder(memory_path / "small", table, ["_深", "_圳", "_卡"])
    choose_model(home, str(small))
    watch.look()
    snapshot = assistant.library.snapshot()
    assert (snapshot.encoder.name, snapshot.encoder.dim) == ("small", 8)
    assert assistant.search(QUESTION, mode="dense")
    assert "4357台" in assistant.ask(QUESTION).answer
    assert assistant.library.check().problems == ()
