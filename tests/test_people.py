import pytest

from corpus.store import FILE_NAME, Store


@pytest.fixture
def store(memory_path):
    store = Store(memory_path / FILE_NAME)
    yield store
    store.close()


def test_a_conversation_keeps_its_messages_in_order(store):
    talk = store.new_conversation("税务")
    first = store.add_message(talk, "第一问", '{"answer": "甲"}')
    second = store.add_message(talk, "第二问", '{"answer": "乙"}')
    assert [(m.id, m.question, m.answer) for m in store.messages(talk)] == [
        (first, "第一问", '{"answer": "甲"}'),
        (second, "第二问", '{"answer": "乙"}'),
    ]


def test_the_last_used_conversation_comes_first(store):
    a, b = store.new_conversation("甲"), store.new_conversation("乙")
    assert [c.id for c in store.conversations()] == [b, a]
    with store.writing() as db:
        db.execute("UPDATE conversations SET updated = '2000-01-01 00:00:00'")
    store.add_message(a, "问", "{}")
    assert [c.id for c in store.conversations()] == [a, b]


@pytest.mark.parametrize(
    ("query", "n_found"),
    [
        ("", 1),
        ("标题", 1),
        ("问题", 1),
        ("答案", 1),
        ("别的", 0),
        ("%", 0),
        ("answer", 0),
        ("12", 0),
    ],
)
def test_conversations_are_found_by_what_they_hold(store, query, n_found):
    talk = store.new_conversation("这个标题")
    store.add_message(talk, "一个问题", '{"answer": "一个答案", "start": 12}')
    assert len(store.conversations(query)) == n_found


def test_a_conversation_can_be_renamed_and_deleted(store):
    talk = store.new_conversation("旧")
    message = store.add_message(talk, "问", "{}")
    store.rate(message, "good")
    store.rename_conversation(talk, "新")
    assert store.conversations()[0].title == "新"
    store.delete_conversation(talk)
    assert store.conversations() == []
    assert store.messages(talk) == []
    assert store.rated_messages() == []


def test_a_rating_can_be_given_changed_and_taken_back(store):
    talk = store.new_conversation("题")
    message = store.add_message(talk, "问", "{}")
    other = store.add_message(talk, "又问", "{}")
    assert store.messages(talk)[0].rating == ""
    store.rate(message, "数字有误", "应为 95%")
    store.rate(other, "good")
    assert [(m.rating, m.note) for m in store.rated_messages()] == [
        ("数字有误", "应为 95%"),
        ("good", ""),
    ]
    store.rate(message, "")
    assert [m.id for m in store.rated_messages()] == [other]


def test_an_evaluation_question_is_kept_once(store):
    first = store.put_question("问题？", "{}")
    assert store.put_question("问题？", '{"evidence": ["甲"]}') == first
    assert [(q.question, q.data) for q in store.questions()] == [("问题？", '{"evidence": ["甲"]}')]
    assert store.message(99) is None
    store.delete_question(first)
    assert store.questions() == []


def test_the_audit_trail_shows_the_newest_first(store):
    for i in range(5):
        store.record("add", str(i))
    assert [e.detail for e in store.audit(limit=2)] == ["4", "3"]
    assert all(e.time for e in store.audit())


def test_messages_survive_a_new_start(memory_path, store):
    talk = store.new_conversation("题")
    store.add_message(talk, "问", "{}")
    store.close()
    again = Store(memory_path / FILE_NAME)
    assert [m.question for m in again.messages(talk)] == ["问"]
    again.close()
