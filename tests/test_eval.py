"""Metrics checked by hand, questions against the corpus, runs and reports."""

import hashlib
import json
import math
from collections import Counter

import pytest

from corpus.builtin import builtin_document
from corpus.errors import CorpusError
from corpus.outline import parse_outline
from corpus.types import Document
from eval.answers import normal, score_answer
from eval.questions import Evidence, Question, Span, gold_spans, load_questions
from eval.ranking import interval, paired_p_value, score_run
from eval.report import html_report, text_report
from eval.runner import Row, Run, refusal_rates
from eval.runs import load_run, save_run
from rag.types import Answer, Citation

QUESTIONS = load_questions()
NAME, DATA = builtin_document()
CASES = Document(1, NAME, DATA.decode(), "", parse_outline(DATA.decode()))


def test_ranking_measures_agree_with_a_computation_by_hand() -> None:
    qrels = {"a": ["x"], "b": ["y", "z"], "c": ["w"]}
    run = {"a": {"x": 2.0, "q": 1.0}, "b": {"q": 3.0, "z": 2.0, "y": 1.0}}
    means = {name: value.mean for name, value in score_run(qrels, run).means.items()}
    assert means["Success@1"] == pytest.approx(1 / 3)
    assert means["R@5"] == pytest.approx(2 / 3)
    assert means["RR@10"] == pytest.approx((1 + 1 / 2 + 0) / 3)
    ndcg_b = (1 / math.log2(3) + 1 / math.log2(4)) / (1 + 1 / math.log2(3))
    assert means["nDCG@10"] == pytest.approx((1 + ndcg_b) / 3)


def test_a_query_without_hits_scores_zero_and_counts() -> None:
    scores = score_run({"a": ["x"], "b": ["y"]}, {"a": {"x": 1.0}})
    assert scores.by_query["Success@1"] == {"a": 1.0, "b": 0.0}


def test_the_interval_holds_the_mean_and_shrinks_with_more_values() -> None:
    few, many = interval([0, 1, 1, 1]), interval([0, 1, 1, 1] * 50)
    assert few.low <= few.mean == 0.75 <= few.high
    assert many.high - many.low < few.high - few.low
    assert interval([]).mean == 0.0


def test_a_paired_test_tells_a_difference_from_none() -> None:
    a = [1.0] * 30
    assert paired_p_value(a, a) == 1.0
    assert paired_p_value(a, [0.0] * 20 + [1.0] * 10) < 0.01


def test_refusal_rates_by_hand() -> None:
    pairs = [(False, True), (False, False), (True, True), (True, False), (True, False)]
    rates = refusal_rates(pairs)
    assert rates["unanswerable_refused"] == 0.5
    assert rates["answerable_refused"] == pytest.approx(1 / 3)
    assert rates["precision"] == 0.5
    assert math.isnan(refusal_rates([])["precision"])


def answer_with(*quotes: str, text: str = "", refused: bool = False) -> Answer:
    citations = []
    for n, quote in enumerate(quotes, 1):
        at = CASES.text.index(quote)
        citations.append(Citation(n, "d", 1, 3, "", "", 1, at, at + len(quote), quote))
    return Answer("q", "q", text, refused, (), tuple(citations), "extractive", 0.1)


def test_an_answer_is_scored_by_its_facts_and_citations() -> None:
    gold = "新收破产申请案件1332件"
    question = Question("1", "fact", "?", (Evidence(3, gold),), (("1332件", "1332宗"), ("8%",)))
    at = CASES.text.index(gold)
    spans = [Span(1, at, at + len(gold))]
    answer = answer_with(gold, "300多家僵尸企业", text="共 １３３２件 [1]")
    score = score_answer(question, answer, spans, {1: CASES})
    assert (score.must, score.precision, score.recall, score.verbatim) == (0.5, 0.5, 1.0, 1.0)
    assert score.failed(question)
    refused = score_answer(question, answer_with(refused=True), spans, {1: CASES})
    assert (refused.must, refused.precision, refused.recall) == (0.0, 0.0, 0.0)


def test_a_quote_that_is_not_verbatim_is_noticed() -> None:
    citation = Citation(1, "d", 1, 3, "", "", 1, 0, 5, "不是原文")
    answer = Answer("q", "q", "", False, (), (citation,), "extractive", 0.1)
    question = Question("1", "unanswerable", "?", ())
    assert score_answer(question, answer, [], {1: CASES}).verbatim == 0.0


def test_folding_makes_width_and_blanks_alike() -> None:
    assert normal("１ ２％[3]") == "12%"


# -- the project's own questions -----------------------------------------------------------------


def test_there_are_enough_questions_of_every_type_for_every_case() -> None:
    types = Counter(q.type for q in QUESTIONS)
    assert len(QUESTIONS) >= 160
    least = {"fact": 40, "how": 15, "list": 15, "paraphrase": 20, "followup": 10,
             "unanswerable": 20, "typo": 5, "english": 5, "multi": 5}  # fmt: skip
    assert all(types[kind] >= n for kind, n in least.items())
    cases = Counter(e.case for q in QUESTIONS for e in q.evidence)
    assert all(cases[number] >= 5 for number in range(1, 15))
    assert len({q.id for q in QUESTIONS}) == len(QUESTIONS)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda q: q.id)
def test_evidence_is_exact_and_lies_in_its_case_and_holds_the_facts(question) -> None:
    spans = gold_spans(question, [CASES])
    assert None not in spans
    assert question.answerable == (question.type != "unanswerable")
    text = normal("".join(e.text for e in question.evidence))
    for fact in question.must:
        assert any(normal(alternative) in text for alternative in fact)
    digest = int(hashlib.sha256(question.id.encode()).hexdigest(), 16)
    assert question.split == ("dev" if digest % 100 < 45 else "test")


def test_a_bad_question_file_names_its_line(tmp_path) -> None:
    file = tmp_path / "q.jsonl"
    good = json.dumps({"id": "1", "question": "?", "evidence": []})
    file.write_text(good + '\n{"id": 2}\n', "utf-8")
    with pytest.raises(CorpusError, match="第 2 行"):
        load_questions(file)


# -- runs and reports ----------------------------------------------------------------------------


def a_run() -> Run:
    def row(number: int, failed: bool, text: str) -> Row:
        return Row(
            f"q{number}", "fact", text, ("先前",), text, True, ("依据",), (("1",),), "回答", ("依据",),
            ("段落",), 0.8, False, failed, {"must": 1.0 - failed, "Success@1": 1.0, "seconds": 0.02},
        )  # fmt: skip

    rows = (row(1, False, "好"), row(2, True, "<img src=x onerror=alert(1)>"))
    return Run("2026-01-01T00:00:00+00:00", "dev", "m", "extractive", rows)


def test_a_run_survives_the_disk(tmp_path) -> None:
    run = a_run()
    assert load_run(save_run(run, tmp_path)) == run


def test_reports_show_failures_and_execute_nothing() -> None:
    page = html_report(a_run())
    assert "q2" in page
    assert "<img" not in page
    assert "&lt;img" in page
    assert "0.500" in text_report(a_run())
