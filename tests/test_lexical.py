import json

import pytest
import tantivy

from embeddings import lexical
from embeddings.lexical import Entry, LexicalIndex, State
from embeddings.seal import DamagedError, verify
from embeddings.tokens import TERMS_VERSION, terms

TEXTS = {
    1: ("税务", "广州市推行电子税务局，纳税人少跑路。"),
    2: ("税务", "深圳市设立商事调解中心。"),
    3: ("法院", "佛山法院推行在线立案和调解。"),
    4: ("环保", "惠州市改善水质。"),
}


def entries(numbers=TEXTS, document=None):
    return [Entry(10 * n, document or n, *TEXTS[n]) for n in numbers]


def filled(folder):
    index = LexicalIndex.open(folder)
    index.apply([], entries(), State(4, "t4", 4))
    return index


@pytest.fixture
def index(memory_path):
    index = filled(memory_path / "lexical")
    index.finish()
    return index


def found(index, question, top_k=10, **options):
    return index.view.search(terms(question), top_k, **options)[1].tolist()


def scored(index, weights, top_k, **options):
    scores, ids = index.view.search(weights, top_k, **options)
    return dict(zip(ids.tolist(), scores.tolist(), strict=True))


def test_the_chunk_with_the_words_comes_first(index):
    assert found(index, "电子税务局")[0] == 10
    assert found(index, "在线立案")[0] == 30
    scores, _ = index.view.search(terms("调解中心"), 10)
    assert scores.tolist() == sorted(scores.tolist(), reverse=True)
    assert scores.min() > 0


def test_only_chunks_with_a_term_are_found(index):
    assert set(found(index, "水质")) == {40}
    assert found(index, "zzz") == []
    assert found(index, "") == []
    assert found(index, "。，！") == []


def test_width_case_and_script_do_not_matter(index):
    assert found(index, "電子稅務局")[0] == 10


def test_titles_count_by_their_boost(index):
    low = scored(index, terms("税务"), 9, title_boost=0.1)
    high = scored(index, terms("税务"), 9, title_boost=5.0)
    assert high[20] > low[20]


def test_weights_scale_scores(index):
    once = index.view.search({"水质": 1.0}, 5)[0][0]
    assert index.view.search({"水质": 2.0}, 5)[0][0] == pytest.approx(2 * once)


@pytest.mark.parametrize("few", [2_000, 0], ids=["looked up", "filtered"])
def test_only_allowed_chunks_are_found(index, monkeypatch, few):
    monkeypatch.setattr(lexical, "_FEW", few)
    assert found(index, "调解", allowed={20, 99}) == [20]
    assert found(index, "调解", allowed={40}) == []
    assert found(index, "调解", allowed=set()) == []
    assert sorted(found(index, "推行", 1, allowed={30})) == [30]
    plain = scored(index, terms("调解"), 9)
    inside = scored(index, terms("调解"), 9, allowed={20})
    assert inside[20] == pytest.approx(plain[20])


def test_the_count_and_frequencies_leave_the_state_out(index):
    assert index.view.count == 4
    assert index.view.document_frequency("调解") == 2
    assert index.view.document_frequency("state") == 0


def test_removed_documents_are_not_found(index):
    index.apply([2], [], State(5, "t5", 3))
    assert found(index, "商事调解中心") == [30]
    assert index.view.count == 3


def test_a_view_stays_as_it_was(index):
    view = index.view
    index.apply([2], [], State(5, "t5", 3))
    assert 20 in view.search(terms("商事调解"), 5)[1].tolist()
    assert view.state.generation == 4
    assert index.view.state.generation == 5


def test_a_document_that_is_put_in_again_is_there_once(index):
    index.apply([1], [Entry(10, 1, "环保", TEXTS[1][1])], State(5, "t5", 4))
    assert found(index, "电子税务局").count(10) == 1
    assert index.view.count == 4


def test_building_anew_takes_everything_else_out(index):
    index.apply([], entries([4]), State(9, "t9", 1), anew=True)
    assert found(index, "调解 水质 税务") == [40]
    assert index.view.state == State(9, "t9", 1)


def test_another_opening_sees_the_same(memory_path, index):
    again = LexicalIndex.open(memory_path / "lexical")
    assert again.view.state == State(4, "t4", 4)
    assert found(again, "水质") == [40]


def test_a_reader_sees_a_commit_when_it_reloads(memory_path, index):
    reader = LexicalIndex.open(memory_path / "lexical")
    index.apply([4], [], State(5, "t5", 3))
    assert found(reader, "水质") == [40]
    assert reader.reload().state.generation == 5
    assert found(reader, "水质") == []


def test_an_error_while_adding_changes_nothing(memory_path, index):
    def failing():
        yield entries([1])[0]
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        index.apply([2], failing(), State(5, "t5", 4))
    assert index.reload().state.generation == 4
    verify(memory_path / "lexical")
    index.apply([2], [], State(5, "t5", 3))
    assert index.view.state.generation == 5


def test_other_terms_need_another_index(memory_path, monkeypatch, caplog):
    index = filled(memory_path / "lexical")
    index.apply([], [], State(5, "t5", 4, terms="an older way"))
    again = LexicalIndex.open(memory_path / "lexical")
    assert again.view.state == State()
    assert "an older way" in caplog.text
    assert State().terms == TERMS_VERSION


def files(folder):
    return sorted(p for p in folder.iterdir() if not p.name.startswith("."))


def test_every_file_is_checked(memory_path, index, caplog):
    folder = memory_path / "lexical"
    verify(folder)
    names = {file.suffix for file in files(folder)}
    assert {".json", ".term", ".idx", ".store", ".fast"} <= names
    for file in files(folder):
        data = file.read_bytes()
        flipped = [
            data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :] for at in range(0, len(data), 31)
        ]
        for damaged in (*flipped, data[:-1], b""):
            file.write_bytes(damaged)
            with pytest.raises(DamagedError):
                verify(folder)
        file.write_bytes(data)
    verify(folder)


def test_a_damaged_index_is_set_aside_and_empty(memory_path, caplog):
    folder = memory_path / "lexical"
    filled(folder)
    file = next(folder.glob("*.idx"))
    size = file.stat().st_size
    file.unlink()  # the open index has the old file mapped
    file.write_bytes(b"0" * size)
    again = LexicalIndex.open(folder)
    assert again.view.state == State()
    assert "not usable" in caplog.text
    assert (memory_path / "lexical.damaged").is_dir()
    again.apply([], entries(), State(4, "t4", 4))
    assert found(again, "水质") == [40]


def test_a_commit_that_was_cut_off_is_no_damage(memory_path, index):
    folder = memory_path / "lexical"
    index.finish()
    sealed = (folder / "seal.json").read_bytes()
    index.apply([4], [], State(5, "t5", 3))
    # As if the process had died after the commit, before it could renew the seal.
    assert (folder / "seal.json").read_bytes() != sealed
    assert LexicalIndex.open(folder).view.state.generation == 5
    index.finish()
    verify(folder)
    assert not index.merging


def test_leftovers_of_a_commit_that_was_cut_off_do_not_stop_the_next(memory_path, index):
    folder = memory_path / "lexical"
    meta = json.loads((folder / "meta.json").read_text("utf-8"))
    segment = meta["segments"][0]["segment_id"].replace("-", "")
    for opstamp in range(meta["opstamp"], meta["opstamp"] + 20):
        (folder / f"{segment}.{opstamp}.del").write_bytes(b"half")
    (folder / f"{'0' * 32}.idx").write_bytes(b"half")
    index.apply([2], [], State(5, "t5", 3))
    assert 20 not in found(index, "商事调解中心")
    assert LexicalIndex.open(folder).view.state.generation == 5
    index.apply([3], [], State(6, "t6", 2))
    assert len(list(folder.glob("*.del"))) <= 1
    assert not list(folder.glob("000*"))


def test_one_process_writes_at_a_time(memory_path, index):
    writer = index._index.writer(15_000_000, 1)
    with pytest.raises(ValueError, match="Lock"):
        index.apply([1], [], State(5, "t5", 3))
    del writer
    index.apply([1], [], State(5, "t5", 3))


def test_tantivy_still_puts_checksums_where_we_look(memory_path):
    index = tantivy.Index(tantivy.SchemaBuilder().build(), path=str(memory_path))
    writer = index.writer(15_000_000, 1)
    writer.add_document(tantivy.Document())
    writer.commit()
    writer.wait_merging_threads()
    from embeddings.seal import crc_matches

    segment = [p for p in memory_path.iterdir() if len(p.stem) == 32]
    assert segment
    assert all(crc_matches(file) for file in segment)
