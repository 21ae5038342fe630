"""The source pane: the document's own text, the excerpt highlighted, its outline beside it."""

import re
from dataclasses import replace
from html import unescape

import pytest
from fake_assistant import cases_document, cite

from corpus.outline import parse_outline
from corpus.types import Document
from ui.source import (
    WINDOW,
    copied_reference,
    render_missing,
    render_outline,
    render_source,
    render_text,
    scope,
)

QUOTE = "全市成立11个税费争议调解机构,配备调解员528人"


@pytest.fixture(scope="module")
def document():
    return cases_document()


def plain(markup):
    return "".join(unescape(re.sub("<[^>]*>", "", markup)).split())


def test_excerpt_and_answering_words_are_highlighted_at_their_place(document):
    html = render_source(document, [cite(document, QUOTE, 1, "528人")], 0, "zh")
    hit = "".join(re.findall(r'<mark class="hit">(.*?)</mark>', html))
    assert re.sub("<[^>]*>", "", hit) == QUOTE
    assert re.findall(r'<b class="key">(.*?)</b>', html) == ["528人"]


def test_whole_case_and_nothing_else_is_shown(document):
    citation = cite(document, QUOTE, 1)
    start, end = scope(document, citation)
    case = next(n for n in document.outline if n.kind == "case" and n.case == 2)
    assert (start, end) == (case.start, case.end)
    assert plain(render_text(document, start, end, (), "zh")) == plain(document.text[start:end])


def test_every_part_of_the_document_is_shown_once(document):
    html = render_text(document, 0, len(document.text), (), "zh")
    assert plain(html) == "".join(document.text.split())


def test_other_citations_of_the_message_are_underlined_not_highlighted(document):
    citations = [cite(document, QUOTE, 1), cite(document, "实现95%以上优惠事项“免备案”", 2)]
    html = render_source(document, citations, 0, "zh")
    assert '<span class="also">实现95%以上优惠事项“免备案”</span>' in html
    assert html.count('<mark class="hit">') == 1


def test_position_is_told_and_stepping_is_off_for_a_single_source(document):
    citation = cite(document, QUOTE, 1)
    assert "出处 2 / 3" in render_source(document, [citation] * 3, 1, "zh")
    assert render_source(document, [citation], 0, "zh").count("disabled") == 2


def test_changed_document_shows_the_kept_quote_and_says_so(document):
    citation = replace(cite(document, QUOTE, 1), start=10, end=20)
    html = render_source(document, [citation], 0, "zh")
    assert "文档内容已变化" in html
    assert QUOTE in html


def test_removed_document_shows_the_kept_quote_marked_removed(document):
    html = render_missing([cite(document, QUOTE, 1)], 0, "zh")
    assert "已移除" in html
    assert QUOTE in html


def test_outline_entries_point_at_blocks_of_the_text(document):
    case = next(n for n in document.outline if n.kind == "case" and n.case == 5)
    entries = re.findall(r'data-at="(\d+)"', render_outline(document, case.start, case.end, "zh"))
    text = render_text(document, case.start, case.end, (), "zh")
    assert len(entries) == 1 + 2 + 6
    assert all(f'data-at="{at}"' in text for at in entries)


def test_copied_excerpt_carries_its_reference(document):
    text = copied_reference(cite(document, QUOTE, 1), "zh")
    assert text.startswith(f"“{QUOTE}”（《{document.title}》案例二·一、")


def test_markup_in_a_document_stays_text():
    text = "一、<script>alert(1)</script>标题\n\n正文<img src=x onerror=alert(1)>结束。\n"
    document = Document(9, "<b>名</b>.txt", text, "", parse_outline(text))
    html = render_text(document, 0, len(text), [('<mark class="hit">', [(5, 30)])], "zh")
    assert "<script" not in html
    assert "<img" not in html
    assert plain(html) == "".join(text.split())


def test_long_document_is_cut_around_the_excerpt():
    lines = [f"第{i}段说的是一件事情,有许多字,但是没有案例。" for i in range(6000)]
    text = "\n".join(lines)
    document = Document(9, "长文.txt", text, "", parse_outline(text))
    short = replace(cite(cases_document(), QUOTE, 1), case=None, document_id=9)
    at = text.index("第3000段")
    citation = replace(short, start=at, end=at + 8, quote=text[at : at + 8])
    html = render_source(document, [citation], 0, "zh")
    assert len(plain(html)) < 2 * WINDOW + 1000
    assert html.count("此处省略") == 2
    assert '<mark class="hit">第3000段说' in html
    whole = render_source(document, [citation], 0, "zh", whole=True)
    assert "此处省略" not in whole
    assert plain(text) in plain(whole)
