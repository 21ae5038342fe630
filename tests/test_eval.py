"""Metrics checked by hand, and the project's own questions against the corpus."""

import hashlib
import math
from collections import Counter

import pytest

from corpus.builtin import builtin_document
from corpus.outline import parse_outline
from corpus.types import Document
from eval.answers import normal, score_answer
from eval.questions import Question, gold_spans, load_questions
from eval.ranking import score_run
from eval.runner import refusal_rates
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


def test_refusal_rates_by_hand() -> None:
    pairs = [(False, True), (False, False), (True, True), (True, False), (True, False)]
    rates = refusal_rates(pairs)
    assert rates["unanswerable_refused"] == 0.5
    assert rates["answerable_refused"] == pytest.approx(1 / 3)
    assert rates["precision"] == 0.5
    assert math.isnan(refusal_rates([])["precision"])


def test_a_quote_that_is_not_verbatim_is_noticed() -> None:
    citation = Citation(1, "d", 1, 3, "", "", 1, 0, 5, "不是原文")
    answer = Answer("q", "q", "", False, (), (citation,), "extractive", 0.1)
    question = Question("1", "unanswerable", "?", ())
    assert score_answer(question, answer, [], {1: CASES}).verbatim == 0.0


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
