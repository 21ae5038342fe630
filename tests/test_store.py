import sqlite3
import threading
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.chunks import names_its_place, split_chunks
from corpus.errors import StoreError
from corpus.filters import Filters
from corpus.outline import parse_outline
from corpus.packing import pack_text, pack_vectors, unpack_text, unpack_vectors
from corpus.store import FILE_NAME, START, Mark, NewDocument, Store
from corpus.types import Document, Metadata
from corpus.writing import insert_document

MODEL = "model"
NOTICE = "关于印发方案的通知\n一、总体要求\n设立十个调解中心。加强协作。\n二、主要措施\n一是公开流程。二是压缩时限。"
CASES = "案例一\n深圳市：甲做法\n一、主要做法\n深圳设立中心。\n案例二\n广州市：乙做法\n一、主要做法\n广州开通热线。"


def made(name, text, **metadata):
    plain = Document(
        0, name, text, f"sha of {text}", parse_outline(text), Metadata(**metadata), (0, 5)
    )
    chunks = split_chunks(plain)
    rows = np.eye(8, dtype=np.float32)[np.arange(len(chunks)) % 8]
    return NewDocument(plain, chunks, rows)


@pytest.fixture
def store(memory_path):
    store = Store(memory_path / "home" / FILE_NAME)
    yield store
    store.close()


def add(store, *news):
    return [s.id for s in store.add_documents(news, MODEL, "2024-05-06T07:08:09+00:00")]


def test_a_document_comes_back_as_it_was(store):
    new = made("通知.txt", NOTICE, title="通知", place="广州市", date="2024-03-01")
    [number] = add(store, new)
    assert store.document(number) == replace(new.document, id=number)
    info = store.documents()[0]
    assert (info.name, info.title, info.place, info.date) == (
        "通知.txt",
        "通知",
        "广州市",
        "2024-03-01",
    )
    assert (info.size, info.n_chunks, info.state, info.version) == (
        len(NOTICE),
        len(new.chunks),
        "current",
        1,
    )


def test_chunks_are_verbatim_and_in_order(store):
    new = made("通知.txt", NOTICE)
    [number] = add(store, new)
    chunks = store.chunks(number)
    assert [(c.start, c.end, c.section) for c in chunks] == [
        (c.start, c.end, c.section) for c in new.chunks
    ]
    assert all(c.text == NOTICE[c.start : c.end] for c in chunks)
    assert store.chunks_by_id([chunks[1].id, 999, chunks[0].id]) == [chunks[1], chunks[0]]
    assert store.n_chunks() == len(chunks)


def test_the_same_content_is_stored_once(store):
    [first] = add(store, made("a.txt", NOTICE))
    [again] = store.add_documents([made("b.txt", NOTICE)], MODEL, "")
    assert (again.id, again.outcome) == (first, "unchanged")
    assert len(store.documents(all_states=True)) == 1


def test_a_new_version_replaces_the_old_which_stays_readable(store):
    [old] = add(store, made("a.txt", NOTICE))
    mark = store.mark()
    [stored] = store.add_documents([made("a.txt", CASES)], MODEL, "")
    assert stored.outcome == "replaced"
    assert [(i.id, i.version) for i in store.documents()] == [(stored.id, 2)]
    was = store.info(old)
    assert (was.state, was.replaced_by) == ("replaced", stored.id)
    assert store.document(old).text == NOTICE
    assert store.chunks(old)[0].text
    assert store.chunks_by_id([c.id for c in store.chunks(old)]) == []
    changes = store.changes_between(mark, store.mark())
    assert (changes.added, changes.removed) == ((stored.id,), (old,))


def test_ids_are_never_used_again(store):
    [first] = add(store, made("a.txt", NOTICE))
    ids = {c.id for c in store.chunks(first)}
    store.remove_documents([first])
    [second] = add(store, made("a.txt", NOTICE))
    assert second > first
    assert ids.isdisjoint(c.id for c in store.chunks(second))


def test_removing_twice_is_one_change(store):
    [number] = add(store, made("a.txt", NOTICE))
    store.remove_documents([number])
    mark = store.mark()
    store.remove_documents([number])
    assert store.mark() == mark


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, "ab"),
        ({"places": ("佛山市",)}, "b"),
        ({"places": ("深圳市", "佛山市")}, "ab"),
        ({"departments": ("省财政厅",)}, "ab"),
        ({"departments": ("省发展改革委",)}, "b"),
        ({"departments": ("省发展改革委、省财政厅",)}, "b"),
        ({"departments": ("财政厅",)}, ""),
        ({"departments": ("省财政厅",), "themes": ("纳税",)}, "a"),
        ({"themes": ("纳税", "用地")}, "ab"),
        ({"cases": (2,)}, "a"),
        ({"since": "2024"}, "b"),
        ({"since": "2024-03"}, "b"),
        ({"since": "2024-04"}, ""),
        ({"until": "2023"}, "a"),
        ({"until": "2023-12-31"}, "a"),
        ({"since": "2023-06", "until": "2024-03-15"}, "ab"),
        ({"cases": (7,)}, ""),
    ],
    ids=str,
)
def test_filters(store, filters, expected):
    a, b = add(
        store,
        made("a.txt", CASES, date="2023", department="省财政厅", theme="纳税"),
        made(
            "b.txt", NOTICE, place="佛山市", date="2024-03-15", theme="用地",
            department="省发展改革委、省财政厅",
        ),
    )  # fmt: skip
    found = store.chunk_ids(Filters(**filters))
    names = {a: "a", b: "b"}
    documents = {c.document_id for c in store.chunks_by_id(sorted(found))}
    assert "".join(sorted(names[d] for d in documents)) == expected


def test_filters_leave_removed_documents_out(store):
    a, b = add(store, made("a.txt", CASES), made("b.txt", NOTICE))
    store.remove_documents([a])
    assert store.chunk_ids() == {c.id for c in store.chunks(b)}
    assert store.chunk_ids(Filters(documents=(a,))) == set()
    assert store.n_cases() == 0


def test_names_follow_what_is_known_of_the_documents(store):
    a, b = add(
        store,
        made("a.txt", CASES, department="省财政厅"),
        made("b.txt", NOTICE, department="省发展改革委、省财政厅"),
    )
    assert store.names("department") == ["省财政厅", "省发展改革委"]
    assert store.names("theme") == []
    rows = np.zeros((len(store.chunks(b)), 4), np.float32)
    store.update_metadata(b, Metadata(theme="用地"), MODEL, rows)
    assert (store.names("department"), store.names("theme")) == (["省财政厅"], ["用地"])
    store.remove_documents([a, b])
    assert store.names("department") == store.names("theme") == []


def test_cases_are_counted_within_filters(store):
    add(store, made("a.txt", CASES, department="省财政厅"), made("b.txt", NOTICE))
    assert store.n_cases(Filters(departments=("省财政厅",))) == store.n_cases() > 0
    assert store.n_cases(Filters(departments=("省公安厅",))) == 0


def test_places_and_cases_follow_changes(store):
    assert (store.places(), store.n_cases()) == ([], 0)
    [a] = add(store, made("a.txt", CASES))
    assert sorted(store.places()) == ["广州市", "深圳市"]
    assert store.n_cases() == 2
    store.remove_documents([a])
    assert (store.places(), store.n_cases()) == ([], 0)


def test_metadata_can_be_corrected(store):
    [number] = add(store, made("b.txt", NOTICE, place="佛山市"))
    mark = store.mark()
    rows = np.eye(8, dtype=np.float32)[: len(store.chunks(number))]
    store.update_metadata(number, Metadata(title="新标题", place="惠州市"), MODEL, rows)
    assert store.document(number).title == "新标题"
    assert {(c.document, c.place) for c in store.chunks(number)} == {("新标题", "惠州市")}
    assert store.changes_between(mark, store.mark()).added == (number,)


def test_correcting_the_place_of_a_document_leaves_cases_theirs(store):
    [number] = add(store, made("b.txt", CASES, place="深圳市"))
    chunks = store.chunks(number)
    document = store.document(number)
    placed = [chunk.id for chunk in chunks if names_its_place(document, chunk)]
    rows = np.eye(8, dtype=np.float32)[: len(chunks)]
    store.update_metadata(number, Metadata(title="b", place="全国"), MODEL, rows, placed)
    assert [c.place for c in store.chunks(number) if c.case == 1] == ["深圳市"]


def test_a_backup_with_pages_of_another_size_is_taken_over(store, memory_path):
    add(store, made("a.txt", NOTICE))
    before = store.documents()
    file = memory_path / "copy.db"
    store.backup(file)
    with closing(sqlite3.connect(file, isolation_level=None)) as copy:
        size = copy.execute("PRAGMA page_size").fetchone()[0]
        copy.execute("PRAGMA journal_mode = DELETE")
        copy.execute(f"PRAGMA page_size = {size // 4}")
        copy.execute("VACUUM")
        assert copy.execute("PRAGMA page_size").fetchone()[0] != size
    store.remove_documents([before[0].id])
    store.restore(file)
    assert store.documents() == before


def test_vectors_come_back_nearly_as_they_were(store):
    rng = np.random.default_rng(0)
    new = made("a.txt", NOTICE)
    rows = rng.standard_normal((len(new.chunks), 256)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    [number] = add(store, replace(new, vectors=rows))
    ids, back = store.vectors(MODEL)
    assert ids.tolist() == [c.id for c in store.chunks(number)]
    assert np.abs(rows @ rows.T - back @ rows.T).max() < 0.002


def test_vectors_of_another_model_are_missing(store):
    [number] = add(store, made("a.txt", NOTICE))
    assert store.documents_without_vectors(MODEL) == []
    assert store.documents_without_vectors("other") == [number]
    assert len(store.vectors("other")[0]) == 0
    n = len(store.chunks(number))
    store.put_vectors("other", {number: np.ones((n, 4), np.float32)})
    store.drop_other_vectors("other")
    assert store.documents_without_vectors(MODEL) == [number]
    assert store.vectors("other")[1].shape == (n, 4)


def test_the_latest_of_the_other_models_can_be_kept(store):
    [number] = add(store, made("a.txt", NOTICE))
    rows = {number: np.ones((len(store.chunks(number)), 4), np.float32)}
    for model in ("second", "third"):
        store.put_vectors(model, rows)
    store.drop_other_vectors("third", keep=1)
    assert [len(store.vectors(m)[0]) > 0 for m in (MODEL, "second", "third")] == [False, True, True]
    store.put_vectors(MODEL, rows)  # one that comes back is the latest
    store.drop_other_vectors("third", keep=1)
    assert [len(store.vectors(m)[0]) > 0 for m in (MODEL, "second", "third")] == [True, False, True]
    store.drop_other_vectors("third")
    assert [len(store.vectors(m)[0]) > 0 for m in (MODEL, "second", "third")] == [
        False,
        False,
        True,
    ]


def test_a_vector_for_every_chunk_or_nothing_is_stored(store):
    new = made("a.txt", NOTICE)
    with pytest.raises(ValueError, match="vectors for"):
        add(store, replace(new, vectors=new.vectors[1:]))
    assert store.documents() == []
    assert store.mark() == START


def test_marks_tell_histories_apart(store, memory_path):
    add(store, made("a.txt", NOTICE))
    store.backup(memory_path / "copy.db")
    add(store, made("b.txt", CASES))
    mark = store.mark()
    store.restore(memory_path / "copy.db")
    assert [i.name for i in store.documents()] == ["a.txt"]
    add(store, made("c.txt", CASES))
    assert store.mark().generation == mark.generation
    assert not store.knows(mark)
    assert store.knows(store.mark())
    assert store.knows(START)
    assert not store.knows(Mark(99, "x"))


def test_a_backup_is_one_whole_file(store, memory_path):
    add(store, made("a.txt", NOTICE))
    file = memory_path / "copy.db"
    file.write_text("an older file", "utf-8")
    store.backup(file)
    assert sorted(p.name for p in memory_path.iterdir()) == ["copy.db", "home"]
    copy = Store(file)
    assert copy.documents() == store.documents()
    assert copy.integrity_problems() == []
    copy.close()


def test_a_backup_may_not_be_the_store_itself(store):
    with pytest.raises(StoreError, match="自身"):
        store.backup(store.file)


@pytest.mark.parametrize("kind", ["missing", "text", "foreign", "cut"])
def test_what_is_no_backup_is_refused_and_nothing_changes(store, memory_path, kind):
    add(store, made("a.txt", NOTICE))
    file = memory_path / "bad.db"
    if kind == "text":
        file.write_text("not a database, but long enough to be one" * 50, "utf-8")
    elif kind == "foreign":
        with sqlite3.connect(file) as other:
            other.execute("CREATE TABLE t (a)")
            other.execute("PRAGMA user_version = 1")
        other.close()
    elif kind == "cut":
        store.backup(file)
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    before = store.documents()
    with pytest.raises(StoreError):
        store.restore(file)
    assert store.documents() == before
    assert sorted(p.name for p in store.file.parent.glob("*.restore")) == []


def test_a_damaged_database_is_named_with_its_mend(memory_path):
    file = memory_path / FILE_NAME
    file.write_bytes(b"\x00garbage" * 1000)
    with pytest.raises(StoreError, match=r"已损坏.*restore"):
        Store(file)


def test_a_home_that_cannot_be_made_is_named_with_its_mend(memory_path):
    (memory_path / "file").write_text("", "utf-8")
    with pytest.raises(StoreError, match="--home"):
        Store(memory_path / "file" / "home" / FILE_NAME)


def test_a_store_of_a_newer_version_is_not_touched(store):
    with sqlite3.connect(store.file) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(StoreError, match="升级"):
        Store(store.file)


def test_an_unknown_document_is_named(store):
    with pytest.raises(StoreError, match="41"):
        store.document(41)
    with pytest.raises(StoreError, match="41"):
        store.info(41)


def test_many_threads_read_while_one_writes(store):
    add(store, made("0.txt", NOTICE))
    stop, problems = threading.Event(), []

    def read():
        while not stop.is_set():
            for info in store.documents():
                chunks = store.chunks(info.id)
                if len(chunks) != info.n_chunks:
                    problems.append(info)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for i in range(1, 30):
        add(store, made(f"{i}.txt", f"{NOTICE}第{i}份。"))
    stop.set()
    for thread in threads:
        thread.join()
    assert problems == []
    assert len(store.documents()) == 30


@given(st.text(st.characters()))
def test_any_text_comes_back(text):
    assert unpack_text(pack_text(text)) == text


def test_surrogates_come_back():
    assert unpack_text(pack_text("a\ud800中")) == "a\ud800中"


def test_a_damaged_text_is_noticed():
    data = bytearray(pack_text(NOTICE))
    data[-1] ^= 1
    with pytest.raises(ValueError, match="damaged"):
        unpack_text(bytes(data))


def test_zero_vectors_stay_zero():
    rows = np.array([[0, 0], [3, -4]], np.float32)
    back = unpack_vectors(pack_vectors(rows), 2)
    assert back[0].tolist() == [0, 0]
    assert np.allclose(back[1], [3, -4], atol=0.02)
    assert unpack_vectors(pack_vectors(rows[:0]), 0).shape[0] == 0


def test_known_content_and_names_are_looked_up_by_their_indexes(tmp_path) -> None:
    # Left to itself, SQLite walks all current documents: adding would take quadratic time.
    asked: list[str] = []
    with closing(Store(tmp_path / "s.db")) as store, store.writing() as db:
        db.set_trace_callback(asked.append)
        insert_document(db, made("a.txt", NOTICE), MODEL, "2026-01-01T00:00:00")
        db.set_trace_callback(None)
        lookups = [s for s in asked if s.startswith("SELECT") and "FROM documents" in s]
        plans = [db.execute(f"EXPLAIN QUERY PLAN {s}").fetchall()[0][3] for s in lookups]
    assert len(plans) >= 2
    assert all("documents_sha256" in p or "documents_name" in p for p in plans), plans
