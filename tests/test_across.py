"""Which cases speak of a topic, told by the best sentence of each."""

import numpy as np
import pytest

from corpus.types import Chunk
from rag import across
from rag.across import FEATURES, best_of_cases, literal_topics, speaking, stands_in
from rag.evidence import Part
from rag.extractive import owners
from rag.linear import Linear
from rag.questions import read_intent
from rag.select import FEATURES as SENTENCE_FEATURES
from rag.select import Candidate
from rag.types import Hit


def candidate(case, start, text, score, **features):
    values = np.array([features.get(name, 0.0) for name in SENTENCE_FEATURES])
    chunk = Chunk(start, 1, 1, start, start + len(text), text, "文", case, f"题{case}", "")
    return Candidate(Hit(1, 0.5, chunk), start, start + len(text), text, score, values)


WORDY = dict.fromkeys(("own", "soft", "soft_context", "cosine", "cosine_context"), 1.0)


def test_every_case_is_told_by_the_sentence_that_tells_best_of_the_topic(monkeypatch) -> None:
    weights = np.array([float(name == "own") for name in SENTENCE_FEATURES])
    models = {"tells": Linear(weights, 0.0)}
    monkeypatch.setattr(across, "fitted", lambda part, _: models[part])
    found = [
        candidate(3, 300, "甲。", 5.0, own=2.0),
        candidate(1, 100, "乙。", 4.0, own=1.0),
        candidate(3, 310, "丙。", 3.0, own=3.0),
    ]
    assert [(c.text, row[:2]) for c, row in best_of_cases(found, ())] == [
        ("丙。", [3.0, 0.0]),
        ("乙。", [1.0, 2.0]),
    ]


def test_what_stands_before_the_cases_is_none() -> None:
    found = [candidate(None, 0, "序。", 9.0), candidate(3, 300, "甲。", 1.0)]
    assert [c.text for c, _ in best_of_cases(found, ())] == ["甲。"]
    assert [c.text for c, _ in best_of_cases(found[:1], ())] == ["序。"]


def test_a_sentence_with_the_topic_itself_stands_for_its_case() -> None:
    found = [candidate(3, 300, "甲。", 5.0), candidate(3, 310, "有专利的丙。", 3.0)]
    ((best, row),) = best_of_cases(found, ("专利",))
    assert best.text == "有专利的丙。"
    assert row[FEATURES.index("literal")] == 1.0


def test_cases_that_speak_of_it_come_in_the_order_of_the_document() -> None:
    found = [
        candidate(5, 500, "发展专利。", 6.0, **WORDY),
        candidate(2, 200, "保护专利。", 5.5, **WORDY),
        candidate(9, 900, "与此无关。", -4.0),
    ]
    assert [c.hit.chunk.case for c in speaking(found, ("专利",), "哪些案例与专利有关?")] == [2, 5]
    assert speaking([], ("专利",), "哪些案例与专利有关?") == []


def test_where_words_are_mentioned_is_told_by_the_words_alone() -> None:
    found = [
        candidate(5, 500, "也有专利。", -9.0),
        candidate(2, 200, "保护商标。", 9.0, **WORDY),
    ]
    assert [c.text for c in speaking(found, ("专利",), "哪些案例提到专利?")] == ["也有专利。"]


@pytest.mark.parametrize(
    ("question", "literals"),
    [
        ("哪些案例提到了“一件事”改革?", ("一件事",)),
        ("哪些案例提到了专利?", ("专利",)),
        ("哪些案例提到了火星?", ()),
        ("哪些案例提到了火星或木星?", ()),
        ("哪些案例涉及新材料?", ("新材料",)),
        ("这批案例里哪些提到了专利?请分别说明用在何处。", ("专利",)),
        ("这些材料里,哪几个案例发生的事情跟专利有关?", ("专利",)),
        ("哪些案例提到了专利或者商标?", ("专利", "商标")),
        ("哪些案例提到了专利、火星?", ("专利",)),
        ("哪些案例提到了企业的专利或商标?", ()),
        ("哪些案例同时提到了“专利”和“商标”?", ("专利",)),
        ("哪些案例提到了“专利”或“商标”?", ("专利", "商标")),
        ("哪些案例提到了专利和火星?", ()),
    ],
)
def test_the_literal_topic_is_what_is_quoted_or_stands_in_some_sentence(question, literals) -> None:
    found = [
        candidate(1, 100, "申请专利,办好“一件事”。", 1.0),
        candidate(2, 200, "注册商标,生产新材料。", 1.0),
    ]
    assert literal_topics(question, read_intent(question), found) == literals


@pytest.mark.parametrize(
    ("literal", "text", "stands"),
    [
        ("数字人", "推进数字人民币试点", False),
        ("数字人", "推进数字人民币试点,引入数字人客服", True),
        ("仲裁", "深圳国际仲裁院", True),
        ("代办", "镇街代办员", True),
        ("粤复用", "“粤复用”平台", True),
    ],
)
def test_a_topic_does_not_stand_across_two_words(literal, text, stands) -> None:
    assert stands_in((literal,), text) is stands


def test_a_sentence_stands_under_the_side_of_a_comparison_that_it_fits_best() -> None:
    left = [candidate(1, 100, "甲。", 5.0), candidate(1, 200, "乙。", 4.5)]
    right = [candidate(1, 200, "乙。", 3.0), candidate(1, 100, "甲。", 2.8)]
    even = [candidate(1, 100, "甲。", 5.0)]
    parts = [
        Part("左", tuple(left), 0.9),
        Part("右", tuple(right), 0.9),
        Part("中", tuple(even), 0.9),
    ]
    assert owners(parts) == {(1, 100): "左", (1, 200): "右"}
