"""The office's own evaluation questions: what the form takes, refuses, and gives back."""

import json

import pytest
from fake_assistant import FakeAssistant, cases_document

from corpus.errors import UserError
from corpus.people import Question
from eval.questions import office_questions
from ui.labelling import (
    Label,
    find_excerpt,
    label_data,
    label_from,
    label_of,
    render_form,
    render_questions,
)

EVIL = "<img src=x onerror=alert(1)>"
QUOTE = "全市成立11个税费争议调解机构,配备调解员528人"


@pytest.fixture(scope="module")
def document():
    return cases_document()


def fields(**changes):
    return {"question": "几个机构？", "type": "fact", "evidence": [QUOTE], **changes}


def test_what_is_kept_is_what_the_evaluation_reads(document):
    question, data = label_data(fields(facts="- 11个 / 十一个\n\n528人"), [document])
    kept = Question(7, question, data)

    class Store:
        def questions(self):
            return [kept]

    (read,), problems = office_questions(Store())
    assert problems == ()
    assert (read.id, read.question, read.split) == ("office-7", "几个机构？", "office")
    assert [(e.case, e.text) for e in read.evidence] == [(2, QUOTE)]
    assert read.must == (("11个", "十一个"), ("528人",))
    again = label_from(kept)
    assert (again.excerpts, again.facts, again.id) == ((QUOTE,), read.must, 7)


def test_pasted_evidence_is_kept_as_the_document_writes_it(document):
    start = document.text.index("\n", document.text.index("案例二"))
    across = document.text[start - 12 : start + 30].strip()
    pasted = f"{' '.join(across.split())}\n\n{QUOTE}"
    _, data = label_data(fields(evidence=[], pasted=pasted), [document])
    texts = [piece["text"] for piece in json.loads(data)["evidence"]]
    assert texts == [across, QUOTE]
    assert all(text in document.text for text in texts)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"question": " ？ "}, "没有文字"),
        ({"evidence": []}, "至少一处依据"),
        ({"evidence": "x"}, "至少一处依据"),
        ({"pasted": "哪里都没有"}, "与材料原文不一致"),
        ({"evidence": ["全" * 4000]}, "超过 3000 字"),
        ({"evidence": [str(n) for n in range(30)]}, "最多 20 段"),
        ({"facts": "12个"}, "要点“12个”不在"),
    ],
    ids=[
        "no words",
        "no evidence",
        "odd evidence",
        "not verbatim",
        "too long",
        "too many",
        "other fact",
    ],
)
def test_what_cannot_be_evaluated_is_refused_with_the_mend(document, changes, words):
    with pytest.raises(UserError) as caught:
        label_data(fields(**changes), [document])
    assert words in caught.value.zh
    assert caught.value.en


def test_a_question_that_the_documents_do_not_answer_needs_no_evidence(document):
    _, data = label_data(fields(type="unanswerable", pasted="无关", facts="无关"), [document])
    assert json.loads(data) == {"type": "unanswerable", "evidence": [], "must": []}
    with pytest.raises(ValueError, match="unknown type"):
        label_data(fields(type="other"), [document])


def test_an_excerpt_is_found_although_blanks_changed():
    assert find_excerpt("甲\n  乙丙 丁", "乙丙丁") == (4, 8)
    assert find_excerpt("甲.乙", "甲*乙") is None


def test_a_form_begins_with_what_an_answer_cites():
    label = label_of(FakeAssistant().ask("调解"))
    assert QUOTE in label.excerpts[0]
    assert "checked" in render_form(label, "zh")
    refused = label_of(FakeAssistant().ask("别的"))
    assert (refused.type, refused.chosen) == ("unanswerable", False)
    assert "checked" not in render_form(refused, "zh")


def test_nothing_that_was_typed_becomes_markup():
    evil = Label(EVIL, "fact", (EVIL,), facts=((EVIL, EVIL),))
    kept = [Question(1, EVIL, f'{{"type": "{EVIL[:4]}"}}'), Question(2, "问", "{")]
    for html in (render_form(evil, "zh"), render_questions(kept, "en")):
        assert "<img" not in html
    assert label_from(kept[1]) == Label("问", id=2)
