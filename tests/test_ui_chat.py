"""Answers as markup: what is shown, and that nothing in them is ever markup itself."""

import json
import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser

import pytest
from fake_assistant import FakeAssistant, answer, cases_document, cite, sentence
from hypothesis import given
from hypothesis import strategies as st

from rag.checks import ALTERED, NO_EVIDENCE, NOT_SAID
from rag.support import Source, missing_particulars
from rag.types import NOT_FOUND, Answer, Stage, Support, Table
from ui.chat import (
    citation_data,
    citation_from,
    plain_answer,
    reference,
    render_failed,
    render_live,
    render_question,
    render_rating,
    render_turn,
)
from ui.markup import escape, marked
from ui.verdicts import english, render_verdict

EVIL = '<img src=x onerror="window.hacked=1"></article><script>alert(1)</script>'
QUOTE = "全市成立11个税费争议调解机构,配备调解员528人"


@pytest.fixture(scope="module")
def document():
    return cases_document()


class Tags(HTMLParser):
    """The elements and attributes of some markup; raises on tags that do not nest."""

    VOID = ("input", "img", "path", "meta", "link", "br")

    def __init__(self, markup):
        super().__init__()
        self.names, self.attributes, self.text, self.open = [], [], "", []
        self.feed(markup)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.names.append(tag)
        self.attributes += [name for name, _ in attrs]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.names.append(tag)
        self.attributes += [name for name, _ in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_sentence_shows_answering_words_citation_and_verdict(document):
    html = render_turn(answer("几个？", [cite(document, QUOTE, 1, "528人")]), "zh", kept=(1, 7))
    assert "<b>528人</b>" in html
    assert re.search(r'<button[^>]*class="cite" data-do="cite" data-c="0"[^>]*>1</button>', html)
    assert "已核验" in html
    assert 'data-message="7"' in html


def test_message_carries_its_citations_exactly(document):
    first = cite(document, QUOTE, 1, "528人")
    html = render_turn(answer("q", [first]), "zh")
    kept = json.loads(unescape(re.search(r'data-citations="([^"]*)"', html)[1]))
    assert [citation_from(row) for row in kept] == [first]


def test_numbers_that_no_citation_has_never_become_links(document):
    built = answer("q", [cite(document, QUOTE, 1)])
    built = replace(built, sentences=(replace(built.sentences[0], citations=(1, 9)),))
    html = render_turn(built, "zh")
    assert set(re.findall(r'class="cite"[^>]*>(\d+)<', html)) == {"1"}


def test_unsupported_sentence_is_marked_with_its_reason(document):
    c = cite(document, QUOTE, 1)
    built = replace(answer("q", [c]), sentences=(sentence(c, problems=["数字“95%”不在引文中"]),))
    html = render_turn(built, "zh")
    assert 'class="s failed"' in html
    assert "未通过核验：数字“95%”不在引文中" in html
    assert "已核验" not in html


def test_unsupported_without_reason_says_that_no_evidence_was_found(document):
    c = cite(document, QUOTE, 1)
    bare = replace(sentence(c), citations=(), support=Support(False, 0.0))
    assert "未找到依据" in render_turn(replace(answer("q", [c]), sentences=(bare,)), "zh")


def test_completed_question_is_shown_only_when_it_differs(document):
    built = answer("那广州呢？", [cite(document, QUOTE, 1)])
    assert "按此理解" not in render_turn(built, "zh")
    built = replace(built, completed_question="广州有几个调解机构？")
    html = render_turn(built, "zh")
    assert "按此理解" in html
    assert 'data-do="edit" data-text="广州有几个调解机构？"' in html


def test_refusal_shows_nearest_passages_as_not_an_answer(document):
    near = cite(document, QUOTE, 1)
    built = Answer("q", "q", "材料中没有找到。", True, (), (), "extractive", 0.1, nearest=(near,))
    html = render_turn(built, "zh")
    assert "材料中没有找到。" in html
    assert "不是对问题的回答" in html
    assert 'class="cite"' not in html  # nothing looks like a supported sentence
    assert 'data-do="cite" data-c="0"' in html


def test_groups_open_with_their_name_once(document):
    a, b = cite(document, QUOTE, 1), cite(document, "提出重点对策建议120余条", 2)
    rows = (sentence(a, group="案例二"), sentence(a, group="案例二"), sentence(b, group="案例一"))
    html = render_turn(replace(answer("q", [a, b]), sentences=rows), "zh")
    assert re.findall(r'<h3 class="group">(.*?)</h3>', html) == ["案例二", "案例一"]


def test_table_holds_cited_sentences_and_a_dash_for_nothing(document):
    a, b = cite(document, QUOTE, 1), cite(document, "提出重点对策建议120余条", 2)
    table = Table(("广州", "全省"), ("做法",), (((0,), ()),))
    html = render_turn(replace(answer("q", [a, b]), table=table), "zh")
    cells = re.findall(r"<td(?: data-name=\".*?\")?>(.*?)</td>", html)
    assert re.findall('data-name="(.*?)"', html) == ["广州", "全省"]  # where columns are stacked
    assert cells[0] == ""  # the corner
    assert 'class="cite"' in cells[1]
    assert "—" in cells[2]
    assert html.count(f">{QUOTE}<") == 1  # in its cell, not outside again
    assert '<p class="line">' in html  # the sentence that stands in no cell


def test_sentences_follow_the_lines_of_the_answer(document):
    a, b = cite(document, QUOTE, 1), cite(document, "提出重点对策建议120余条", 2)
    together = replace(answer("q", [a, b]), answer=f"{a.quote}[1]{b.quote}[2]")
    assert render_turn(together, "zh").count('<p class="line">') == 1
    assert render_turn(answer("q", [a, b]), "zh").count('<p class="line">') == 2


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_kind_of_text_is_escaped(document, lang):
    c = replace(cite(document, QUOTE, 1), document=EVIL, section=EVIL, quote=EVIL, case_title=EVIL)
    evil = replace(sentence(c, group=EVIL, problems=[EVIL]), text=EVIL)
    built = replace(
        answer(EVIL, [c]),
        completed_question=EVIL + "?",
        answer=EVIL,
        sentences=(evil, evil),
        lead=EVIL,
        note=EVIL,
        notice=EVIL,
        answerer=f"transformers:{EVIL}",
        nearest=(c,),
        table=Table((EVIL,), (EVIL,), (((0,),),)),
    )
    for html in (
        render_turn(built, lang, kept=(1, 1), warning=EVIL),
        render_turn(replace(built, refused=True), lang),
        render_live(EVIL, lang, text=EVIL, notice=EVIL, stages=(Stage("rank", 1),)),
        render_failed(EVIL, lang, EVIL, text=EVIL),
    ):
        tags = Tags(html)
        assert not {"img", "script"} & set(tags.names)
        assert not [name for name in tags.attributes if name.startswith("on")]


@given(st.text())
def test_any_question_is_text_and_nothing_else(question):
    tags = Tags(render_question(question))
    assert tags.names == ["h2", "span"]


@given(st.text(alphabet=st.characters(exclude_categories=("Cs", "Cc")), max_size=40), st.data())
def test_marks_never_change_the_text(text, data):
    edge = st.integers(-3, len(text) + 3)
    spans = [tuple(sorted(data.draw(st.tuples(edge, edge)))) for _ in range(3)]
    html = marked(text, [("<mark>", spans[:2]), ("<b>", spans[2:])])
    tags = Tags(html)
    assert set(tags.names) <= {"mark", "b"}
    assert html.count("&") == escape(text).count("&")
    assert unescape(re.sub("<[^>]*>", "", html)) == unescape(escape(text))


def test_marks_wrap_exactly_their_words():
    html = marked("共有528人参加", [('<mark class="hit">', [(10, 17)]), ("<b>", [(12, 16)])], 10)
    assert html == (
        '<mark class="hit">共有</mark><mark class="hit"><b>528人</b></mark>'
        '<mark class="hit">参</mark>加'
    )


def test_live_message_says_what_is_being_done():
    assert "正在理解问题" in render_live("q", "zh")
    stages = [Stage("complete", 0.001), Stage("retrieve", 0.02), Stage("rank", 0.01)]
    html = render_live("q", "zh", text="写到这里", stages=stages)
    assert "正在整理回答" in html
    assert "检索 <span>20 毫秒</span>" in html
    assert "前面还有 3 个提问" in render_live("q", "zh", notice="前面还有 3 个提问")


def test_control_and_direction_characters_do_not_reach_the_page():
    assert escape("a\x00b\u202ec\u2066d\n") == "abcd\n"


def test_reference_names_document_case_section_and_page(document):
    c = cite(document, QUOTE, 1)
    assert reference(c, "zh").startswith(f"《{document.title}》案例二·一、")
    assert reference(replace(c, case=None, section="", page=3), "zh").endswith("》（第 3 页）")
    assert "Case 2" in reference(c, "en")


def test_copied_answer_ends_with_sources_and_the_label(document):
    text = plain_answer(answer("q", [cite(document, QUOTE, 1)]), "zh")
    assert f"[1] “{QUOTE}”（《" in text
    assert text.endswith("本内容由人工智能辅助生成，重要事项请核对原文。")


def test_message_that_was_not_kept_cannot_be_rated(document):
    built = answer("q", [cite(document, QUOTE, 1)])
    assert 'data-do="rate"' not in render_turn(built, "zh", warning="磁盘已满")
    assert 'data-do="rate"' in render_turn(built, "zh", kept=(2, 3))


def test_rating_offers_five_causes_and_shows_what_was_said():
    html = render_rating("数字有误", "zh")
    assert re.findall(r'data-cause="([^"]+)"', html) == [
        "引文不符",
        "数字有误",
        "应拒未拒",
        "遗漏",
        "其他",
    ]
    assert "已记录：数字有误" in html
    assert 'aria-pressed="true"' in render_rating("good", "zh")


@pytest.mark.parametrize(
    "data",
    [None, "x", {}, {"n": "a"}, {**citation_data(cite(cases_document(), QUOTE, 1)), "marks": [1]}],
    ids=["none", "text", "empty", "odd", "marks"],
)
def test_citations_from_a_browser_are_checked(data):
    with pytest.raises(ValueError, match="citation"):
        citation_from(data)


def test_reasons_are_told_in_the_language_of_the_page():
    support = Source("深圳市设立11个机构。")
    claims = "广州市在2024年3月设立12家中心，占95%，见《章程》第五章。"
    reasons = [*missing_particulars(claims, support), NO_EVIDENCE, NOT_SAID, ALTERED]
    assert len(reasons) > 6
    for reason in reasons:
        shown = english(reason)
        assert not re.search("[\u4e00-\u9fff]", re.sub("“.*”", "", shown)), shown
    failed = Support(False, 0.2, (reasons[0],))
    assert reasons[0] in render_verdict(failed, "zh")
    assert "is not in its source" in render_verdict(failed, "en")


def test_what_the_assistant_says_of_itself_is_in_the_language_of_the_page():
    refused = replace(FakeAssistant().ask("别的"), answer=NOT_FOUND, nearest=())
    noticed = replace(refused, notice="服务连接不上。", notice_en="The server is down.")
    assert "The documents do not answer this question." in render_turn(noticed, "en")
    assert "The server is down." in render_turn(noticed, "en")
    assert "服务连接不上。" in render_turn(noticed, "zh")
    assert NOT_FOUND in render_turn(noticed, "zh")
