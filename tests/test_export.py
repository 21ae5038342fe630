import re
import zipfile
from datetime import UTC, datetime
from io import BytesIO

import docx
import pytest
from docx.oxml.ns import qn
from docx.shared import Mm, Pt

from rag.export import BODY_FONT, LABEL, TITLE_FONT, place, to_docx, to_markdown
from rag.types import UNSUPPORTED, Answer, Citation, Sentence, Support, Table

QUOTE = "深圳市印发《指南》,提出12项举措。"


def citation(n: int, quote: str = QUOTE, **more) -> Citation:
    return Citation(
        n, "营商环境案例", 1, 3, "深圳市:破产改革", "一、改革", n, 0, len(quote), quote, **more
    )


def answer(*sentences: Sentence, **more) -> Answer:
    sentences = sentences or (
        Sentence("提出12项举措。", (1,)),
        Sentence("另有13项。", (2,), Support(False, 0.2, ("数字",))),
    )
    values = {
        "question": "几项?", "completed_question": "深圳提出几项举措?", "answer": "…", "refused": False,
        "sentences": sentences, "citations": (citation(1), citation(2, page=4)),
        "answerer": "extractive", "seconds": 0.1, "lead": "案例三：", "note": "材料中没有提到经费。",
    }  # fmt: skip
    return Answer(**{**values, **more})


def read(made: bytes):
    return docx.Document(BytesIO(made))


def test_markdown_holds_the_answer_its_sources_and_the_label():
    text = to_markdown(answer())
    assert text.startswith("# 深圳提出几项举措?\n")
    assert "提出12项举措。[1]" in text
    assert f"另有13项。{UNSUPPORTED}[2]" in text
    assert "材料中没有提到经费。" in text
    assert f"[1] 《营商环境案例》，案例三 深圳市:破产改革，一、改革\n\n> {QUOTE}" in text
    assert text.rstrip().endswith(f"*{LABEL}*")


def test_markdown_of_the_documents_is_shown_not_obeyed():
    text = to_markdown(answer(Sentence("# 点[我](http://x) <img> *a*|b\n- c", (1,))))
    assert r"\# 点\[我\](http://x) \<img\> \*a\*\|b" in text
    assert "1\\. 甲" in to_markdown(answer(note="1. 甲"))


def test_a_comparison_becomes_a_table():
    table = Table(("深圳", "广州"), ("内容",), (((0,), (1,)),))
    compared = answer(Sentence("甲|乙。", (1,)), Sentence("丙。", (2,)), table=table)
    lines = to_markdown(compared).splitlines()
    at = lines.index("|  | 深圳 | 广州 |")
    assert lines[at + 1 : at + 3] == ["| --- | --- | --- |", r"| 内容 | 甲\|乙。[1] | 丙。[2] |"]
    made = read(to_docx(compared)).tables[0]
    assert [c.text for c in made.rows[1].cells] == ["内容", "甲|乙。[1]", "丙。[2]"]


def test_a_refusal_shows_the_nearest_passages_as_such():
    refused = answer(
        refused=True, sentences=(), citations=(), answer="材料中没有。", nearest=(citation(1),)
    )
    for text in (
        to_markdown(refused),
        "\n".join(p.text for p in read(to_docx(refused)).paragraphs),
    ):
        assert "材料中没有。" in text and "不是对问题的回答" in text and "资料来源" not in text


def test_word_follows_the_layout_of_official_documents():
    made = read(to_docx(answer()))
    section = made.sections[0]
    margins = (section.top_margin, section.bottom_margin, section.left_margin, section.right_margin)
    assert [round(m / Mm(1)) for m in margins] == [37, 35, 28, 26]
    title, body = made.paragraphs[0], made.paragraphs[3]
    assert title.text == "深圳提出几项举措?" and body.text == "提出12项举措。[1]"
    for paragraph, font, size in ((title, TITLE_FONT, 22), (body, BODY_FONT, 16)):
        run = paragraph.runs[0]
        assert run._r.rPr.rFonts.get(qn("w:eastAsia")) == font
        assert run.font.size == Pt(size)
        assert paragraph.paragraph_format.line_spacing == Pt(28.9)
    assert body._p.pPr.ind.get(qn("w:firstLineChars")) == "200"
    assert body.runs[1].font.superscript
    assert "PAGE" in section.footer.paragraphs[0]._p.xml


def test_word_says_that_it_was_generated():
    when = datetime(2025, 3, 1, tzinfo=UTC)
    made = read(to_docx(answer(), made=when))
    assert made.paragraphs[-1].text == LABEL
    assert LABEL in made.core_properties.comments and "extractive" in made.core_properties.comments
    assert made.core_properties.keywords == "人工智能辅助生成"
    assert made.core_properties.created.replace(tzinfo=UTC) == when


def test_word_lists_numbered_sources_with_quotes():
    texts = [p.text for p in read(to_docx(answer())).paragraphs]
    at = texts.index("资料来源")
    assert texts[at + 1] == f"[1] {place(citation(1))}：“{QUOTE}”"
    assert "第4页" in texts[at + 2]


@pytest.mark.parametrize("text", ["\x00\x0b坏字符", "\ud800半个字", "长" * 5_000, "<w:t>&amp;"])
def test_any_text_makes_a_file_that_opens(text):
    made = to_docx(answer(Sentence(text, (1,)), question=text, completed_question=text, lead=text))
    assert zipfile.ZipFile(BytesIO(made)).testzip() is None
    kept = re.sub("[\x00-\x1f\ud800-\udfff]", "", text)
    assert any(kept in p.text for p in read(made).paragraphs)
    to_markdown(answer(Sentence(text, (1,)))).encode("utf-8")


def conversation():
    refused = answer(question="再问?", completed_question="", refused=True, answer="没有。")
    return answer(), refused, answer(Sentence("又一句。", (1,)), citations=(citation(1),))


def test_a_conversation_numbers_its_sources_through_and_puts_them_at_the_end():
    text = to_markdown(*conversation(), title="一次对话")
    assert text.startswith("# 一次对话\n")
    assert re.findall("^## (.*)", text, re.MULTILINE) == [
        "深圳提出几项举措?", "再问?", "深圳提出几项举措?", "资料来源",
    ]  # fmt: skip
    assert "又一句。[3]" in text
    # What a refused question cites is no source.
    assert re.findall(r"^\[(\d)\] ", text, re.MULTILINE) == ["1", "2", "3"]


def test_a_conversation_in_word_has_numbered_questions():
    words = [p.text for p in read(to_docx(*conversation(), title="一次对话")).paragraphs]
    assert words[0] == "一次对话"
    assert [w for w in words if re.match("[一二三]、", w)] == [
        "一、深圳提出几项举措?", "二、再问?", "三、深圳提出几项举措?",
    ]  # fmt: skip
    assert "又一句。[3]" in words


def test_the_names_of_the_rows_are_narrow_and_the_headings_come_again():
    table = Table(("深圳", "广州"), ("内容",), (((0,), (1,)),))
    made = read(to_docx(answer(table=table))).tables[0]
    widths = [column.width for column in made.columns]
    assert widths[0] < widths[1] == widths[2]
    assert sum(widths) == pytest.approx(Mm(156), abs=Mm(1))
    assert made.rows[0]._tr.trPr.find(qn("w:tblHeader")) is not None


def test_an_english_question_is_the_title_and_not_its_keywords():
    asked = answer(question="How many bodies are there?", completed_question="机构 bodies")
    assert to_markdown(asked).startswith("# How many bodies are there?\n")
