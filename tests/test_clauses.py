"""Questions that ask for several things."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.clauses import asked_apart


@pytest.mark.parametrize(
    ("question", "asked"),
    [
        ("什么时候上线,现在接了几家?", ("什么时候上线", "现在接了几家")),
        ("盯着多少个网站 发了多少份函?", ("盯着多少个网站", "发了多少份函")),
        ("书出了多少、项目培育了多少个?", ("书出了多少", "项目培育了多少个")),
        ("举报这块,谁来管,向谁报告?", ("举报这块,谁来管", "举报这块,向谁报告")),
        ("怎么收费?另外被拒了找谁", ("怎么收费", "被拒了找谁")),
        ("怎么收费,请一并答复", ()),
        ("材料、流程各是什么?", ()),
        ("要交多少税心里没底,能先问吗?", ()),
        ("深圳有多少家法院?", ()),
    ],
)
def test_each_thing_that_is_asked_for_becomes_a_question(question, asked) -> None:
    assert asked_apart(question) == asked


@given(st.text(alphabet="多少什么谁怎,，?？、 几哪里吗了的又那请问再", max_size=40))
def test_any_text_asks_for_no_thing_or_several(question) -> None:
    asked = asked_apart(question)
    assert len(asked) != 1
    assert all(thing.strip() for thing in asked)
