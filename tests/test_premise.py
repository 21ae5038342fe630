"""Figures that a question takes for granted are set right from the text, and nothing else is."""

import pytest

from rag.premise import corrections

SENTENCE = "审批时限压缩至5个工作日,全市推广后办件量同比增长21%。"


def test_a_figure_that_the_text_contradicts_is_corrected() -> None:
    (said,) = corrections("审批压缩到10个工作日是哪个市的做法?", [SENTENCE])
    assert "10个工作日" in said
    assert "5个工作日" in said
    (said,) = corrections("办件量增长了35%,是怎么做到的?", [SENTENCE])
    assert "21%" in said


@pytest.mark.parametrize(
    "question",
    [
        "审批压缩到5个工作日是哪个市的做法?",  # the text's own figure
        "审批压缩到多少个工作日?",  # no figure at all
        "不到10个工作日就能办好的是哪个市?",  # a bound
        "“10个工作日办结”行动是哪个市的?",  # a name
        "《10个工作日办结规定》是哪个市的?",
        "审批一次就行吗,有一大堆材料?",  # nobody counts with 一
        "2023年审批压缩到几天?",  # says when, not how much
    ],
)
def test_what_is_no_contradicted_figure_is_left_alone(question: str) -> None:
    assert corrections(question, [SENTENCE]) == []


def test_two_figures_of_one_measure_leave_open_which_was_meant() -> None:
    two = "立项审批压缩至5个工作日,竣工验收压缩至7个工作日。"
    assert corrections("审批压缩到10个工作日是哪个市的?", [two]) == []
