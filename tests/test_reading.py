"""Answers from snippets, most of them noise: what counts as answered."""

import json

import pytest

from corpus.errors import CorpusError
from eval.reading import load_readings, score_reading

TEXTS = {
    "p1": "据财报，星河公司2022年营收为462.7亿元，同比增长25%。",
    "p2": "星河公司的总部设在海边，员工喜欢在午休时散步。",
    "p3": "会议讨论了绿化和停车的安排。",
}
ROW = {
    "id": "q",
    "query": "星河公司2022年营收是多少?",
    "relevant": ["p1"],
    "irrelevant": ["p2", "p3"],
}


@pytest.fixture
def files(tmp_path):
    def write(**row):
        passages, queries = tmp_path / "p.jsonl", tmp_path / "q.jsonl"
        passages.write_text(
            "\n".join(json.dumps({"id": i, "text": t}) for i, t in TEXTS.items()), "utf-8"
        )
        queries.write_text(json.dumps(ROW | row), "utf-8")
        return passages, queries

    return write


@pytest.mark.parametrize(
    ("answers", "answered", "in_full"),
    [
        (["462.7亿元"], 1, 1),
        ([["463亿", "462.7亿"]], 1, 1),  # wordings of one answer
        ([["463亿", "464亿"]], 0, 0),
        (["462.7亿", "30%"], 1, 0),
    ],
)
def test_an_answer_may_have_several_wordings(files, answers, answered, in_full) -> None:
    scores = score_reading(*load_readings(*files(answers=answers)))
    assert (scores.answered, scores.answered_in_full) == (answered, in_full)
    assert scores.refused == 0
    assert scores.refused_noise == 1


def test_a_row_without_answers_is_named(files) -> None:
    passages, queries = files()
    with pytest.raises(CorpusError, match="answers"):
        load_readings(passages, queries)
