"""Which numbers of a sentence a question may want."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.figures import counted_after, figure_kind, figures, wanted_figures
from rag.questions import read_intent


def kind(question: str, text: str) -> tuple[float, float]:
    return figure_kind(read_intent(question, []), text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2024年3月起，降至3.5万元，占百分之十", ["3.5万元", "百分之十"]),
        ("解决诉求近万条，每季度一次", ["近万条", "每季度", "一次"]),
        ("第三条规定，七时至二十二时开放", ["七时", "二十二时"]),
        ("一是统一标准,一家家走访", []),
        ("突破3000点，第一点就办", ["3000点"]),
    ],
)
def test_numbers_are_found_but_no_dates_and_no_ordinals(text, found) -> None:
    assert [text[f.start : f.end] for f in figures(text)] == found


@pytest.mark.parametrize(
    ("question", "text", "expected"),
    [
        ("捣毁了多少个窝点?", "捣毁窝点11处，冻结资金1.4亿元", 1.0),
        ("捣毁了多少个窝点?", "冻结资金1.4亿元", 0.0),
        ("多少行业能简化?", "16个行业简化手续", 1.0),
        ("多少行业能简化?", "37项手续简化", 0.0),
        ("有多少家在排队?", "轮候1840户", 0.5),
        ("有多少家在排队?", "轮候1840吨", 0.0),
        ("建了多少平方米厂房?", "建成厂房34万㎡", 1.0),
        ("派了多少名干部?", "选派52人", 1.0),
        ("减少了多少个环节?", "环节减少5个", 1.0),
        ("纠纷少了多少?", "在116个村开办", -1.0),
        ("纠纷少了多少?", "纠纷下降四成", 1.0),
        ("资金有多大?", "设立1.5亿元资金", 1.0),
        ("多久能办完?", "2024年3月起实施", -1.0),
        ("码多久失效?", "有效时间为60秒", 1.0),
        ("投资项目平均多少个工作日批完?", "平均小于55个工作日", 1.0),
        ("监管周期扩至几个阶段?", "扩至8个阶段", 1.0),
        ("达到多少金额要报批?", "1000万以上的须报批", 1.0),
        ("最高多少利率?", "利率不高于百分之二点五", 1.0),
        ("减少了多少审批时间?", "压减审批时限84个工作日", 1.0),
        ("建立了多少平台?", "材料169份,平台建成", 0.0),
        ("兑换了多少零钱包?", "兑换零钱包7.5万个", 1.0),
        ("引进了多少投资项目?", "投资项目230个", 1.0),
        ("惠及多少低收入家庭?", "惠及2300户", 0.0),
        ("几个部门联办,能省多少钱?", "由5个部门联合办理", -1.0),
        ("几个部门联办,能省多少钱?", "每家节省2万元", 1.0),
        ("这几年抽查了多少份文件?", "抽查文件1183份", 1.0),
        ("多久能办完?", "五个工作日内办结", 1.0),
    ],
)
def test_a_number_fits_what_is_measured_or_counted(question, text, expected) -> None:
    assert kind(question, text)[1] == expected


def test_the_numbers_that_fit_best_are_marked() -> None:
    question = "有多少台ATM机能用?"
    text = "3.8万商户可刷卡，4357台ATM机能用，1623个网点可兑换"
    marked = wanted_figures(read_intent(question, []), text)
    assert [text[a:b] for a, b in marked] == ["4357台"]


@given(st.text(alphabet="0123456789一二三十百千万亿年月日个家元%.，第每近时点", max_size=30))
def test_numbers_lie_in_the_text_in_order_and_apart(text) -> None:
    found = figures(text)
    assert all(0 <= f.start < f.end <= len(text) for f in found)
    assert all(a.end <= b.start for a, b in pairwise(found))


@pytest.mark.parametrize(
    ("question", "text", "n"),
    [
        ("有多少家银行网点可以换钱?", "1623个银行网点", 4),
        ("有多少家银行网点可以换钱?", "33家兑换机构", 0),
        ("一共有多少调解机构?", "12个调解机构、30名专家", 4),
        ("平台是什么时候上线的?", "3个平台", 0),
    ],
)
def test_what_is_counted_is_told_by_what_stands_after_the_number(question, text, n) -> None:
    intent = read_intent(question, [])
    assert counted_after(intent, text, figures(text)[0].end) == n
