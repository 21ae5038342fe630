"""Reports: everything is shown, nothing is executed or loaded, charts describe themselves."""

import re
import xml.etree.ElementTree as ET

import pytest

from eval.calibrate import calibrate
from eval.charts import bars, refusal_chart
from eval.ranking import Interval
from eval.report import calibration_of, html_report, text_report
from eval.runner import ANSWERS, RETRIEVAL, Row, Run
from eval.runs import Difference
from eval.words import _TEXT, CAUSES, LABELS, SPLITS, TYPES

ATTACK = "<img src=x onerror=alert(1)>"


def row(number: int, **values) -> Row:
    given = {
        "type": "fact", "question": f"问题{number}", "history": (), "completed": f"问题{number}",
        "answerable": True, "gold": ("依据原文",), "must": (("要点", "另一说法"),), "answer": "回答正文",
        "cited": ("引文",), "retrieved": ("检索段落",), "confidence": 0.8, "refused": False,
        "failed": False, "metrics": {"must": 1.0, "Success@1": 1.0, "seconds": 0.02},
        "split": "dev", "causes": (),
    }  # fmt: skip
    return Row(id=f"q{number}", **{**given, **values})


FAILED = row(
    2, failed=True, question=ATTACK, answer=ATTACK, gold=(ATTACK,), retrieved=(ATTACK,),
    history=(ATTACK,), completed=ATTACK + "?", causes=("must",), metrics={"must": 0.0},
)  # fmt: skip
ENGLISH = {
    "question": "q", "completed": "p", "must": (("a", "b"),), "answer": "a", "gold": ("g",),
    "cited": (), "retrieved": ("r",), "history": ("before",),
}  # fmt: skip
LOST = {"failed": True, "causes": ("must",), "metrics": {"must": 0.0}}
NEVER = row(
    3, type="unanswerable", answerable=False, gold=(), must=(), confidence=0.9, failed=True,
    causes=("answered",), metrics={"seconds": 0.1},
)  # fmt: skip
RUN = Run("2026-01-01", "all", "模型", "extractive", (row(1), FAILED, NEVER), ("问题 x 的依据<b>",))


def test_every_failure_is_shown_with_evidence_answer_and_cause() -> None:
    page = html_report(RUN)
    assert page.count("<details>") == 2
    assert "缺要点" in page
    assert "应拒未拒" in page
    assert "要点 / 另一说法" in page
    assert "检索到的前1段" in page


def test_nothing_of_a_question_is_executed_and_nothing_is_loaded() -> None:
    page = html_report(RUN)
    assert "<img" not in page
    assert "依据&lt;b&gt;" in page
    assert not re.search(r"<script|<link|<iframe|https?://|url\(|@import", page)
    assert "default-src 'none'" in page


@pytest.mark.parametrize(
    "drawing",
    [
        bars([("甲<", Interval(0.5, 0.4, 0.6)), ("乙", Interval(1.0, 1.0, 1.0))]),
        bars([]),
        refusal_chart(calibrate([(True, 0.9), (False, 0.2), (True, 0.4)]), 0.3),
        refusal_chart(calibrate([(True, 0.9)])),
        refusal_chart(calibrate([])),
    ],
    ids=["bars", "no bars", "curve", "only answerable", "no curve"],
)
def test_a_drawing_is_well_formed_and_says_what_it_shows(drawing) -> None:
    tree = ET.fromstring(drawing)
    assert tree.get("role") == "img"
    assert tree.get("aria-label") is not None
    assert "nan" not in drawing


def test_a_bar_is_as_long_as_its_value() -> None:
    tree = ET.fromstring(bars([("甲", Interval(0.25, 0.2, 0.3))]))
    track, bar = tree.findall("rect")
    assert float(bar.get("width")) == pytest.approx(float(track.get("width")) / 4)


def test_the_calibration_looks_at_dev_questions_only() -> None:
    rows = (row(1, confidence=0.9), row(2, split="test", confidence=0.0), NEVER)
    points = calibration_of(Run("", "all", "", "", rows)).points
    assert all(p.false == 0 for p in points if p.threshold < 0.9)


def test_the_table_tells_what_changed_and_what_was_left_out() -> None:
    change = Difference("must", 0.5, 0.75, 40, 0.01)
    text = text_report(RUN, [change])
    assert "+0.250" in text
    assert "问题 x 的依据" in text
    assert "+0.250" in html_report(RUN, [change])


def test_every_measure_has_a_label() -> None:
    assert set(LABELS) == {*RETRIEVAL, *ANSWERS}
    assert html_report(Run("", "dev", "", "", ()))


def test_the_report_speaks_either_language_and_never_a_mixture() -> None:
    plain = Run("2026", "dev", "m", "extractive", (row(1, **ENGLISH), row(2, **ENGLISH, **LOST)))
    change = Difference("must", 0.5, 0.75, 40, 0.01)
    chinese = re.compile("[\u4e00-\u9fff]")
    for text in (html_report(plain, [change], "en"), text_report(plain, [change], "en")):
        assert chinese.findall(re.sub("<style>.*?</style>", "", text, flags=re.DOTALL)) == []
    assert '<html lang="en">' in html_report(plain, (), "en")
    assert "facts missing" in html_report(plain, (), "en")


def test_every_word_of_the_report_has_both_languages_with_the_same_places() -> None:
    for words in (LABELS, TYPES, CAUSES, SPLITS, _TEXT):
        for zh, en in words.values():
            assert set(re.findall(r"{(\w+)", zh)) == set(re.findall(r"{(\w+)", en))
            assert re.search("[\u4e00-\u9fff]", en) is None
            assert re.search("[\u4e00-\u9fff][,;:?!]", zh) is None
