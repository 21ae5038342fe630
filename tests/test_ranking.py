"""Retrieval measures, intervals and paired tests against values computed by hand."""

import copy

import pytest

from eval.ranking import MEASURES, common_name, interval, paired_p_value, score_evidence, score_run

QRELS = {"a": ["x"], "b": ["y", "z"], "c": ["w"]}
RUN = {"a": {"q": 2.0, "x": 1.0}, "b": {"y": 3.0, "q": 2.0, "z": 1.0}}


@pytest.mark.parametrize(
    ("measure", "values"),
    [
        ("Success@1", (0, 1, 0)),
        ("Success@5", (1, 1, 0)),
        ("R@10", (1, 1, 0)),
        ("R@100", (1, 1, 0)),
        ("RR@10", (1 / 2, 1, 0)),
        ("AP", (1 / 2, (1 + 2 / 3) / 2, 0)),
    ],
)
def test_measures_of_every_query(measure, values) -> None:
    found = score_run(QRELS, RUN).by_query[measure]
    assert found == pytest.approx(dict(zip("abc", values, strict=True)))


def test_all_measures_come_out_and_nothing_is_changed() -> None:
    qrels, run = copy.deepcopy(QRELS), copy.deepcopy(RUN)
    assert set(score_run(qrels, run).means) == set(MEASURES)
    assert (qrels, run) == (QRELS, RUN)


def test_a_ranking_of_a_question_that_nobody_judged_does_not_count() -> None:
    scores = score_run({"a": ["x"]}, {"a": {"x": 1.0}, "other": {"q": 1.0}})
    assert scores.means["Success@1"].mean == 1.0
    assert set(scores.by_query["Success@1"]) == {"a"}


def test_one_chunk_that_holds_all_pieces_finds_all_of_them() -> None:
    pieces = {"q": [["1"]] * 7}
    found = score_evidence(pieces, {"q": {"1": 1.0, "2": 0.5}})
    assert found["R@5"] == {"q": 1.0}


def test_a_piece_that_runs_over_two_chunks_is_found_by_either() -> None:
    pieces = {"q": [["1", "2"], ["3"]]}
    run = {"q": {"9": 1.0, "2": 0.9, "8": 0.8, "7": 0.7, "6": 0.6, "3": 0.5}}
    found = score_evidence(pieces, run)
    assert found["R@5"] == {"q": 0.5}  # the second piece is at rank six
    assert found["R@10"] == {"q": 1.0}


def test_a_question_without_a_ranking_finds_nothing() -> None:
    assert score_evidence({"q": [["1"]]}, {})["R@5"] == {"q": 0.0}


def test_the_interval_is_the_same_every_time_and_within_the_values() -> None:
    values = [0.0, 0.2, 0.9, 1.0] * 5
    first = interval(values)
    assert first == interval(values)
    assert 0 <= first.low < first.mean < first.high <= 1
    assert interval([0.5] * 9).low == interval([0.5] * 9).high == 0.5


def test_a_small_difference_on_few_questions_is_not_significant() -> None:
    a = [1.0, 0.0, 1.0, 1.0, 0.0, 1.0]
    b = [1.0, 0.0, 1.0, 1.0, 1.0, 1.0]
    assert paired_p_value(a, b) > 0.05
    assert paired_p_value(a, b) == paired_p_value(b, a)


def test_measures_have_common_names() -> None:
    names = [
        common_name(name) for name in ("Success@5", "R@100", "RR@10", "nDCG@10", "AP", "AP@10")
    ]
    assert names == ["hit@5", "recall@100", "MRR@10", "nDCG@10", "MAP", "MAP@10"]
