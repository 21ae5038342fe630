"""Retrieval benchmarks: files in, rankings of passages out."""

import json
import lzma

import pytest

from corpus.errors import CorpusError
from eval.benchmark import Benchmark, Passage, Query, peak_memory_mb, read_benchmark, run_modes

PASSAGES = [
    {"id": 1, "text": "劳动者被拖欠劳动报酬的,可以向劳动行政部门投诉。"},
    {"id": "p2", "text": "纳税人应当按期申报纳税。"},
    {"id": "p3", "law": "仲裁法", "article": "第三条", "text": "下列纠纷不能仲裁:婚姻、收养。"},
]
QUERIES = [
    {"id": "q1", "query": "劳动报酬被拖欠向谁投诉", "relevant": [1]},
    {"id": "q2", "query": "仲裁法第三条", "relevant": ["p3"]},
]


def write(file, rows):
    text = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n"
    if file.suffix == ".xz":
        file.write_bytes(lzma.compress(text.encode()))
    else:
        file.write_text(text, "utf-8")
    return file


def test_rows_are_read_packed_or_not_and_laws_get_titles(tmp_path) -> None:
    passages = write(tmp_path / "p.jsonl.xz", PASSAGES)
    queries = write(tmp_path / "q.jsonl", QUERIES)
    found = read_benchmark(passages, queries)
    assert found.passages[0] == Passage("1", "", PASSAGES[0]["text"])
    assert found.passages[2].title == "仲裁法 第三条"
    assert found.queries[0].relevant == ("1",)
    assert len(read_benchmark(passages, queries, limit=1).queries) == 1


def test_a_repeated_id_counts_once(tmp_path) -> None:
    passages = write(tmp_path / "p.jsonl", [*PASSAGES, PASSAGES[0]])
    assert len(read_benchmark(passages, write(tmp_path / "q.jsonl", QUERIES)).passages) == 3


@pytest.mark.parametrize(
    ("passages", "queries", "says"),
    [
        (PASSAGES, [{"id": "q", "query": "?"}], "relevant"),
        (PASSAGES, [{"id": "q", "relevant": [1]}], "query"),
        ([{"id": 1}], QUERIES, "text"),
        (["text"], QUERIES, "id"),
        ([], QUERIES, "没有内容"),
        (PASSAGES, [], "没有内容"),
    ],
    ids=["no relevant", "no query", "no text", "no object", "no passages", "no queries"],
)
def test_a_row_that_cannot_be_used_is_named(tmp_path, passages, queries, says) -> None:
    files = write(tmp_path / "p.jsonl", passages), write(tmp_path / "q.jsonl", queries)
    with pytest.raises(CorpusError, match=says):
        read_benchmark(*files)


def test_a_file_that_is_not_json_lines_is_named_with_its_line(tmp_path) -> None:
    file = tmp_path / "p.jsonl"
    file.write_text('{"id": 1, "text": "好"}\n{', "utf-8")
    with pytest.raises(CorpusError, match=r"p\.jsonl 第 2 行"):
        read_benchmark(file, file)
    damaged = tmp_path / "p.jsonl.xz"
    damaged.write_bytes(b"not xz")
    with pytest.raises(CorpusError, match=r"p\.jsonl\.xz"):
        read_benchmark(damaged, file)


@pytest.mark.parametrize("mode", ["hybrid", "dense", "lexical"])
def test_passages_are_found_in_every_mode(mode) -> None:
    # A long passage has many chunks; it stands in the ranking once.
    long = Passage("long", "", "企业登记材料齐全的,应当当场登记。" * 300)
    passages = tuple(
        Passage(str(p["id"]), f"{p.get('law', '')} {p.get('article', '')}".strip(), p["text"])
        for p in PASSAGES
    )
    queries = [Query(q["id"], q["query"], tuple(map(str, q["relevant"]))) for q in QUERIES]
    queries += [Query("q3", "企业登记材料齐全", ("long",)), Query("blank", "  ", ("long",))]
    (result,) = run_modes(Benchmark((*passages, long), tuple(queries)), (mode,))
    assert result.n_passages == 4
    found = result.scores.by_query["Success@10"]
    assert found["q1"] == found["q3"] == 1.0
    assert found["blank"] == 0.0
    assert result.scores.means["R@100"].mean <= 0.75
    assert result.bytes_on_disk > 0
    assert result.queries_per_s > 0


def test_memory_is_measured_in_megabytes() -> None:
    assert 10 < peak_memory_mb() < 100_000
