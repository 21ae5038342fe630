"""The words of the page, its frame, the tabs of cases, documents and evaluation."""

import re
from dataclasses import replace
from html import unescape

import pytest
from fake_assistant import cases_document

from corpus.chunks import split_chunks
from corpus.errors import CorpusError
from rag.assistant import Assistant
from rag.intake import Failure, Notice
from rag.library import AddReport
from rag.watch import WatchState
from ui.cases import (
    THEMES,
    case_cards,
    find_case,
    render_case,
    render_cases,
    render_names,
    render_scope,
    render_years,
    select_cards,
)
from ui.conversations import Rating
from ui.documents import (
    ROWS,
    Row,
    added_words,
    reason_words,
    render_documents,
    render_preview,
    render_watched,
    uploaded_file,
)
from ui.evaluate import render_comparison, render_progress, render_ratings
from ui.shell import VIEWS, render_indexing, render_shell, render_welcome
from ui.text import _TEXT, EXAMPLES, keys

EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def document():
    return cases_document()


# Words


def test_every_text_has_both_languages_with_the_same_places():
    for key in keys():
        zh, en = _TEXT[key]
        assert zh.strip()
        assert en.strip()
        assert set(re.findall(r"{(\w+)}", zh)) == set(re.findall(r"{(\w+)}", en)), key
        assert re.search("[\u4e00-\u9fff]", en) is None or key.startswith("switch"), key


def test_chinese_texts_use_full_width_punctuation():
    wrong = [key for key in keys() if re.search(r"[\u4e00-\u9fff][,;:?!]", _TEXT[key][0])]
    assert wrong == []


def test_every_text_is_used_by_the_page():
    from pathlib import Path

    ui = Path("ui")
    code = "".join(p.read_text("utf-8") for p in [*ui.glob("*.py"), *ui.glob("static/*.js")])
    prefixes = (
        "export_",
        "view_",
        "working_",
        "kind_",
        "stage_",
        "cause_",
        "status_",
        "col_",
        "field_",
        "split_",
        "metric_",
        "type_",
        "label_",
        "replaced",
    )
    unused = [
        k
        for k in keys()
        if not k.startswith(prefixes) and len(re.findall(f"[\"']{k}[\"']", code)) < 2
    ]
    assert unused == []


# Frame


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_control_of_the_frame_has_a_name(lang):
    html = render_shell(lang, max_file_mb=100) + render_welcome(lang, examples=True)
    for tag, rest in re.findall(r"<(button|input|select|textarea)\b([^>]*)>(?=.)", html):
        after = html.split(f"<{tag}{rest}>", 1)[1]
        words = re.sub("<[^>]*>", "", after.split(f"</{tag}>")[0]).strip()
        in_label = 'type="file"' in rest  # its label is the drop zone around it
        assert "aria-label=" in rest or words or in_label, (tag, rest)


def test_examples_show_the_range_and_one_has_no_answer():
    html = render_welcome("zh", examples=True)
    assert html.count('data-do="example"') == len(EXAMPLES) >= 5
    assert "材料中没有的" in html
    assert 'data-do="example"' not in render_welcome("zh", examples=False)


def test_indexing_shows_how_far_it_is():
    html = render_indexing("zh", "向量", 30, 120)
    assert 'value="25"' in html
    assert "30 / 120" in html
    assert "首次启动" in html
    assert "首次启动" not in render_indexing("zh", "重新编码", 30, 120)


# Cases


def test_all_cases_are_listed_with_place_and_theme(document):
    cards = case_cards([document])
    assert [c.case for c in cards] == list(range(1, 15))
    assert {c.place for c in cards} == {"广东省", "广州市", "深圳市", "东莞市"}
    named = {c.case: THEMES[c.theme][0]["zh"] for c in cards}
    assert (named[2], named[3], named[12]) == ("纳税服务", "破产办理", "招标投标")


def test_years_are_offered_where_documents_have_dates():
    html = render_years(["2024-03", "", "2022", "2024"], "zh")
    assert re.findall('value="(.*?)"', html) == ["", "2024:2024", "2022:", "2022:2022"]
    assert render_years(["", ""], "zh") == ""


def test_names_are_offered_where_documents_have_them():
    html = render_names("all_departments", ["省财政厅", EVIL], "zh")
    assert [unescape(v) for v in re.findall('value="(.*?)"', html)] == ["", "省财政厅", EVIL]
    assert "<img" not in html
    assert render_names("all_themes", [], "zh") == ""


def test_filters_narrow_the_cards(document):
    cards = case_cards([document])
    assert [c.case for c in select_cards(cards, place="广州市")] == [2]
    assert [c.case for c in select_cards(cards, words="破产 深圳")] == [3]
    assert select_cards(cards, place="广州市", words="破产") == []
    assert "没有符合条件的案例" in render_cases(cards, "zh", words="zzz")


def test_case_is_read_in_full_with_its_outline(document):
    node = find_case(document, 7)
    html = render_case(document, node, "zh")
    text = unescape(re.sub("<[^>]*>", "", html))
    assert "".join(document.text[node.start : node.end].split()) in "".join(text.split())
    assert 'data-do="ask-case" data-document="1" data-case="7"' in html
    assert find_case(document, 99) is None


def test_scope_offers_cases_and_documents_without_cases(document):
    html = render_scope(case_cards([document]), [(5, EVIL)], "zh")
    assert 'value="1:14"' in html
    assert 'value="5:"' in html
    assert "<img" not in html


# Documents


def test_documents_table_shows_state_size_passages_and_date():
    rows = [
        Row(1, "a.docx", "关于…的通知", "深圳市 · 2024", 63_332, 1203, "2026-11-24T10:00:00"),
        Row(2, EVIL, EVIL, EVIL, 10, 0, "2026-11-23"),
    ]
    html = render_documents(rows, "zh")
    for words in (
        "关于…的通知",
        "a.docx",
        "深圳市 · 2024",
        "可检索",
        "63,332 字",
        "1,203 段",
        "2026-11-24",
    ):
        assert words in html
    assert "<img" not in html


def test_large_library_is_shown_in_parts():
    rows = [Row(i, f"{i}.txt", f"第{i}号", "", 1, 1, "2026-11-24") for i in range(ROWS + 5)]
    html = render_documents(rows, "zh")
    assert html.count("<tr>") == ROWS + 1
    assert "还有 5 份" in html
    assert f'data-limit="{2 * ROWS}"' in html
    assert "more-documents" not in render_documents(rows[:ROWS], "zh")


def test_preview_shows_every_chunk_in_order(document):
    chunks = split_chunks(document)
    html = render_preview(document, chunks, "zh")
    assert f"{len(chunks)} 段" in html
    assert html.count('class="chunk"') == len(chunks)


def test_preview_tells_what_was_not_read(document):
    partly = replace(document, notice="第3页是扫描件，未读入 (scanned: page 3)")
    assert "<span>第3页是扫描件，未读入</span>" in render_preview(partly, [], "zh", more=0)
    assert "<span>scanned: page 3</span>" in render_preview(partly, [], "en", more=0)


def test_added_file_tells_what_was_not_read():
    notice = Notice("a.pdf", "第3页是扫描件，未读入 (scanned: page 3)")
    report = AddReport(unchanged=(1,), notices=(notice,))
    for lang, words in (("zh", "第3页是扫描件，未读入"), ("en", "scanned: page 3")):
        assert added_words(report, None, "a.pdf", lang)[2] == [words]
        assert added_words(report, None, "a.zip", lang)[2] == [f"a.pdf: {words}"]


def test_failure_in_an_archive_names_its_file_once():
    failed = (Failure("a.zip/坏.docx", "corpus: 无法读取 a.zip/坏.docx：损坏 (damaged)"),)
    words = added_words(AddReport(failed=failed), None, "a.zip", "zh")[2]
    assert words == ["无法读取 a.zip/坏.docx：损坏"]


def test_new_version_is_told_from_a_new_document(tmp_path):
    with Assistant.open(tmp_path) as assistant:
        library = assistant.library
        for content, told in (("甲。", "已添加，1 段"), ("乙。", "已更新同名文档，1 段")):
            report = library.add([("a.txt", content.encode())])
            assert added_words(report, library, "a.txt", "zh")[:2] == ("done", told)


def test_watched_folder_tells_what_was_not_read():
    notice = Notice(EVIL, "第3页是扫描件，未读入 (scanned: page 3)")
    failure = Failure("b.txt", "corpus: 无法读取 b.txt：文件是空的 (cannot read b.txt: empty)")
    state = WatchState("/材料", failed=(failure,), notices=(notice, notice))
    for lang, words in (("zh", "未读入</li>"), ("en", "scanned: page 3</li>")):
        html = render_watched(state, lang)
        assert html.count(words) == 2
        assert "<img" not in html
    assert "1 个文件未能添加" in render_watched(state, "zh")
    assert "details" not in render_watched(WatchState("/材料"), "zh")


def test_only_files_of_the_upload_folder_are_added(tmp_path):
    inside, outside = tmp_path / "up" / "a.txt", tmp_path / "b.txt"
    inside.parent.mkdir()
    inside.write_text("x")
    outside.write_text("x")
    assert uploaded_file(str(inside), "../../名.txt", inside.parent) == (inside, "名.txt")
    for path in (outside, inside.parent / ".." / "b.txt", inside.parent, "", None):
        with pytest.raises(CorpusError):
            uploaded_file(path, "b.txt", inside.parent)


# Evaluation


def test_evaluation_progress_has_numbers():
    assert "3 / 12" in render_progress(3, 12, "zh")
    assert 'value="25"' in render_progress(3, 12, "zh")


def test_ratings_are_counted_by_cause():
    said = [Rating("甲", "good"), Rating(EVIL, "遗漏", EVIL), Rating("乙", "遗漏")]
    html = render_ratings(said, "zh")
    assert html.count("<li ") == 2
    assert "<img" not in html
    assert re.findall(r"<b>(\d+)</b><span>(.*?)</span>", html) == [("1", "回答有用"), ("2", "遗漏")]
    assert render_ratings([], "zh") == ""


def test_runs_are_compared_with_the_run_before_of_the_same_split():
    from eval.runner import Row, Run

    def run(date, split, must):
        row = Row(
            "q", "fact", EVIL, (), EVIL, True, (), (), "", (), (), 1.0, False, False, {"must": must}
        )
        return Run(date, split, "m", "extractive", (row,))

    runs = [run("2026-11-24T08:00:00+00:00", "test", 0.75), run("2026-11-23", "dev", 0.1)]
    assert render_comparison(runs, "zh") == ""
    html = render_comparison([*runs, run("2026-11-22", "test", 0.5)], "zh")
    assert "0.750<small>+0.250</small>" in html
    assert html.count("<tr>") == 3


def test_views_have_tabs():
    html = render_shell("zh", max_file_mb=1)
    assert re.findall(r'data-do="view" data-view="(\w+)"', html) == list(VIEWS)


@pytest.mark.parametrize(
    ("reason", "zh", "en"),
    [
        ("corpus: 无法读取 甲.docx：空的 (cannot read 甲.docx: empty)", "无法读取 甲.docx：空的",
         "cannot read 甲.docx: empty"),
        ("corpus: 无法读取 报告 (1).docx：空的 (cannot read 报告 (1).docx: empty)",
         "无法读取 报告 (1).docx：空的", "cannot read 报告 (1).docx: empty"),
        ("第3页未读入 (page 3 was not read)", "第3页未读入", "page 3 was not read"),
        ("报告(1)", "报告(1)", "报告(1)"),
        (")", ")", ")"),
    ],
)  # fmt: skip
def test_reasons_are_told_in_the_language_of_the_page(reason, zh, en):
    assert (reason_words(reason, "zh"), reason_words(reason, "en")) == (zh, en)
