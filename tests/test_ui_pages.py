"""The frame, the cases and documents tabs, the queue, and the functions that the script calls."""

import re
import socket
import threading
import time
from html import unescape

import pytest
from fake_assistant import FakeAssistant, cases_document

from corpus.chunks import split_chunks
from corpus.errors import CorpusError, StoreError, UserError
from ui.app import _own_page, serve
from ui.asking import Asked, answer_question, as_number, scope_filters
from ui.cases import (
    THEMES,
    case_cards,
    find_case,
    render_case,
    render_cases,
    render_scope,
    select_cards,
)
from ui.conversations import Talk, answer_from_json, answer_to_json, render_list, title_of
from ui.documents import Row, render_documents, render_preview, uploaded_file
from ui.endpoints import Endpoints
from ui.evaluate import render_comparison, render_progress, render_ratings
from ui.service import Runs, Service, explain, wait_turn
from ui.shell import VIEWS, render_indexing, render_shell, render_welcome
from ui.text import _TEXT, CAUSES, EXAMPLES, keys, local_time, say

EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def document():
    return cases_document()


@pytest.fixture
def service():
    opened = Service(lambda progress: FakeAssistant())
    opened.open()
    assert opened.wait(30)
    yield opened
    opened.close()


@pytest.fixture
def call(service, tmp_path):
    functions = {f.__name__: f for f in Endpoints(service, tmp_path).functions()}
    return lambda name, **payload: functions[f"page_{name}"](payload)


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
        "kind_",
        "stage_",
        "cause_",
        "status_",
        "col_",
        "field_",
        "split_",
        "metric_",
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


# Cases


def test_all_cases_are_listed_with_place_and_theme(document):
    cards = case_cards([document])
    assert [c.case for c in cards] == list(range(1, 15))
    assert {c.place for c in cards} == {"广东省", "广州市", "深圳市", "东莞市"}
    named = {c.case: THEMES[c.theme][0]["zh"] for c in cards}
    assert (named[2], named[3], named[12]) == ("纳税服务", "破产办理", "招标投标")


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
        "1,203",
        "2026-11-24",
    ):
        assert words in html
    assert "<img" not in html


def test_preview_shows_every_chunk_in_order(document):
    chunks = split_chunks(document)
    html = render_preview(document, chunks, "zh")
    assert f"{len(chunks)} 段" in html
    assert html.count('class="chunk"') == len(chunks)


def test_only_files_of_the_upload_folder_are_added(tmp_path):
    inside, outside = tmp_path / "up" / "a.txt", tmp_path / "b.txt"
    inside.parent.mkdir()
    inside.write_text("x")
    outside.write_text("x")
    assert uploaded_file(str(inside), "../../名.txt", inside.parent) == (inside, "名.txt")
    for path in (outside, inside.parent / ".." / "b.txt", inside.parent, "", None):
        with pytest.raises(CorpusError):
            uploaded_file(path, "b.txt", inside.parent)


# Conversations


def test_answer_survives_the_store(document):
    for question in ("调解", "公平竞争", "大湾区", "比较", "别的"):
        built = FakeAssistant().ask(question)
        assert answer_from_json(answer_to_json(built)) == built


def test_answer_of_a_later_version_can_be_read():
    text = answer_to_json(FakeAssistant().ask("调解"))
    assert answer_from_json(text[:-1] + ', "novelty": 1}').question == "调解"


def test_conversations_are_grouped_by_day_and_escaped():
    from datetime import date

    talks = [Talk(2, EVIL, "2026-11-24T09:00:00"), Talk(1, "旧的", "2026-11-20")]
    html = render_list(talks, "zh", current=1, today=date(2026, 11, 24), query="")
    assert re.findall("<h3>(.*?)</h3>", html) == ["今天", "更早"]
    assert html.count('aria-current="true"') == 1
    assert "<img" not in html
    nothing = render_list([], "zh", current=0, today=date(2026, 11, 24), query="x")
    assert "没有匹配的对话" in nothing


def test_titles_are_one_short_line():
    assert title_of(" 一\n 二 ") == "一 二"
    assert len(title_of("问" * 100)) == 40


# Asking


def ask(service, question, **fields):
    page = {"run": "r1", "question": question, "lang": "zh", **fields}
    return list(answer_question(service, Asked.from_page(page), lambda conversation: {}))


def test_updates_hold_the_whole_message_and_the_last_one_is_kept(service, call):
    updates = ask(service, "调解机构有几个？")
    assert [u["done"] for u in updates][-1] is True
    assert not any(u["done"] for u in updates[:-1])
    conversation = updates[-1]["conversation"]
    assert call("conversation", conversation=conversation)["html"] == updates[-1]["html"]


def test_follow_up_is_asked_with_its_history(service):
    first = ask(service, "公平竞争？")[-1]["conversation"]
    html = ask(service, "那广州呢？", conversation=first)[-1]["html"]
    assert "按此理解" in html


def test_stopped_question_says_so_and_keeps_nothing(service, call):
    page = Asked.from_page({"run": "r", "question": "调解", "lang": "zh"})
    updates = answer_question(service, page, lambda conversation: {})
    next(updates)
    call("stop", run="r")
    last = list(updates)[-1]
    assert last["done"]
    assert "已停止" in last["html"]
    assert call("conversations")["html"].count("<li") == 0


def test_closing_the_page_stops_the_answer(service):
    page = Asked.from_page({"run": "gone", "question": "调解", "lang": "zh"})
    updates = answer_question(service, page, lambda conversation: {})
    next(updates)
    assert service.runs.alive("gone")
    updates.close()
    assert not service.runs.alive("gone")


def test_failure_is_a_sentence_not_a_traceback(service, monkeypatch, caplog):
    def broken(*args, **kwargs):
        raise RuntimeError("secret detail")

    monkeypatch.setattr(service.assistant, "stream", broken)
    html = ask(service, "调解")[-1]["html"]
    assert "内部错误" in html
    assert "secret" not in html
    assert "secret detail" in caplog.text


def test_answer_is_shown_although_it_cannot_be_kept(service, monkeypatch):
    def full(*args):
        raise StoreError("磁盘已满。", "The disk is full.")

    monkeypatch.setattr("ui.conversations.Conversations.add", full)
    html = ask(service, "调解")[-1]["html"]
    assert "528人" in html
    assert "这次问答没有保存：磁盘已满。" in html


def test_waiting_questions_are_told_how_many_are_ahead():
    runs = Runs(limit=1)
    with runs.enter("a"), runs.enter("b"), runs.enter("c") as cancel:
        assert [runs.ahead(r) for r in "abc"] == [0, 1, 2]
        waiting = wait_turn(runs, "c", cancel)
        assert next(waiting) == 2
        runs.stop("c")
        assert list(waiting) == []
    assert not runs.alive("a")


def test_page_data_is_read_with_defaults():
    assert Asked.from_page(None).question == ""
    odd = Asked.from_page({"conversation": "-3", "retry": "x", "case": "1:x", "place": None})
    assert (odd.conversation, odd.retry) == (0, 0)
    assert scope_filters("深圳市", "2:9").cases == (9,)
    assert not scope_filters("", "")
    assert as_number("9" * 40) == 0


# Service and functions


def test_opening_shows_progress_then_the_page():
    release = threading.Event()

    def opener(progress):
        progress("向量", 1, 4)
        release.wait(30)
        return FakeAssistant()

    service = Service(opener)
    start = {f.__name__: f for f in Endpoints(service, None).functions()}["page_start"]
    service.open()
    while service.progress[2] == 0:
        pass
    assert start({"lang": "en"}) == {
        "ready": False,
        "html": render_indexing("en", "向量", 1, 4),
    }
    release.set()
    service.wait(30)
    assert start({})["ready"] is True
    service.close()


def test_failure_to_open_is_told_in_the_language_of_the_page():
    def opener(progress):
        raise StoreError("数据目录只读。", "The home folder is read-only.")

    service = Service(opener)
    service.open()
    service.wait(30)
    start = {f.__name__: f for f in Endpoints(service, None).functions()}["page_start"]
    assert "数据目录只读。" in start({"lang": "zh"})["html"]
    assert "read-only" in start({"lang": "en"})["html"]
    with pytest.raises(UserError):
        _ = service.assistant


def test_functions_answer_errors_as_sentences(call, caplog):
    assert call("case", document=99, case=1, lang="zh")["error"]
    assert call("source", citations="x")["error"] == say("broken", "zh")
    assert call("rate", message=1, verdict="bad", cause="胡说")["error"]
    assert call("rename")["error"]
    assert "Traceback" in caplog.text  # in the log, where it belongs


def test_ratings_come_back_with_the_conversation(service, call):
    last = ask(service, "调解机构？")[-1]
    message = int(re.search(r'data-message="(\d+)"', last["html"])[1])
    for cause in CAUSES:
        assert (
            f"已记录：{cause}" in call("rate", message=message, verdict="bad", cause=cause)["html"]
        )
    call("rate", message=message, verdict="good")
    assert "已记录：有用" in call("conversation", conversation=last["conversation"])["html"]


def test_removed_document_still_shows_its_quote(service, call):
    row = {**_row(), "document_id": 77}
    html = call("source", citations=[row], position=0, lang="zh")["html"]
    assert "已移除" in html
    assert row["quote"] in html


def test_explain_uses_the_language_of_the_page():
    error = UserError("甲。", "A.")
    assert (explain(error, "zh"), explain(error, "en")) == ("甲。", "A.")


def test_evaluation_progress_has_numbers():
    assert "3 / 12" in render_progress(3, 12, "zh")
    assert 'value="25"' in render_progress(3, 12, "zh")


def test_ratings_are_counted_by_cause():
    html = render_ratings(["good", "遗漏", "遗漏"], "zh")
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


def test_times_of_the_store_are_shown_in_local_time(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    try:
        assert local_time("2026-11-24 23:30:00") == "2026-11-25 07:30"
        assert local_time("2026-11-24T23:30:00+00:00") == "2026-11-25 07:30"
        assert local_time("") == ""
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("method", "headers", "host", "allowed"),
    [
        ("GET", {b"host": b"127.0.0.1:7860"}, "127.0.0.1", True),
        (
            "POST",
            {b"host": b"localhost:7860", b"sec-fetch-site": b"same-origin"},
            "127.0.0.1",
            True,
        ),
        ("POST", {b"host": b"127.0.0.1", b"sec-fetch-site": b"cross-site"}, "127.0.0.1", False),
        ("GET", {b"host": b"evil.example:7860"}, "127.0.0.1", False),
        ("GET", {b"host": b"[::1]:7860"}, "::1", True),
        ("GET", {b"host": b"zhengwen.local"}, "0.0.0.0", True),
    ],
)
def test_pages_of_other_sites_are_kept_out(method, headers, host, allowed):
    assert _own_page(method, headers, host) is allowed


def test_taken_port_is_told_before_anything_is_opened():
    def opener(progress):
        raise AssertionError("not reached")

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UserError, match="--port"):
            serve(opener, port=taken.getsockname()[1])
    with pytest.raises(UserError, match="--port"):
        serve(opener, port=99_999)


def test_views_have_tabs():
    html = render_shell("zh", max_file_mb=1)
    assert re.findall(r'data-do="view" data-view="(\w+)"', html) == list(VIEWS)


def _row():
    from dataclasses import asdict

    return asdict(FakeAssistant().ask("调解").citations[0])
