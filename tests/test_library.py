import threading
from contextlib import suppress
from dataclasses import replace

import pytest
from fake_encoder import FakeEncoder
from library_helpers import all_text, assert_in_step, everything, texts

import rag.library
from corpus.builtin import BUILTIN_NAME
from corpus.errors import StoreError
from corpus.filters import Filters
from corpus.types import Metadata
from embeddings.tokens import terms
from rag.intake import File
from rag.library import Library

WATER = "关于水质的通知\n一、目标\n惠州市改善河道水质。\n二、措施\n一是清理污水。二是巡查河道。".encode()
LIGHT = "关于路灯的通知\n一、目标\n佛山市更换节能路灯。".encode()
BUS = "关于公交的通知\n一、目标\n中山市开通夜间公交。".encode()


@pytest.fixture
def encoder():
    return FakeEncoder()


@pytest.fixture
def home(memory_path):
    return memory_path / "home"


@pytest.fixture
def library(home, encoder):
    library = Library.open(home, encoder, builtin=False)
    yield library
    library.close()


def test_the_first_opening_brings_the_built_in_cases(home, encoder):
    seen = []
    library = Library.open(home, encoder, lambda *step: seen.append(step))
    assert [info.name for info in library.documents()] == [BUILTIN_NAME]
    assert seen
    assert library.check().problems == ()
    library.remove([library.documents()[0].id])
    library.close()
    again = Library.open(home, encoder)
    assert again.documents() == []
    again.close()


def test_an_added_document_is_found_at_once(library):
    report = library.add([("水质.txt", WATER), ("路灯.txt", LIGHT)])
    assert len(report.added) == 2
    by_words, near = texts(library, "佛山市更换节能路灯。")
    assert by_words[0] == near[0] == "佛山市更换节能路灯。"
    assert_in_step(library)


def test_nothing_is_added_twice(library):
    first = library.add([("水质.txt", WATER)])
    again = library.add([("水质.txt", WATER), ("同样.txt", WATER)])
    assert again.unchanged == first.added * 2
    assert again.added == ()
    assert len(library.documents()) == 1
    both = library.add([("路灯.txt", LIGHT), ("也是.txt", LIGHT)])
    assert (len(both.added), len(both.unchanged)) == (1, 1)


def test_a_changed_file_becomes_a_new_version(library):
    [old] = library.add([("通知.txt", WATER)]).added
    [new] = library.add([("通知.txt", LIGHT)]).replaced
    assert library.document(old).text == WATER.decode()
    assert [i.id for i in library.documents()] == [new]
    assert "水质" not in all_text(library, "河道水质")
    assert_in_step(library)


def test_what_a_person_has_told_goes_over_to_the_next_version(library, memory_path):
    known = Metadata(title="水质通知", theme="环保")
    given = File("通知.txt", lambda: WATER, known)
    [first] = library.add([given]).added
    told = replace(library.store.info(first).metadata, place="惠州市", title="")
    library.update_metadata(first, told)
    [second] = library.add([("通知.txt", LIGHT)]).replaced
    [third] = library.add([("通知.txt", BUS)]).replaced
    for number in (second, third):
        info = library.store.info(number)
        assert (info.title, info.theme, info.place) == ("", "环保", "惠州市")
    better = File("通知.txt", lambda: WATER, Metadata(theme="水务"))
    assert library.store.info(library.add([better]).replaced[0]).theme == "水务"
    assert_in_step(library)


def test_files_and_folders_are_read_and_failures_named(library, memory_path):
    folder = memory_path / "files"
    (folder / "a").mkdir(parents=True)
    (folder / "b").mkdir()
    (folder / "a" / "通知.txt").write_bytes(WATER)
    (folder / "b" / "通知.txt").write_bytes(LIGHT)
    (folder / ".hidden.txt").write_bytes(BUS)
    (folder / "空.txt").write_bytes(b"")
    report = library.add([folder, memory_path / "missing.txt", ("x.txt", BUS)])
    assert len(report.added) == 3
    assert {i.name for i in library.documents()} == {"a/通知.txt", "b/通知.txt", "x.txt"}
    assert {f.name for f in report.failed} == {"空.txt", str(memory_path / "missing.txt")}
    assert all("(" in f.reason for f in report.failed)


def test_adding_can_be_cancelled_and_keeps_what_is_done(library, monkeypatch):
    monkeypatch.setattr(rag.library, "BATCH_CHARS", 1)
    seen = []
    report = library.add(
        [("a.txt", WATER), ("b.txt", LIGHT), ("c.txt", BUS)],
        lambda *step: seen.append(step),
        lambda: len(seen) >= 3,
    )
    assert len(report.added) == 2
    assert_in_step(library)


def test_a_long_document_is_encoded_in_parts_with_progress(library, monkeypatch):
    monkeypatch.setattr(rag.library, "_ENCODED_AT_ONCE", 1)
    seen = []
    library.add([("a.txt", WATER)], lambda *step: seen.append(step))
    assert [step for step in seen if step[0] == "编码"] == [("编码", 0, 2), ("编码", 1, 2)]
    assert_in_step(library)
    cancelled = library.add([("b.txt", BUS * 9)], cancelled=lambda: len(library.documents()) == 1)
    assert cancelled.added == ()


def test_removed_documents_are_gone_from_both_indexes(library):
    report = library.add([("a.txt", WATER), ("b.txt", LIGHT), ("c.txt", BUS)])
    library.remove([report.added[1]])
    assert "路灯" not in all_text(library, "更换节能路灯")
    assert library.document(report.added[1]).text == LIGHT.decode()
    assert_in_step(library)


def test_removing_an_unknown_document_removes_nothing(library):
    [known] = library.add([("a.txt", WATER)]).added
    with pytest.raises(StoreError, match="99"):
        library.remove([known, 99])
    assert len(library.documents()) == 1


def test_corrected_metadata_reaches_lists_filters_and_titles(library):
    [number] = library.add([("a.txt", WATER)]).added
    library.update_metadata(number, Metadata(title="河长制", place="惠州市", date="2024-05"))
    assert library.documents()[0].title == "河长制"
    allowed = library.store.chunk_ids(Filters(places=("惠州市",)))
    assert allowed == library.store.chunk_ids()
    assert texts(library, "河长制")[0]
    assert library.store.chunks(number)[0].document == "河长制"
    assert_in_step(library)


def test_what_an_index_has_missed_is_replayed(home, library, encoder):
    library.add([("a.txt", WATER)])
    state = library.snapshot()
    # As if the process had died after the commit, before the indexes followed.
    store = library.store
    other = Library.open(home.parent / "other", encoder, builtin=False)
    other.add([("b.txt", LIGHT)])
    [info] = other.documents()
    news = rag.library.NewDocument(
        other.document(info.id),
        other.store.chunks(info.id),
        other.store.vectors(encoder.fingerprint)[1],
    )
    other.close()
    store.add_documents([news], encoder.fingerprint, "")
    assert state.lexical.count < store.n_chunks()
    again = Library.open(home, encoder)
    assert texts(again, "节能路灯")[0]
    assert_in_step(again)
    again.close()
    assert_in_step(library)


def test_another_process_is_followed(home, library, encoder):
    library.add([("a.txt", WATER)])
    other = Library.open(home, encoder)
    [number] = other.add([("b.txt", LIGHT)]).added
    assert texts(library, "节能路灯")[0][0] == texts(library, "佛山市更换节能路灯。")[1][0]
    other.remove([number])
    assert "路灯" not in all_text(library, "节能路灯")
    other.close()
    assert_in_step(library)


def test_a_question_does_not_wait_for_a_writer(home, library, encoder):
    library.add([("a.txt", WATER)])
    before = library.snapshot()
    other = Library.open(home, encoder)
    with other._file_lock.acquire():
        other.store.remove_documents([before.mark.generation])
        # The writer has not brought its index up yet, so the old state serves.
        assert library.snapshot().lexical.count == before.lexical.count
    assert library.snapshot().lexical.count == 0
    other.close()


def test_a_second_writer_is_told_after_a_while(home, library, encoder, monkeypatch):
    monkeypatch.setattr(rag.library, "LOCK_S", 0.05)
    other = Library.open(home, encoder)
    with library._file_lock.acquire(), pytest.raises(StoreError, match="另一个进程"):
        other.add([("a.txt", WATER)])
    other.add([("a.txt", WATER)])
    other.close()


def test_another_model_encodes_again_and_serves(home, library, encoder):
    library.add([("a.txt", WATER), ("b.txt", LIGHT)])
    library.close()
    other = FakeEncoder(dim=24, name="other")
    seen = []
    again = Library.open(home, other, lambda *step: seen.append(step))
    assert seen
    assert seen[-1][1] == seen[-1][2] == 2
    assert texts(again, "佛山市更换节能路灯。")[1][0] == "佛山市更换节能路灯。"
    assert_in_step(again)
    again.close()
    n = other.n_encoded
    Library.open(home, other).close()
    assert other.n_encoded == n


def test_two_models_on_one_home_both_stay_right(home, library, encoder):
    library.add([("a.txt", WATER)])
    other = Library.open(home, FakeEncoder(dim=24, name="other"))
    other.add([("b.txt", LIGHT)])
    assert texts(library, "佛山市更换节能路灯。")[1][0] == "佛山市更换节能路灯。"
    library.add([("c.txt", BUS)])
    assert texts(other, "中山市开通夜间公交。")[1][0] == "中山市开通夜间公交。"
    assert_in_step(library)
    assert_in_step(other)
    other.close()


def test_a_model_is_taken_up_and_the_last_ones_vectors_go(home, library, encoder):
    library.add([("a.txt", WATER), ("b.txt", LIGHT)])
    before, other = library.snapshot(), FakeEncoder(dim=24, name="other")
    library.take_up(other)
    assert library.encoder is other
    assert texts(library, "佛山市更换节能路灯。")[1][0] == "佛山市更换节能路灯。"
    assert_in_step(library)
    assert len(library.store.vectors(encoder.fingerprint)[0]) == 0
    # Who holds the last snapshot searches the last vectors with the last model.
    query = before.encoder.encode_query(["佛山市更换节能路灯。"])
    [best] = before.vectors.search(query, 1)[1][0]
    assert library.store.chunks_by_id([int(best)])[0].text == "佛山市更换节能路灯。"
    library.add([("c.txt", BUS)])
    assert texts(library, "中山市开通夜间公交。")[1][0] == "中山市开通夜间公交。"
    assert_in_step(library)


def test_vectors_that_are_in_use_outlast_another_model(home, library, encoder):
    library.add([("a.txt", WATER), ("b.txt", LIGHT)])
    for name in ("second", "third"):
        Library.open(home, FakeEncoder(dim=24, name=name)).close()
    assert len(library.store.vectors("second-24")[0]) == library.store.n_chunks()
    n = encoder.n_encoded
    other = Library.open(home, FakeEncoder(dim=24, name="third"))
    other.add([("c.txt", BUS)])
    assert texts(library, "中山市开通夜间公交。")[1][0] == "中山市开通夜间公交。"
    other.close()
    # Only the new document was encoded, and the question twice.
    assert encoder.n_encoded - n < 6
    assert texts(library, "佛山市更换节能路灯。")[1][0] == "佛山市更换节能路灯。"


def test_rebuilding_changes_nothing_that_is_found(library):
    library.add([("a.txt", WATER), ("b.txt", LIGHT), ("c.txt", BUS)])
    library.remove([2])
    before = everything(library)
    library.rebuild()
    assert everything(library) == before
    assert_in_step(library)


def test_rebuilding_mends_damaged_vectors(library, encoder):
    [number] = library.add([("a.txt", WATER)]).added
    rows = 3 * library.store.vectors(encoder.fingerprint)[1]
    library.store.put_vectors(encoder.fingerprint, {number: rows})
    assert any("rebuild" in problem for problem in library.check().problems)
    library.rebuild()
    assert library.check().problems == ()


@pytest.mark.parametrize("whole", [True, False], ids=["whole files", "one byte"])
def test_an_index_that_is_damaged_in_use_can_be_rebuilt(home, library, whole):
    library.add([("a.txt", WATER)])
    for file in (home / "lexical").glob("*.idx"):
        data = bytearray(file.read_bytes())
        data[: len(data) if whole else 1] = bytes(len(data) if whole else 1)
        data[0] ^= 255
        file.write_bytes(data)
    with suppress(StoreError):  # it may find nothing as well
        texts(library, "河道水质")
    # What cannot be read any more is set aside at once; the rest is named.
    assert whole or any("rebuild" in problem for problem in library.check().problems)
    library.rebuild()
    assert texts(library, "河道水质")[0]
    assert_in_step(library)


def test_a_check_looks_at_removed_documents_too(library):
    [number] = library.add([("a.txt", WATER)]).added
    library.remove([number])
    with library.store.writing() as db:
        db.execute("UPDATE contents SET text = x'67' WHERE document = ?", (number,))
    library.store._text.cache_clear()
    assert any(f"文档 {number} 无法读取" in problem for problem in library.check().problems)


def test_a_check_names_chunks_that_lie_outside(library):
    library.add([("a.txt", WATER)])
    with library.store.writing() as db:
        db.execute("UPDATE chunks SET end = 99999 WHERE id = 1")
    assert any("片段 1" in problem for problem in library.check().problems)


def test_backup_and_restore_while_serving(home, library, encoder, memory_path):
    library.add([("a.txt", WATER)])
    other = Library.open(home, encoder)
    library.backup(memory_path / "copy.db")
    library.add([("b.txt", LIGHT)])
    assert other.snapshot().lexical.count > 1
    library.restore(memory_path / "copy.db")
    for view in (library, other):
        assert [i.name for i in view.documents()] == ["a.txt"]
        assert "路灯" not in all_text(view, "节能路灯")
        assert_in_step(view)
    library.add([("c.txt", BUS)])
    assert texts(other, "夜间公交")[0]
    assert_in_step(other)
    other.close()


def test_a_restore_by_another_process_leaves_no_old_text(home, library, encoder, memory_path):
    library.add([("a.txt", WATER)])
    library.backup(memory_path / "copy.db")
    [number] = library.add([("b.txt", LIGHT)]).added
    other = Library.open(home, encoder)
    assert "路灯" in other.document(number).text
    library.restore(memory_path / "copy.db")
    assert library.add([("c.txt", BUS)]).added == (number,)
    assert texts(other, "夜间公交")[0]
    assert "公交" in other.document(number).text
    other.close()


def test_a_failure_while_following_keeps_no_lock(home, library, encoder, monkeypatch):
    library.add([("a.txt", WATER)])
    other = Library.open(home, encoder)

    def failing(last):
        raise StoreError("磁盘已满", "disk full")

    monkeypatch.setattr(library._indexes, "follow", failing)
    with other._file_lock.acquire():
        other.store.remove_documents([1])
        assert library.snapshot().lexical.count
    other.close()
    assert library._lock.acquire(timeout=5)
    library._lock.release()


def test_correcting_an_unknown_document_is_told(library):
    with pytest.raises(StoreError):
        library.update_metadata(99, Metadata(title="新"))


def test_a_store_that_was_exchanged_is_noticed(home, library, encoder, memory_path):
    library.add([("a.txt", WATER)])
    library.backup(memory_path / "copy.db")
    library.add([("b.txt", LIGHT)])
    library.close()
    for file in home.glob("zhengwen.db*"):
        file.unlink()
    (memory_path / "copy.db").rename(home / "zhengwen.db")
    again = Library.open(home, encoder)
    assert_in_step(again)
    again.add([("c.txt", BUS)])
    assert "路灯" not in all_text(again, "节能路灯")
    assert_in_step(again)
    again.close()


def test_beyond_the_limit_the_search_is_approximate_and_survives_a_restart(home, encoder):
    library = Library.open(home, encoder, builtin=False, exact_up_to=20)
    rows = [(f"{i}", "", f"第{i}号路灯在{i % 7}号街道。") for i in range(60)]
    library.add_texts(rows)
    assert library.snapshot().vectors.lists is not None or library.check()
    library.rebuild()
    assert library.snapshot().vectors.lists is not None
    assert texts(library, "第5号路灯在5号街道。")[1][0] == "第5号路灯在5号街道。"
    library.close()
    again = Library.open(home, encoder, builtin=False, exact_up_to=20)
    assert texts(again, "第5号路灯在5号街道。")[1][0] == "第5号路灯在5号街道。"
    assert again.check().problems == ()
    again.close()


def test_texts_with_the_same_words_are_kept_apart(library):
    library.add_texts([("p1", "", "同一段话。"), ("p2", "", "同一段话。")])
    assert [i.name for i in library.documents()] == ["p1", "p2"]


def test_questions_are_answered_while_documents_are_added(library):
    library.add([("a.txt", WATER)])
    stop, problems = threading.Event(), []

    def ask():
        while not stop.is_set():
            snapshot = library.snapshot()
            _, ids = snapshot.lexical.search(terms("河道水质"), 5)
            if (
                1
                not in snapshot.vectors.search(
                    snapshot.encoder.encode_query(["惠州市改善河道水质。"]), 999
                )[1]
            ):
                problems.append("vector missing")
            if not len(ids) or snapshot.lexical.count != snapshot.vectors.count:
                problems.append("the two indexes disagree")

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for i in range(10):
        library.add([(f"{i}.txt", f"第{i}份通知。\n{BUS.decode()}".encode())])
    stop.set()
    for thread in threads:
        thread.join()
    assert problems == []


def test_an_acknowledged_document_does_not_wait_for_merges(library, monkeypatch):
    library.add([("a.txt", WATER)])
    merged, lexical = threading.Event(), library._indexes.lexical
    finish = lexical.finish

    def slow():
        assert not lexical.merging or merged.wait(30)
        finish()

    monkeypatch.setattr(lexical, "finish", slow)
    library.add([("b.txt", LIGHT)])
    assert "路灯" in all_text(library, "节能路灯")
    assert lexical.merging
    later = threading.Thread(target=library.add, args=([("c.txt", BUS)],))
    later.start()
    later.join(0.2)
    assert later.is_alive()  # a second change waits
    merged.set()
    later.join(30)
    assert "公交" in all_text(library, "夜间公交")
    library.close()
    assert not lexical.merging


def test_a_home_that_is_no_folder_is_named_with_its_mend(memory_path, encoder):
    file = memory_path / "file"
    file.write_text("", "utf-8")
    with pytest.raises(StoreError, match="--home"):
        Library.open(file, encoder)
