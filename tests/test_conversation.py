"""Questions one after another: what goes on from the last one, and what changes the topic."""

import json
from importlib.resources import files

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.questions import load_questions
from rag.assistant import Assistant
from rag.conversation import Conversation, outcome
from rag.followup import Talk, complete, continues, stands_alone
from rag.turn import Turn

EARLIER = (
    "东莞的代办怎么做的?",
    "深国仲2024年受理了多少案件?",
    "外国人在深圳怎么付钱?",
)
CONVERSATIONS = files("eval") / "conversations.jsonl"


@pytest.fixture(scope="module")
def assistant(tmp_path_factory):
    with Assistant.open(tmp_path_factory.mktemp("home")) as opened:
        yield opened


def _talk(assistant: Assistant, earlier: tuple[str, ...]) -> Talk | None:
    conversation: Conversation = assistant.conversation(Turn(assistant.library))
    return outcome(conversation._talk(earlier))


@pytest.mark.parametrize(
    "question",
    [
        "税宝是哪家公司开发的?",
        "哪几个案例提到了前海?",
        "广东信用修复四个“一”模式分别是什么?",
        "粤复用平台上架应用数?",
    ],
    ids=["not answered", "all cases", "list", "short"],
)
def test_another_topic_is_answered_as_if_nothing_had_been_asked(assistant, question) -> None:
    alone = assistant.ask(question)
    after = assistant.ask(question, history=EARLIER)
    assert after.completed_question == question
    assert (after.answer, after.refused) == (alone.answer, alone.refused)


def test_a_follow_up_goes_on_from_the_question_before_it_whatever_came_earlier(assistant) -> None:
    history = (*EARLIER, "广州税费争议调解机构有几个?")
    alone = assistant.ask("配备多少名调解员?", history=history[-1:])
    after = assistant.ask("配备多少名调解员?", history=history)
    assert after.completed_question == alone.completed_question
    assert after.answer == alone.answer
    assert not after.refused


def test_a_chain_of_follow_ups_keeps_its_first_question_and_the_last(assistant) -> None:
    chain = ("深圳破产快审审结了多少件?", "平均多久?", "和解的呢?")
    assert _talk(assistant, chain) == Talk(chain[0], chain[2])
    assert _talk(assistant, (*chain, "再详细点")) == Talk(chain[0], chain[2])
    assert _talk(assistant, (*chain, EARLIER[0])) == Talk(EARLIER[0])
    assert _talk(assistant, ()) is None


def test_what_was_worked_out_of_a_conversation_is_not_worked_out_again(assistant) -> None:
    asked = []

    def look_up(question, filters, **more):
        asked.append(question)
        return (yield from assistant._evidence(question, filters, turn=turn, **more))

    turn = Turn(assistant.library)
    places = assistant.library.store.places()
    conversation = Conversation(look_up, places, 0.25, None, {})
    earlier = ("广州税费争议调解机构有几个?", "配备多少名调解员?")
    first = outcome(conversation.understood("都调解了哪些争议?", earlier))
    n_first = len(asked)
    second = outcome(conversation.understood("都调解了哪些争议?", earlier))
    assert second.question == first.question
    assert len(asked) - n_first < n_first


def test_after_a_question_over_all_cases_no_single_case_is_kept_to(assistant) -> None:
    history = ["哪些案例提到了数字人民币?"]
    answer = assistant.ask("其中支持外卡取现的ATM机有多少台?", history=history)
    assert "4357台" in answer.answer


@pytest.mark.parametrize(
    ("question", "pointing"),
    [
        ("那它提前了多少天?", True),
        ("涉外的争议金额呢?", True),
        ("广东法院对跨境破产的审理程序有什么规定,以后打算怎么办呢?", False),
        ("东莞的代办怎么做的?", False),
    ],
)
def test_how_a_question_points_back(question, pointing) -> None:
    assert continues(question) is pointing


def test_a_question_over_all_cases_stands_alone_unless_it_points_back() -> None:
    assert stands_alone("哪几个案例提到了前海?")
    assert not stands_alone("其中哪几个案例提到了前海?")


def test_a_question_over_all_cases_is_gone_on_from_only_where_it_is_pointed_at() -> None:
    places, previous = ("广州市", "深圳市", "东莞市"), "哪几个案例提到了前海?"
    assert not complete("那东莞的代办怎么做的?", previous, places).context
    assert complete("其中海关的那个省了多少时间?", previous, places).context == previous
    assert complete("它们的成效如何?", previous, places).context == previous


def test_another_place_with_a_topic_of_its_own_may_be_another_question() -> None:
    places = ("广州市", "深圳市", "东莞市")
    previous = "广州2023年以数字人民币缴纳的税款有多少?"
    assert not complete("那东莞的代办怎么做的?", previous, places).follows
    assert complete("代办呢?", previous, places).follows
    assert complete("那深圳呢?", previous, places).text.startswith("深圳2023年")


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(min_size=1, max_size=12), max_size=4), st.text(min_size=1, max_size=12))
def test_any_history_leaves_a_question_that_can_be_completed(earlier, question) -> None:
    previous = ""
    for asked in [*earlier, question]:
        completed = complete(asked, previous, ("深圳市",)) if previous else None
        previous = completed.text if completed else asked
        assert previous
        if completed and completed.follows:
            assert completed.text.endswith(asked)


def test_the_conversations_of_the_evaluation_can_be_measured() -> None:
    rows = [json.loads(line) for line in CONVERSATIONS.read_text("utf-8").splitlines()]
    questions = load_questions(CONVERSATIONS)
    assert len(questions) == len(rows) == len({row["id"] for row in rows})
    assert {q.type for q in questions} == {"followup", "switch", "aside", "unanswerable"}
    assert all(q.history and q.answerable == (q.type != "unanswerable") for q in questions)
