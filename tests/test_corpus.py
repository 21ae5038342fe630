"""Sentences, outline and chunks: of the 14 cases, of other documents, of any text."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.builtin import builtin_document
from corpus.chunks import opening as headings_before
from corpus.chunks import split_chunks
from corpus.outline import case_place, chinese_number, chinese_numeral, leaves, parse_outline, path
from corpus.sentences import MAX_SENTENCE, sentence_spans
from corpus.types import Document, Node

CASES = builtin_document()[1].decode()
OUTLINE = parse_outline(CASES)
EXPECTED = json.loads((Path(__file__).parent / "fixtures" / "outline.json").read_text("utf-8"))


def document(text: str) -> Document:
    return Document(1, "t.txt", text, "", parse_outline(text))


def children(node: Node, *kinds: str) -> list[Node]:
    return [n for n in OUTLINE if n.parent == node.id and n.kind in kinds]


def opening(node: Node) -> str:
    return CASES[node.start : node.end].strip()[:15]


def outline_of(node: Node) -> dict[str, object]:
    found: dict[str, object] = {
        "label": node.label,
        "title": node.title,
        "paragraphs": [opening(n) for n in children(node, "paragraph")],
        "items": [n.label for n in children(node, "item")],
    }
    if node.kind == "section":
        found["subsections"] = [outline_of(n) for n in children(node, "subsection")]
    return found


def expected_of(section: dict[str, object]) -> dict[str, object]:
    found = {key: section.get(key, []) for key in ("label", "title", "paragraphs")}
    found["items"] = [item["label"] for item in section.get("items", [])]
    if "subsections" in section or not section["label"].startswith("("):
        found["subsections"] = [expected_of(s) for s in section.get("subsections", [])]
    return found


@pytest.mark.parametrize("number", range(1, 15))
def test_case_has_the_outline_that_a_reader_sees(number: int) -> None:
    expected = EXPECTED["cases"][number - 1]
    case = next(n for n in OUTLINE if n.kind == "case" and n.case == number)
    direct = children(case, "paragraph")
    sections = children(case, "section")
    assert case.title == " ".join(expected["title"].split())
    assert [outline_of(n) for n in sections] == [expected_of(s) for s in expected["sections"]]
    intro = [opening(n) for n in direct if n.start < sections[0].start]
    closing = [opening(n) for n in direct if n.start > sections[0].start]
    assert intro == expected["intro"]
    assert closing == expected["closing"]


def test_items_carry_their_first_sentence_as_title() -> None:
    titles = [n.title for n in OUTLINE if n.kind == "item"]
    expected = []
    for case in EXPECTED["cases"]:
        for section in case["sections"]:
            for part in (section, *section.get("subsections", [])):
                expected += [item["title"] for item in part.get("items", [])]
    assert len(titles) == len(expected)
    for title, first in zip(titles, expected, strict=True):
        assert title.startswith(first.rstrip("。")[:10])


def test_preface_and_trailer_belong_to_no_case() -> None:
    assert [n.case for n in OUTLINE if n.kind in ("preface", "trailer")] == [None, None]
    assert CASES[OUTLINE[-1].start :].strip() == EXPECTED["trailer"]


def test_leaves_tile_the_cases() -> None:
    assert "".join(CASES[n.start : n.end] for n in leaves(OUTLINE)) == CASES


def test_with_its_headings_every_word_of_the_cases_can_be_found() -> None:
    doc = document(CASES)
    found = [False] * len(CASES)
    for chunk in split_chunks(doc):
        before = headings_before(doc, chunk)
        start = chunk.start - len(before)
        assert CASES[start : chunk.end] == before + chunk.text
        found[start : chunk.end] = [True] * (chunk.end - start)
    left = "".join(c for c, seen in zip(CASES, found, strict=True) if not seen)
    assert left.strip().startswith("责任编辑")


def test_only_the_first_passage_below_headings_opens_under_them() -> None:
    doc = document("案例一\n广东省:甲\n一、做法\n" + "第一句说的是这件事。" * 40 + "\n又一段。\n")
    first, *others = split_chunks(doc)
    assert headings_before(doc, first) == "案例一\n广东省:甲\n一、做法\n"
    assert others
    assert not any(headings_before(doc, chunk) for chunk in others)


def test_chunks_of_the_cases_are_exact_and_lie_in_one_case() -> None:
    spans = {n.case: (n.start, n.end) for n in OUTLINE if n.kind == "case"}
    for chunk in split_chunks(document(CASES)):
        assert chunk.text == CASES[chunk.start : chunk.end]
        if chunk.case is not None:
            start, end = spans[chunk.case]
            assert start <= chunk.start < chunk.end <= end


NOTICE = """关于进一步优化营商环境的通知
各县(市、区)人民政府:
为落实要求,现通知如下。
第一章 总则
第一条 为了优化营商环境,制定本办法。
第二条 本办法适用于全市。
(一)企业开办;
(二)注销;
第二章 服务
一、压缩时限
1.企业开办压缩至1天
2.5个工作日内办结的事项不再延长。
二、减少材料
(一)证照。一是免提交身份证。二是免提交执照。
"""


def test_a_notice_is_split_by_chapters_articles_and_sections() -> None:
    outline = parse_outline(NOTICE)
    shape = [(n.kind, n.label) for n in outline if n.kind not in ("heading", "paragraph")]
    assert shape == [
        ("document", ""),
        ("chapter", "第一章"),
        ("section", "第一条"),
        ("section", "第二条"),
        ("item", "(一)"),
        ("item", "(二)"),
        ("chapter", "第二章"),
        ("section", "一、"),
        ("subsection", "1."),
        ("section", "二、"),
        ("subsection", "(一)"),
        ("item", "一是"),
        ("item", "二是"),
    ]


def test_a_heading_that_says_something_is_text_too() -> None:
    text = (
        "一、每村配备护林员6名。\n二、禁火期为10月1日至次年4月30日。\n某镇人民政府\n"
        "（一）环保局负责，目前完成75%。各单位要抓紧推进，确保年底前完成。\n"
        "（二）完善工作机制。每月调度一次。\n"
    )
    doc = document(text)
    assert [node.title for node in doc.outline if node.kind in ("section", "subsection")] == [
        *("每村配备护林员6名", "禁火期为10月1日至次年4月30日", "环保局负责，目前完成75%"),
        "完善工作机制",
    ]
    assert [chunk.text for chunk in split_chunks(doc)] == [
        "一、每村配备护林员6名。",
        "二、禁火期为10月1日至次年4月30日。",
        "某镇人民政府",
        "（一）环保局负责，目前完成75%。各单位要抓紧推进，确保年底前完成。",
        "每月调度一次。",
    ]


def test_markdown_and_word_headings_nest() -> None:
    text = "# 总则\n正文。\n## 细则\n内容。\n# 附则\n附。"
    outline = parse_outline(text)
    detail = next(n for n in outline if n.title == "细则")
    assert [n.title for n in path(outline, detail)] == ["总则", "细则"]
    plain = "总则\n正文。\n细则\n内容。"
    outline = parse_outline(plain, headings=[(0, 2, 1), (7, 9, 2)])
    detail = next(n for n in outline if n.title == "细则" and n.kind != "heading")
    assert [n.title for n in path(outline, detail)] == ["总则", "细则"]


def paths(text: str, headings=()) -> list[str]:
    """The leaves that are text, each below its headings."""
    outline = parse_outline(text, headings)
    return [
        "/".join(up.label + up.title for up in path(outline, n)[:-1]) + "/" + text[n.start : n.end].strip()
        for n in outline
        if n.kind in ("paragraph", "item")
    ]  # fmt: skip


def test_headings_without_labels_nest_below_labelled_ones_of_a_lesser_level() -> None:
    text = "# 一、要求\n## 目标\n甲。\n# 二、措施\n## 1. 一\n### 1.1 二\n乙。\n## 2. 三\n丙。"
    assert paths(text) == ["一、要求/目标/甲。", "二、措施/1.一/1.1 二/乙。", "二、措施/2.三/丙。"]
    text = "1. 总则\n1.1 目的\n甲。\n2. 附则\n2.1 施行\n乙。"
    starts = [(text.index(line), line) for line in text.split("\n") if line[0].isdigit()]
    levels = [(at, at + len(line), 1 + (". " not in line)) for at, line in starts]
    assert paths(text, levels) == ["1.总则/1.1 目的/甲。", "2.附则/2.1 施行/乙。"]


def test_annexes_begin_anew_and_questions_head_their_answers() -> None:
    text = "一、目标\n甲。\n附件：1. 清单\n某局\n附件1\n清单\n一、任务\n乙。\n附 件 2：\n丙。"
    assert paths(text)[1:] == [
        "一、目标/附件：1. 清单", "一、目标/某局", "附件1/清单", "附件1/一、任务/乙。", "附 件 2/丙。",
    ]  # fmt: skip
    text = "一、开办\n1.问：多久？\n答：一天。\n2.收费吗？\n答：不收。\n问：可否网办？\n答：可。\n答：另注。"
    assert paths(text) == [
        "一、开办/1.问：多久？/答：一天。", "一、开办/2.收费吗？/答：不收。",
        "一、开办/问：可否网办？/答：可。", "一、开办/问：可否网办？/答：另注。",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "label"),
    [("一创新土地混合利用模式", "一"), ("三建设优质产业空间", ""), ("一批企业受益。", "")],
    ids=["next number", "number out of order", "a sentence"],
)
def test_a_heading_without_its_mark_must_be_the_next_one(line: str, label: str) -> None:
    sections = [n.label for n in parse_outline(line + "\n正文。") if n.kind == "section"]
    assert sections == ([label] if label else [])


def test_chinese_numbers() -> None:
    numerals = ["一", "十", "十四", "二十", "九十九", "一百二十", "7"]
    assert [chinese_number(n) for n in numerals] == [1, 10, 14, 20, 99, 120, 7]


def test_numerals_are_read_back() -> None:
    numbers = list(range(1, 1000))
    assert [chinese_number(chinese_numeral(number)) for number in numbers] == numbers


def test_place_of_a_case() -> None:
    assert case_place("广州市:建设智慧税务", "") == "广州市"
    assert case_place("广东建立机制", "近年来广东省建立") == "广东省"
    assert case_place("关于印发方案的通知", "无") == ""


def test_sentences_keep_closing_quotes_and_ignore_semicolons() -> None:
    text = "他说：“好。”然后走了；天晴。 Is it? Yes, v2.0 works. 完"
    assert [text[a:b] for a, b in sentence_spans(text)] == [
        "他说：“好。”",
        "然后走了；天晴。",
        "Is it?",
        "Yes, v2.0 works.",
        "完",
    ]


def test_a_row_of_a_table_is_one_sentence() -> None:
    row = "问题：公积金提取几天到账??；答复：“3个工作日。”；单位：公积金中心"
    assert sentence_spans(row) == [(0, len(row))]


def test_a_text_without_punctuation_gives_bounded_sentences() -> None:
    assert max(b - a for a, b in sentence_spans("字" * 10_000)) <= MAX_SENTENCE


LINES = st.lists(
    st.sampled_from(
        [
            "案例一", "案例二 某市:标题", "  某市改革 新模式", "一、标题", "二无顿号标题", "(一)小节。一是甲。二是乙。",
            "一是甲。", "正文一句。又一句;还有。", "第三条 内容。", "# 标题", "", "\u3000\u00a0", "1.条目",
            "下一步,继续。", "责任编辑:某", "句中一是甲，二是乙。", "“引文。”后文",
        ]
    )
    | st.text(max_size=40),
    max_size=25,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(LINES, st.sampled_from(["\n", "\n\n"]))
def test_any_text_is_tiled_by_its_leaves_and_kept_by_its_chunks(lines, newline) -> None:
    text = newline.join(lines)
    doc = document(text)
    tiles = leaves(doc.outline)
    assert "".join(text[n.start : n.end] for n in tiles) == text or not text.strip()
    chunks = split_chunks(doc)
    cases = {n.id: n.case for n in doc.outline}
    for chunk in chunks:
        assert chunk.text == text[chunk.start : chunk.end]
        assert chunk.case == cases[chunk.node]
    assert all(a.end <= b.start for a, b in pairwise(chunks))
    content = {"item", "paragraph", "row", "preface"}
    for node in tiles:
        if node.kind in content:
            parent = doc.outline[node.id].parent
            inside = [c for c in chunks if doc.outline[c.node].parent == parent]
            for a, b in sentence_spans(text, node.start, node.end):
                assert any(c.start <= a and b <= c.end for c in inside)
