"""The recipe on a handful of texts: pairs, negatives, figures, and one small run from end to end."""

import json
import lzma

import numpy as np
import pytest

from corpus.errors import CorpusError
from embeddings.training import data as training_data
from embeddings.training.data import (
    NEWS_QUESTIONS,
    load_data,
    load_news_questions,
    load_policy_questions,
    prepare,
    read_rows,
    split_sentences,
)
from embeddings.training.evaluation import DevSet, score, to_rows
from embeddings.training.mining import Miner, bm25_top, draw
from embeddings.training.pairs import KINDS, PairMaker
from embeddings.training.rows import Counter, Rows, renumbered, summed

TOPICS = [
    "劳动报酬",
    "房屋租赁",
    "食品安全",
    "交通事故",
    "婚姻登记",
    "企业注册",
    "环境保护",
    "税收征管",
]


def packed(file, rows) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with lzma.open(file, "wt", encoding="utf-8") as lines:
        lines.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    laws = [
        {
            "id": f"made-{i}",  # no id of a real article, on which there are questions of our own
            "law": f"{topic}法",
            "article": "第一条",
            "text": f"为了规范{topic}的活动,制定本法。违反{topic}规定的应当依法承担责任。",
        }
        for i, topic in enumerate(TOPICS)
    ]
    packed(folder / "train/laws.jsonl.xz", laws)
    news = [
        {
            "id": i,
            "text": f"今天记者了解{topic}的情况。各地加强{topic}的工作。群众关心{topic}问题。",
        }
        for i, topic in enumerate(TOPICS)
    ]
    packed(folder / "train/news.jsonl.xz", news)
    pairs = [
        {"query": f"什么是{t}?", "passage": f"{t}是指{t}的制度。", "source": "CMRC"} for t in TOPICS
    ]
    pairs += [
        {
            "query": f"我遇到{law['law'][:-1]}的麻烦怎么办",
            "passage": f"{law['law']}{law['article']} {law['text']}",
            "source": "STARD (MIT)",
        }
        for law in laws
    ]
    packed(folder / "train/question_passage.jsonl.xz", pairs)
    items = [
        {"TASK_NAME": f"{t}许可", "DEPT_NAME": "某局", "accept_standard": f"符合{t}条件"}
        for t in TOPICS
    ]
    packed(folder / "train/guangdong_service_items.jsonl.xz", items)
    (folder / "dev").mkdir()
    passages = [{"id": f"p{i}", "text": f"{t}的规定和办法"} for i, t in enumerate(TOPICS)]
    queries = [
        {"id": f"q{i}", "query": f"{t}怎么规定", "relevant": [f"p{i}"]}
        for i, t in enumerate(TOPICS)
    ]
    for name, rows in (("rgb_passages", passages), ("rgb_queries", queries)):
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / "dev" / f"{name}.jsonl").write_text(lines, "utf-8")
    return folder


@pytest.fixture(scope="module")
def data(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training_data, "MIN_COUNT", 1)
        return prepare(folder)


def texts(*rows: list[int]) -> Rows:
    starts = np.cumsum([0, *map(len, rows)]).astype(np.int64)
    return Rows(np.array([r for row in rows for r in row], np.int32), starts)


def test_rows_are_numbered_by_frequency_and_rare_terms_fall_out() -> None:
    counter = Counter()
    rows = counter.rows(["政务政务", "务实", ""])
    names, counts, new_row = counter.vocabulary([rows], size=10, min_count=2)
    assert names[0] == "_务"
    assert counts.tolist() == sorted(counts.tolist(), reverse=True)
    kept = renumbered(rows, new_row)
    assert len(kept) == 3
    assert [names[i] for i in kept[1]] == ["_务"]
    assert len(kept[2]) == 0


def test_sum_of_rows_has_unit_length_and_empty_texts_are_zero() -> None:
    table = np.array([[3.0, 0.0], [0.0, 4.0]], np.float32)
    found = summed(table, texts([0, 1], [], [0], []))
    np.testing.assert_allclose(found, [[0.6, 0.8], [0, 0], [1, 0], [0, 0]], atol=1e-6)


def test_sentences_end_at_full_stops_and_short_ones_are_left_out() -> None:
    assert split_sentences("第一句话说得很完整。短。第二句话也说得很完整!") == [
        "第一句话说得很完整。",
        "第二句话也说得很完整!",
    ]


def test_lay_questions_know_their_articles(data) -> None:
    assert data.lay_articles == [[i] for i in range(len(TOPICS))]
    ours = [one for one in load_policy_questions() if one.split == "train" and one.evidence]
    assert len(data.questions) == len(TOPICS) + len(ours)


def test_our_own_questions_join_where_their_article_is_in_the_folder(tmp_path) -> None:
    packed(tmp_path / "train/news.jsonl.xz", [{"id": "news-0", "text": "今天没有消息。"}])
    assert load_news_questions(tmp_path) == []
    row = next(iter(read_rows(NEWS_QUESTIONS)))
    packed(tmp_path / "train/news.jsonl.xz", [{"id": row["news"], "text": "消 息\n" * 4_000}])
    found = load_news_questions(tmp_path)
    assert found[0].question == row["question"]
    assert found[0].passage == ("消息" * 4_000)[row["start"] : row["end"]]


def test_cache_gives_the_same_data(folder, data, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(training_data, "MIN_COUNT", 1)
    load_data(folder, tmp_path / "data.npz")
    monkeypatch.setattr(training_data, "prepare", None)
    again = load_data(folder, tmp_path / "data.npz")
    assert again.vocabulary == data.vocabulary
    assert again.lay_articles == data.lay_articles
    np.testing.assert_array_equal(again.news_sentences.flat, data.news_sentences.flat)


def test_missing_file_is_named(tmp_path) -> None:
    with pytest.raises(CorpusError, match=r"laws\.jsonl\.xz"):
        list(read_rows(tmp_path / "laws.jsonl.xz"))


@pytest.mark.parametrize("kind", KINDS)
def test_pairs_can_be_repeated_and_have_two_sides(data, kind) -> None:
    maker = PairMaker(data)
    for index in range(maker.size(kind)):
        pair, again = maker.make(kind, index, 5), maker.make(kind, index, 5)
        np.testing.assert_array_equal(pair.anchor, again.anchor)
        np.testing.assert_array_equal(pair.positive, again.positive)
        assert len(pair.anchor)
        assert len(pair.positive)


def test_cloze_takes_the_sentence_out_of_its_passage(data) -> None:
    maker = PairMaker(data)
    wanted = {data.vocabulary.index("_违")}
    for seed in range(20):
        pair = maker.make("law_sentence", 0, seed)
        assert not (wanted <= set(pair.anchor) and wanted <= set(pair.positive))


def test_bm25_prefers_rare_terms_and_leaves_answers_out() -> None:
    passages = texts([0, 1], [2, 0], [3, 0], [1, 0, 1])
    before = passages.flat.copy(), passages.starts.copy()
    best = bm25_top(texts([0, 1]), passages, [[0]], n_terms=4, n=1)
    assert best.tolist() == [[3]]
    np.testing.assert_array_equal(passages.flat, before[0])
    np.testing.assert_array_equal(passages.starts, before[1])


def test_mined_negatives_rank_high_and_do_not_answer() -> None:
    table = np.eye(4, dtype=np.float32)
    passages = texts([1], [1, 2], [3], [2, 3])
    miner = Miner(texts([1]), passages, [[0]], n_terms=4)
    found = miner.mine(table, 1)[0]
    assert found[0] == 1
    assert 0 not in found


def test_drawn_negatives_can_be_repeated() -> None:
    pool = np.arange(10)
    assert draw(pool, 4, 3).tolist() == draw(pool, 4, 3).tolist()
    assert len(set(draw(pool, 4, 3).tolist())) == 4


def test_dev_scores_equal_those_by_hand() -> None:
    row = {"_政": 0, "_务": 1, "_问": 2}
    passages = to_rows(["政", "务", "政务问", *["问"] * 10], row)
    dev = DevSet("hand", passages, to_rows(["政", "务"], row), [{0, 2}, {2}])
    scores = score(np.eye(3, dtype=np.float32), dev)
    # "政" finds 0 first and 2 second; "务" finds 1 first and 2 second.
    assert scores.hit_1 == 0.5
    assert scores.recall_10 == 1.0
    assert scores.rr_10 == pytest.approx(0.75)


def test_small_run_learns_writes_and_goes_on_where_it_stopped(
    folder, tmp_path, monkeypatch
) -> None:
    from embeddings.encoder import load_encoder
    from embeddings.training import recipe
    from embeddings.training.stages import FINE_TUNING, PRETRAINING

    monkeypatch.setattr(training_data, "MIN_COUNT", 1)
    options = recipe.Options(folder, tmp_path / "one", dim=16, seed=3, threads=1, share=0.0005)
    scores = recipe.run(options)
    assert scores[0].recall_10 >= 0.5
    encoder = load_encoder(tmp_path / "one")
    assert encoder.dim == 16
    assert "CC BY-SA" in (tmp_path / "one" / "README.md").read_text("utf-8")
    # The same seed gives the same model, byte for byte.
    recipe.run(recipe.Options(folder, tmp_path / "two", dim=16, seed=3, threads=1, share=0.0005))
    assert load_encoder(tmp_path / "two").fingerprint == encoder.fingerprint
    # Finished stages are read, not trained again.
    monkeypatch.setattr(recipe, "train_stage", None)
    assert (tmp_path / "one/work" / f"1-{PRETRAINING.name}" / "done").is_file()
    assert (tmp_path / "one/work" / f"2-{FINE_TUNING.name}" / "done").is_file()
    recipe.run(options)
