import json
import threading

import faiss
import numpy as np
import pytest

from embeddings import lists
from embeddings.index import VectorIndex

DIM = 16


def unit(n, seed=0, dim=DIM):
    rows = np.random.default_rng(seed).standard_normal((n, dim)).astype(np.float32)
    faiss.normalize_L2(rows)
    return rows


def ids_of(n, step=3):
    return np.arange(1, n + 1, dtype=np.int64) * step


def brute(ids, rows, query, k):
    order = np.argsort(-(rows @ query), kind="stable")[:k]
    return ids[order].tolist()


@pytest.fixture(params=[10_000, 100], ids=["exact", "lists"])
def exact_up_to(request):
    return request.param


def test_search_finds_what_brute_force_finds(exact_up_to):
    ids, rows = ids_of(600), unit(600)
    index = VectorIndex.build(ids, rows, exact_up_to=exact_up_to)
    found = 0
    for query in unit(20, seed=1):
        got = index.search(query[None], 10)[1][0].tolist()
        found += len(set(got) & set(brute(ids, rows, query, 10)))
    assert found == 200 if exact_up_to > 600 else found >= 190


def test_scores_are_inner_products_best_first(exact_up_to):
    ids, rows = ids_of(300), unit(300)
    index = VectorIndex.build(ids, rows, exact_up_to=exact_up_to)
    scores, found = index.search(rows[5:6], 4)
    assert scores.dtype == np.float32
    assert found.shape == scores.shape == (1, 4)
    assert found[0, 0] == ids[5]
    assert scores[0, 0] == pytest.approx(1, abs=1e-3)
    assert (np.diff(scores[0]) <= 0).all()


def test_short_rows_are_padded():
    index = VectorIndex.build(ids_of(2), unit(2))
    scores, ids = index.search(unit(3, seed=1), 5)
    assert scores.shape == ids.shape == (3, 5)
    assert (ids[:, 2:] == -1).all()
    assert np.isneginf(scores[:, 2:]).all()


def test_an_empty_index_finds_nothing():
    index = VectorIndex.build(ids_of(0), np.zeros((0, DIM), np.float32))
    assert index.search(unit(1), 3)[1].tolist() == [[-1, -1, -1]]
    grown = index.changed(np.array([7]), unit(1), [])
    assert grown.search(unit(1), 3)[1].tolist() == [[7, -1, -1]]
    assert index.vectors([7]).tolist() == [[0] * DIM]


def test_only_allowed_ids_are_found(exact_up_to):
    ids, rows = ids_of(400), unit(400)
    index = VectorIndex.build(ids, rows, exact_up_to=exact_up_to)
    index = index.changed(np.array([5000, 5001]), unit(2, seed=9), [])
    allowed = {int(ids[3]), int(ids[50]), 5000, 12345678}
    found = index.search(unit(1, seed=4), 10, allowed=allowed)[1][0].tolist()
    assert set(found) - {-1} == allowed - {12345678}
    assert set(index.search(unit(1), 3, allowed=set())[1][0].tolist()) == {-1}


def test_a_change_makes_a_new_snapshot_and_leaves_the_old(exact_up_to):
    ids, rows = ids_of(200), unit(200)
    old = VectorIndex.build(ids, rows, exact_up_to=exact_up_to)
    new = old.changed(np.array([9999]), unit(1, seed=7), [int(ids[0])])
    assert old.search(rows[:1], 1)[1][0, 0] == ids[0]
    assert ids[0] not in new.search(rows[:1], 200)[1]
    assert new.search(unit(1, seed=7), 1)[1][0, 0] == 9999
    assert (old.count, new.count) == (200, 200)
    again = new.changed(np.zeros(0, np.int64), np.zeros((0, DIM), np.float32), [9999])
    assert 9999 not in again.search(unit(1, seed=7), 200)[1]


def test_an_id_that_is_added_again_gets_its_new_vector(exact_up_to):
    ids, rows = ids_of(200), unit(200)
    index = VectorIndex.build(ids, rows, exact_up_to=exact_up_to)
    for seed in (7, 8):
        vector = unit(1, seed=seed)
        index = index.changed(ids[:1], vector, [])
        assert index.count == 200
        assert np.allclose(index.vectors(ids[:1]), vector)
    merged = index.merged(exact_up_to=exact_up_to)
    assert merged.count == 200
    assert np.allclose(merged.vectors(ids[:1]), unit(1, seed=8), atol=1e-3)


def test_merging_changes_no_result(exact_up_to):
    ids, rows = ids_of(300), unit(300)
    index = VectorIndex.build(ids, rows, exact_up_to=exact_up_to)
    index = index.changed(np.arange(2000, 2100), unit(100, seed=3), ids[:50].tolist())
    merged = index.merged(exact_up_to=exact_up_to)
    assert merged.count == index.count == 350
    queries = unit(10, seed=5)
    same = index.search(queries, 5)[1] == merged.search(queries, 5)[1]
    assert same.mean() > 0.9


def test_growth_and_removal_ask_for_a_merge(monkeypatch):
    monkeypatch.setattr("embeddings.index.MERGE_FROM", 10)
    index = VectorIndex.build(ids_of(100), unit(100))
    assert not index.needs_merge
    few = index.changed(np.arange(900, 905), unit(5), [])
    assert not few.needs_merge
    assert few.changed(np.zeros(0, np.int64), unit(0), ids_of(100)[:6].tolist()).needs_merge


def test_vectors_come_in_the_order_asked_for(exact_up_to):
    ids, rows = ids_of(300), unit(300)
    index = VectorIndex.build(ids, rows, exact_up_to=exact_up_to)
    index = index.changed(np.array([9999]), unit(1, seed=2), [int(ids[1])])
    got = index.vectors([int(ids[2]), 9999, int(ids[1]), int(ids[0])])
    wanted = np.stack([rows[2], unit(1, seed=2)[0], np.zeros(DIM), rows[0]])
    assert np.allclose(got, wanted, atol=1e-3)


@pytest.mark.parametrize(
    "rows", [unit(3)[0], unit(2), np.full((3, DIM), np.nan, np.float32)], ids=["1d", "2", "nan"]
)
def test_wrong_vectors_are_refused(rows):
    with pytest.raises(ValueError, match="vectors"):
        VectorIndex.build(ids_of(3), rows)


def test_a_query_of_another_width_is_refused():
    index = VectorIndex.build(ids_of(3), unit(3))
    with pytest.raises(ValueError, match="expected queries"):
        index.search(unit(1, dim=DIM + 1), 2)
    with pytest.raises(ValueError, match="expected vectors"):
        index.changed(np.array([1]), unit(1, dim=DIM + 1), [])


def test_recall_is_measured_when_lists_are_trained():
    index = VectorIndex.build(ids_of(2000), unit(2000), exact_up_to=100)
    assert index.lists.recall >= lists.WANTED_RECALL
    assert 0 < index.lists.nprobe <= len(index.lists.centres)


def saved_lists(memory_path, n=400):
    index = VectorIndex.build(ids_of(n), unit(n), exact_up_to=100)
    index.save(memory_path, "model", 3, "token")
    return index


def knows(generation, token):
    return (generation, token) == (3, "token")


def test_saved_lists_spare_the_training(memory_path, monkeypatch):
    index = saved_lists(memory_path)
    saved = lists.load(memory_path, "model", knows)
    monkeypatch.setattr("embeddings.index.train", lambda *_: pytest.fail("trained again"))
    ids = np.append(ids_of(400), 99_999)
    rows = np.concatenate([unit(400), unit(1, seed=6)])
    again = VectorIndex.build(ids, rows, saved=saved, exact_up_to=100)
    query = unit(5, seed=3)
    assert again.search(unit(1, seed=6), 1)[1][0, 0] == 99_999
    both = zip(index.search(query, 5)[1], again.search(query, 5)[1], strict=True)
    assert all(len(set(a.tolist()) & set(b.tolist())) >= 4 for a, b in both)


def test_lists_of_another_model_or_history_are_not_used(memory_path):
    saved_lists(memory_path)
    assert lists.load(memory_path, "other", knows) is None
    assert lists.load(memory_path, "model", lambda *_: False) is None
    assert lists.load(memory_path / "none", "model", knows) is None
    assert lists.load(memory_path, "model", knows) is not None


def test_lists_that_the_vectors_outgrew_are_trained_anew(memory_path):
    saved_lists(memory_path, n=200)
    saved = lists.load(memory_path, "model", knows)
    again = VectorIndex.build(ids_of(2000), unit(2000), saved=saved, exact_up_to=100)
    assert again.lists.trained_on == 2000


@pytest.mark.parametrize("name", ["vectors.lists", "vectors.json"])
@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "longer"])
def test_damaged_lists_are_set_aside(memory_path, name, damage):
    saved_lists(memory_path)
    file = memory_path / name
    data = bytearray(file.read_bytes())
    if damage == "flip":
        # Within a number of the manifest, so that it stays readable.
        at = data.index(b"400") if name.endswith("json") else len(data) // 2
        data[at] ^= 1
    file.write_bytes({"flip": data, "cut": data[:-3], "empty": b"", "longer": data + b"0"}[damage])
    assert lists.load(memory_path, "model", knows) is None
    assert (memory_path / f"{name}.damaged").exists()
    assert not file.exists()


def test_a_manifest_with_foreign_fields_is_refused(memory_path):
    saved_lists(memory_path)
    file = memory_path / "vectors.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "path": "/etc"}), "utf-8")
    assert lists.load(memory_path, "model", knows) is None


def test_searches_go_on_while_snapshots_are_made(exact_up_to):
    ids, rows = ids_of(300), unit(300)
    current = [VectorIndex.build(ids, rows, exact_up_to=exact_up_to)]
    stop, problems = threading.Event(), []

    def search():
        while not stop.is_set():
            found = current[0].search(rows[7:8], 3)[1][0, 0]
            if found != ids[7]:
                problems.append(found)

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    for i in range(40):
        index = current[0].changed(np.array([10_000 + i]), unit(1, seed=i + 20), [])
        current[0] = index.merged(exact_up_to=exact_up_to) if i % 4 == 0 else index
    stop.set()
    for thread in threads:
        thread.join()
    assert problems == []
