"""One answer against its question: facts, citations, refusals, quotes."""

import pytest

from corpus.outline import parse_outline
from corpus.types import Document
from eval.answers import AnswerScore, normal, score_answer
from eval.questions import Evidence, Question, Span
from rag.types import Answer, Citation

TEXT = "案例一 减税\n甲市为1332家企业减税。乙市印发办法。丙市没有减税。\n"
DOCUMENT = Document(1, "d.txt", TEXT, "", parse_outline(TEXT))
FIRST, SECOND = "甲市为1332家企业减税。", "乙市印发办法。"


def span(text: str) -> Span:
    return Span(1, TEXT.index(text), TEXT.index(text) + len(text))


def answer(*quotes: str, text: str = "", refused: bool = False) -> Answer:
    cited = tuple(
        Citation(n, "d", 1, 1, "", "", 1, span(q).start, span(q).end, q)
        for n, q in enumerate(quotes, 1)
    )
    return Answer("q", "q", text or "".join(quotes), refused, (), cited, "extractive", 0.25)


def score(found: Answer, *gold: str, must: tuple[tuple[str, ...], ...] = ()) -> AnswerScore:
    question = Question("1", "fact", "?", tuple(Evidence(1, g) for g in gold), must)
    return score_answer(question, found, [span(g) for g in gold], {1: DOCUMENT})


def test_any_wording_of_a_fact_will_do_and_every_fact_counts() -> None:
    found = score(answer(FIRST), FIRST, must=(("1,332家", "1332家"), ("乙市",)))
    assert found.must == 0.5


def test_a_fact_split_by_a_citation_mark_or_written_in_traditional_is_still_said() -> None:
    found = score(
        answer(FIRST, text="減稅[1] １３３２ 家[2]企業"), FIRST, must=(("减税1332家企业",),)
    )
    assert found.must == 1.0


def test_citations_are_right_where_they_share_text_with_the_evidence() -> None:
    found = score(answer("1332家", "丙市没有减税。"), FIRST, SECOND)
    assert (found.precision, found.recall) == (0.5, 0.5)
    assert score(answer(FIRST, SECOND), FIRST, SECOND).recall == 1.0


def test_touching_is_not_overlapping() -> None:
    assert TEXT.index(SECOND) == TEXT.index(FIRST) + len(FIRST)
    assert score(answer(SECOND), FIRST).precision == 0.0


def test_an_answer_that_cites_nothing_is_not_precise() -> None:
    found = score(answer(text="1332家"), FIRST, must=(("1332家",),))
    assert (found.must, found.precision, found.recall, found.verbatim) == (1.0, 0.0, 0.0, None)


def test_a_refusal_says_nothing_even_if_its_text_does() -> None:
    found = score(answer(text="没有找到 1332家", refused=True), FIRST, must=(("1332家",),))
    assert found.must == 0.0


@pytest.mark.parametrize(
    ("quotes", "refused", "gold", "must", "causes"),
    [
        ((FIRST,), False, (FIRST,), (("1332",),), ()),
        ((FIRST,), False, (FIRST,), (), ()),
        ((FIRST,), False, (FIRST,), (("乙市",),), ("must",)),
        ((FIRST, SECOND), False, (FIRST,), (), ("precision",)),
        ((FIRST,), False, (FIRST, SECOND), (), ("recall",)),
        ((), True, (FIRST,), (), ("refused",)),
        ((FIRST,), False, (), (), ("answered",)),
        ((), True, (), (), ()),
    ],
    ids=["right", "no facts", "fact", "extra", "half", "refused", "answered", "rightly refused"],
)
def test_a_failure_names_its_causes(quotes, refused, gold, must, causes) -> None:
    question = Question("1", "fact", "?", tuple(Evidence(1, g) for g in gold), must)
    found = score(answer(*quotes, refused=refused), *gold, must=must)
    assert found.causes(question) == causes
    assert found.failed(question) == bool(causes)


def test_folding_keeps_what_matters() -> None:
    assert normal("12.5％ 與 A[12]") == "12.5%与a"
