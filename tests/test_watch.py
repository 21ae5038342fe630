"""A library follows a folder; only what came from it is removed again."""

import threading
import time
from pathlib import Path

import pytest
from fake_encoder import FakeEncoder
from library_helpers import all_text, assert_in_step
from make_ofd import partly_scanned_ofd
from reader_helpers import zipped

import rag.library
from corpus.errors import StoreError
from embeddings.encoder import load_encoder
from rag.library import Library
from rag.watch import Watcher

LIGHT, BUS = "佛山市更换节能路灯。", "中山市开通夜间公交。"


@pytest.fixture(scope="module", autouse=True)
def builtin_encoder():
    builtin = load_encoder()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rag.library, "load_encoder", lambda: builtin)
        yield


@pytest.fixture
def library(memory_path):
    library = Library.open(memory_path / "home", FakeEncoder(), builtin=False)
    yield library
    library.close()


@pytest.fixture
def folder(memory_path):
    folder = memory_path / "材料"
    folder.mkdir()
    return folder


@pytest.fixture
def watcher(library, folder):
    return Watcher(library, folder)


def twice(watcher):
    """What is done about a file is done at the second look that finds it the same."""
    watcher.look()
    return watcher.look()


def names(library):
    return sorted(info.name for info in library.documents())


def test_new_changed_and_deleted_files_are_followed(library, folder, watcher):
    (folder / "下级").mkdir()
    (folder / "下级" / "灯.txt").write_text(LIGHT, "utf-8")
    (folder / "~$灯.txt").write_text("锁", "utf-8")
    (folder / "下载.txt.part").write_text("半", "utf-8")
    state = twice(watcher)
    assert (state.added, state.replaced, state.removed, state.failed) == (1, 0, 0, ())
    assert names(library) == ["下级/灯.txt"]
    [old] = library.documents()
    (folder / "下级" / "灯.txt").write_text(BUS, "utf-8")
    assert twice(watcher).replaced == 1
    assert library.document(old.id).text == LIGHT
    assert "公交" in all_text(library, "夜间公交")
    (folder / "下级" / "灯.txt").unlink()
    assert twice(watcher).removed == 1
    assert names(library) == []
    assert_in_step(library)


def test_file_that_is_still_copied_is_not_read(library, folder, watcher):
    file = folder / "大.txt"
    with file.open("w", encoding="utf-8") as out:
        for part in (LIGHT, BUS, LIGHT):
            out.write(part)
            out.flush()
            watcher.look()
            assert names(library) == []
    twice(watcher)
    assert library.document(library.documents()[0].id).text == LIGHT + BUS + LIGHT


def test_file_that_changes_while_it_is_read_is_read_again(library, folder, watcher, monkeypatch):
    file = folder / "灯.txt"
    file.write_text(LIGHT, "utf-8")
    load = rag.watch.load_path

    def load_while_written(path):
        data = load(path)
        if path.stat().st_size < 50:
            file.write_text(LIGHT + BUS, "utf-8")
        return data

    monkeypatch.setattr("rag.watch.load_path", load_while_written)
    assert "正在写入" in twice(watcher).failed[0].reason
    assert names(library) == []
    assert twice(watcher).failed == ()
    assert library.document(library.documents()[0].id).text == LIGHT + BUS


def test_only_what_came_from_the_folder_is_removed(library, folder, watcher):
    library.add([("手工.txt", BUS.encode())])
    (folder / "同样.txt").write_text(BUS, "utf-8")
    (folder / "灯.txt").write_text(LIGHT, "utf-8")
    assert twice(watcher).added == 1
    for file in folder.iterdir():
        file.unlink()
    assert twice(watcher).removed == 1
    assert names(library) == ["手工.txt"]


def test_renamed_and_doubled_files_stay(library, folder, watcher):
    (folder / "甲.txt").write_text(LIGHT, "utf-8")
    (folder / "乙.txt").write_text(LIGHT, "utf-8")
    twice(watcher)
    assert len(library.documents()) == 1
    (folder / "甲.txt").unlink()
    (folder / "乙.txt").rename(folder / "丙.txt")
    twice(watcher)
    twice(watcher)
    assert len(library.documents()) == 1
    (folder / "丙.txt").unlink()
    twice(watcher)
    assert library.documents() == []


def test_next_start_goes_on_where_the_last_one_ended(library, folder, watcher, monkeypatch):
    for name, text in (("灯.txt", LIGHT), ("车.txt", BUS)):
        (folder / name).write_text(text, "utf-8")
    twice(watcher)
    [light] = [info.id for info in library.documents() if info.name == "灯.txt"]
    library.remove([light])  # by hand: that is not undone
    (folder / "车.txt").unlink()
    monkeypatch.setattr("rag.watch.load_path", lambda path: pytest.fail(f"{path} was read again"))
    again = Watcher(library, folder)
    again.look()
    assert twice(again).removed == 1
    assert names(library) == []


def test_what_died_between_adding_and_noting_is_found_again(library, folder, watcher, monkeypatch):
    (folder / "灯.txt").write_text(LIGHT, "utf-8")
    with monkeypatch.context() as patch:
        patch.setattr(library.store, "note_watched", lambda *_: None)
        patch.setattr(watcher, "_remove", lambda *_, **__: 0)
        twice(watcher)
    before = [info.id for info in library.documents()]
    again = Watcher(library, folder)
    twice(again)
    twice(again)
    assert [info.id for info in library.documents()] == before
    (folder / "灯.txt").unlink()
    twice(again)
    assert library.documents() == []


def test_bad_files_are_told_once_and_read_again_when_mended(library, folder, watcher):
    bad = folder / "空.txt"
    bad.write_text("", "utf-8")
    [failure] = twice(watcher).failed
    assert failure.name == "空.txt"
    changed = watcher.state.changed
    assert watcher.look().failed == (failure,)
    assert watcher.state.changed == changed
    bad.write_text(LIGHT, "utf-8")
    assert twice(watcher).failed == ()
    assert names(library) == ["空.txt"]


def test_what_was_not_read_of_a_file_is_told_while_it_is_there(library, folder, watcher):
    (folder / "扫描.ofd").write_bytes(partly_scanned_ofd())
    (folder / "扫描.ofd.zip").write_bytes(zipped({"二.ofd": partly_scanned_ofd("另")}))
    (folder / "灯.txt").write_text(LIGHT, "utf-8")
    told = twice(watcher).notices
    assert [notice.name for notice in told] == ["扫描.ofd", "扫描.ofd.zip/二.ofd"]
    assert told[0].text.startswith("第2页是扫描件，没有文字层，未读入")
    assert watcher.look().notices == told
    (folder / "扫描.ofd").unlink()
    (folder / "扫描.ofd.zip").write_bytes(zipped({"二.txt": BUS.encode()}))
    assert twice(watcher).notices == ()


@pytest.mark.parametrize("lost", ["gone", "a file"])
def test_lost_folder_is_told_and_nothing_is_removed(library, folder, watcher, lost):
    (folder / "灯.txt").write_text(LIGHT, "utf-8")
    twice(watcher)
    folder.rename(folder.with_name("别处"))
    if lost == "a file":
        folder.write_text("", "utf-8")
    for _ in range(3):
        with pytest.raises(StoreError, match="文件夹"):
            watcher.look()
    assert names(library) == ["灯.txt"]
    if lost == "a file":
        folder.unlink()
    folder.with_name("别处").rename(folder)
    assert twice(watcher).problem == ""


def test_suddenly_empty_folder_is_not_believed(library, folder, watcher):
    for i in range(12):
        (folder / f"{i}.txt").write_text(f"{LIGHT}{i}", "utf-8")
    twice(watcher)
    for file in folder.iterdir():
        file.unlink()
    with pytest.raises(StoreError, match="突然变空"):
        twice(watcher)
    assert len(library.documents()) == 12


def test_a_folder_that_stays_away_is_logged_once(folder, watcher, caplog):
    stop = threading.Event()
    folder.rename(f"{folder}2")
    runner = threading.Thread(target=watcher.run, args=(stop,), kwargs={"every_s": 0.01})
    runner.start()
    stop.wait(0.3)
    stop.set()
    runner.join(10)
    assert [record.getMessage().count("不存在") for record in caplog.records] == [1]


def test_a_long_addition_does_not_put_off_the_next_look(library, folder, watcher, monkeypatch):
    (folder / "灯.txt").write_text(LIGHT, "utf-8")
    now, waits, stop = [0.0], [], threading.Event()
    add = library.add

    def slow(*args, **kwargs):
        now[0] += 600
        return add(*args, **kwargs)

    def wait(seconds):
        waits.append(seconds)
        if len(waits) == 3:
            stop.set()

    monkeypatch.setattr(library, "add", slow)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(stop, "wait", wait)
    watcher.run(stop, every_s=1.0)
    assert now[0] == 600  # it was added
    assert waits == [1.0, 1.0, 1.0]


def test_running_survives_errors_and_stops(library, folder, watcher):
    stop, states = threading.Event(), []
    runner = threading.Thread(
        target=watcher.run, args=(stop, states.append), kwargs={"every_s": 0.01}
    )
    folder.rename(f"{folder}2")
    runner.start()

    def wait(condition):
        for _ in range(1000):
            if condition():
                return True
            threading.Event().wait(0.01)
        return False

    assert wait(lambda: states and states[-1].problem)
    Path(f"{folder}2").rename(folder)
    (folder / "灯.txt").write_text(LIGHT, "utf-8")
    assert wait(lambda: states[-1].added == 1)
    assert states[-1].problem == ""
    stop.set()
    runner.join(10)
    assert not runner.is_alive()


def test_a_drive_that_does_not_answer_is_asked_less_often(folder, watcher, monkeypatch):
    now, waits, stop = [0.0], [], threading.Event()

    def unanswered():
        now[0] += 30
        raise OSError("timed out")

    def wait(seconds):
        waits.append(seconds)
        stop.set()

    monkeypatch.setattr(watcher, "_files", unanswered)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(stop, "wait", wait)
    watcher.run(stop, every_s=1.0)
    assert waits == [300.0]
