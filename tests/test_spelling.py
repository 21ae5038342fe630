"""Slips of a pinyin input method, put right after the documents."""

from contextlib import closing

import pytest
from fake_encoder import FakeEncoder
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.builtin import builtin_document
from embeddings.fold import fold
from embeddings.tokens import words
from rag.assistant import Assistant
from rag.library import Library
from rag.spelling import Spelling

NOTICE = (
    "关于信用修复的通知\n一、目标\n优化营商环境,推进信用修复,开展公平竞争审查。\n二、措施\n"
    "龙岗宝龙科技园提供厂房。税费争议调解机构提供调解。上门兑换零钱包。"
)
CASES = builtin_document()[1].decode()
WORDS = sorted({word for word in words(fold(CASES)) if not word.isascii()})


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    with_notice = Library.open(tmp_path_factory.mktemp("home"), FakeEncoder(), builtin=False)
    with_notice.add([("通知.txt", NOTICE.encode())])
    yield with_notice
    with_notice.close()


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    opened = Library.open(tmp_path_factory.mktemp("home"), FakeEncoder())
    yield opened
    opened.close()


def spelling(library) -> Spelling:
    return Spelling(library.snapshot().lexical, library.store)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("信用休复有哪些措施?", "信用修复有哪些措施?"),
        ("优化营商还境", "优化营商环境"),
        ("宝农科技园厂房面积", "宝龙科技园厂房面积"),
        ("税费争议条解机构", "税费争议调解机构"),
        ("公平净争审查", "公平竞争审查"),
        ("信用休复和公平净争审查", "信用修复和公平竞争审查"),
        ("優化營商還境", "優化營商环境"),
        ("２０２３年信用休复", "２０２３年信用修复"),
        ("兑换了多少零钱苞?", "兑换了多少零钱包?"),
    ],
)
def test_a_character_is_replaced_by_one_of_like_sound(library, typed, meant) -> None:
    assert spelling(library).corrected(typed) == meant


@pytest.mark.parametrize(
    "question",
    [
        "佛山的最低工资是多少?",  # real words that no document has
        "福州市信用调查",
        "“信用休复”是什么?",
        "《信用休复办法》",
        "信用休 复",
        "“零钱苞”是什么?",
        "兑换了多少零钱袋?",
        "有多少家几个人的?",
        "休复",  # nothing beside it that the documents could bear out
        "他休复了没有",
        "AI和5G在2023年",
        "How many companies?",
        "信用休复…",  # folding makes three points of one
    ],
)
def test_what_is_not_sure_to_be_a_slip_stays(library, question) -> None:
    assert spelling(library).corrected(question) == question


@pytest.mark.parametrize(
    ("said", "corrected"),
    [
        ("审批公示表有一页。", "审批公示表多长?"),
        ("审批公司表有一页。", "审批公司表多长?"),  # only like it, but there is no other
        ("审批公司表有一页。审批公示表有两页。", "审批公示表多长?"),  # the same sound goes before
        ("审批公式表有一页。审批公示表有两页。", "审批公释表多长?"),  # one is as good as the other
    ],
)
def test_there_must_be_one_best_word(memory_path, said, corrected) -> None:
    with closing(Library.open(memory_path, FakeEncoder(), builtin=False)) as library:
        library.add([("审批.txt", said.encode())])
        assert spelling(library).corrected("审批公释表多长?") == corrected


def test_of_two_words_of_one_sound_that_of_most_passages_is_meant(memory_path) -> None:
    with closing(Library.open(memory_path, FakeEncoder(), builtin=False)) as library:
        said = ("审批公式表有一页。", "审批公示表有两页。", "审批公示表有三页。")
        library.add([(f"{n}.txt", text.encode()) for n, text in enumerate(said)])
        assert spelling(library).corrected("审批公释表") == "审批公示表"


def test_what_the_documents_say_is_no_slip_however_it_is_cut(memory_path) -> None:
    with closing(Library.open(memory_path, FakeEncoder(), builtin=False)) as library:
        library.add([("一.txt", "公平净争审查是一个错字。公平竞争审查才对。".encode())])
        assert spelling(library).corrected("公平净争审查") == "公平净争审查"


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=6))
def test_a_question_of_the_documents_own_words_is_never_changed(cases, chosen) -> None:
    question = "".join(chosen) + "是什么?"
    assert spelling(cases).corrected(question) == question


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(CASES)), st.integers(1, 30))
def test_a_piece_of_the_documents_is_never_changed(cases, start, length) -> None:
    piece = CASES[start : start + length]
    assert spelling(cases).corrected(piece) == piece


# -- through the assistant -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def assistant(tmp_path_factory):
    with Assistant.open(tmp_path_factory.mktemp("home")) as opened:
        yield opened


def test_a_slip_is_answered_as_it_was_meant_and_shown_so(assistant) -> None:
    answer = assistant.ask("宝农科技园厂房面积")
    assert answer.question == "宝农科技园厂房面积"
    assert answer.completed_question == "宝龙科技园厂房面积"
    assert "34万㎡" in answer.answer


def test_a_slip_in_an_earlier_question_does_not_mislead_what_follows(assistant) -> None:
    meant = assistant.ask("面积是多少?", history=["宝龙科技园有哪些厂房?"])
    typed = assistant.ask("面积是多少?", history=["宝农科技园有哪些厂房?"])
    assert typed.completed_question == meant.completed_question
    assert typed.answer == meant.answer


@pytest.mark.parametrize("question", ["东冠公司的注册资本是多少?", "东馆科技有限公司在哪?"])
def test_a_firm_may_be_called_like_a_place(assistant, question) -> None:
    assert assistant.ask(question).completed_question == question


def test_a_place_of_the_documents_needs_no_neighbours(assistant) -> None:
    answer = assistant.ask("东菀数字人客服叫啥?")
    assert answer.completed_question == "东莞数字人客服叫啥?"
    assert "小莞" in answer.answer


@pytest.mark.parametrize("mode", ["hybrid", "dense", "lexical"])
def test_passages_are_found_as_if_there_were_no_slip(assistant, mode) -> None:
    meant = assistant.search("宝龙科技园厂房面积", mode=mode)
    assert assistant.search("宝农科技园厂房面积", mode=mode) == meant


@pytest.mark.parametrize("question", ["佛山的最低工资是多少?", "汕尾市的公积金比例是多少?"])
def test_a_real_word_that_no_document_has_is_still_refused(assistant, question) -> None:
    answer = assistant.ask(question)
    assert answer.refused
    assert answer.completed_question == question
