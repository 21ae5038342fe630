"""Conversations, asking, the queue, and the functions that the page's script calls."""

import re
import socket
import threading
import time
from pathlib import Path

import pytest
from fake_assistant import FakeAssistant, cases_document

from corpus.errors import StoreError, UserError
from rag.library import AddReport
from rag.types import Stage
from ui.app import _own_page, serve
from ui.asking import Asked, answer_question, as_number, scope_filters
from ui.conversations import Talk, answer_from_json, answer_to_json, render_list, title_of
from ui.endpoints import Endpoints
from ui.service import Runs, Service, explain, wait_turn
from ui.shell import render_indexing
from ui.text import CAUSES, local_time, say

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


def test_a_refusal_within_a_scope_says_so(service):
    assert "放宽" in ask(service, "别的？", place="深圳市")[-1]["html"]
    assert "放宽" not in ask(service, "别的？")[-1]["html"]
    assert "放宽" not in ask(service, "调解？", place="深圳市")[-1]["html"]


def test_every_stage_is_shown_as_it_ends_and_once(service):
    def stream(*_, **__):
        yield from (Stage("retrieve", 0.01), Stage("rank", 0.01), Stage("retrieve", 0.03))
        yield FakeAssistant().ask("调解")

    service.assistant.stream = stream
    shown = [re.findall(r"<li>(\w+) ", u["html"]) for u in ask(service, "调解机构？")]
    assert shown[1:4] == [["检索"], ["检索", "排序"], ["检索", "排序"]]


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
    assert scope_filters(place="深圳市", case="2:9").cases == (9,)
    assert not scope_filters()
    told = Asked.from_page({"department": "省财政厅", "theme": "纳税"}).filters
    assert (told.departments, told.themes) == (("省财政厅",), ("纳税",))
    dated = scope_filters(date="2023:")
    assert (dated.since, dated.until) == ("2023", "")
    assert scope_filters(date="2023:2023").until == "2023"
    assert not scope_filters(date="x';--:y")
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
    call("rate", message=message, verdict="bad", cause="其他", note="少了一项")
    assert service.assistant.library.store.kept[message].note == "少了一项"
    call("rate", message=message, verdict="good")
    assert "已记录：有用" in call("conversation", conversation=last["conversation"])["html"]


def test_a_question_is_labelled_reworded_and_deleted(service, call):
    last = ask(service, "调解机构？")[-1]
    message = int(re.search(r'data-message="(\d+)"', last["html"])[1])
    html = call("label", message=message, lang="zh")["html"]
    assert "调解机构？</textarea>" in html
    quote = "全市成立11个税费争议调解机构"
    fields = {"type": "fact", "evidence": [quote], "lang": "en"}
    assert call("keep_label", question="几个？", **{**fields, "evidence": []})["problem"]
    assert call("keep_label", question="几个？", **fields) == {}
    (kept,) = service.assistant.library.store.questions()
    assert quote in call("label", question=kept.id)["html"]
    assert call("keep_label", question="有几个？", id=kept.id, **fields) == {}
    (reworded,) = service.assistant.library.store.questions()
    assert reworded.question == "有几个？"
    assert "有几个？" in call("questions")["html"]
    call("unlabel", question=reworded.id)
    assert service.assistant.library.store.questions() == []


def test_removed_document_still_shows_its_quote(service, call):
    row = {**_row(), "document_id": 77}
    html = call("source", citations=[row], position=0, lang="zh")["html"]
    assert "已移除" in html
    assert row["quote"] in html


def test_explain_uses_the_language_of_the_page():
    error = UserError("甲。", "A.")
    assert (explain(error, "zh"), explain(error, "en")) == ("甲。", "A.")


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
        ("POST", {b"host": b"a:7860", b"origin": b"http://a:7860"}, "0.0.0.0", True),
        ("POST", {b"host": b"a:7860", b"origin": b"http://evil.example"}, "0.0.0.0", False),
        ("POST", {b"host": b"a:7860"}, "0.0.0.0", True),
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


def _row():
    from dataclasses import asdict

    return asdict(FakeAssistant().ask("调解").citations[0])


def test_each_upload_has_its_own_progress_and_can_be_cancelled(service, tmp_path, monkeypatch):
    seen = []
    functions = {f.__name__: f for f in Endpoints(service, tmp_path).functions()}

    def call(function, path, name=""):
        return functions[f"page_{function}"]({"path": path, "name": name})

    def adding(files, progress, cancelled):
        progress("编码", 3, 9)
        seen.append((call("adding", first), call("adding", second), cancelled()))
        call("cancel", second, "b.txt")
        seen.append(cancelled())
        call("cancel", first, "a.txt")
        seen.append(cancelled())
        return AddReport()

    first, second = str(tmp_path / "a.txt"), str(tmp_path / "b.txt")
    for path in (first, second):
        Path(path).write_text("文字", "utf-8")
    monkeypatch.setattr(service.assistant.library, "add", adding, raising=False)
    call("add", first, "a.txt")
    encoding, waiting, cancelled = seen[0]
    assert (encoding["stage"], encoding["done"], encoding["total"]) == ("编码", 3, 9)
    assert (waiting["stage"], waiting["total"]) == ("等待", 0)
    assert (cancelled, *seen[1:]) == (False, False, True)
    assert "error" not in call("cancel", first, "a.txt")  # it is added already
