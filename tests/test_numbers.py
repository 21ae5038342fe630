import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.numbers import quantities, same, stated


def only(text: str):
    found = quantities(text)
    assert len(found) == 1, found
    return found[0]


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("3.8万家", "38000家"),
        ("三万八千家", "3.8万家"),
        ("百分之六十六", "66%"),
        ("６６％", "66%"),
        ("三成", "30%"),
        ("二十件", "20件"),
        ("兩百戶", "200户"),
        ("1,234.5万元", "12345000元"),
        ("3亿5000万元", "3.5亿元"),
        ("2—3个月", "2至3个月"),
        ("2-3万元", "20000—30000元"),
        ("30%—50%", "百分之三十至百分之五十"),
        ("2024年1—9月", "2024年1月至9月"),
        ("二〇二三年五月", "2023年5月"),
        ("2024-03-15", "2024年3月15日"),
        ("五分之一", "5分之1"),
        ("12条", "十二个"),
        ("10余件", "10件"),
        ("24个小时", "24小时"),
        ("第三条", "第3条"),
        ("一千五", "1500"),
    ],
)
def test_the_same_quantity_is_recognised_however_it_is_written(a, b):
    assert same(only(a), only(b))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("66%", "66个百分点"),
        ("3天", "3个月"),
        ("12条", "12万元"),
        ("第三条", "3条"),
        ("2023年5月", "2023年6月"),
        ("3.8万家", "3.8家"),
        ("2—3个月", "2—4个月"),
    ],
)
def test_different_quantities_are_told_apart(a, b):
    assert not same(only(a), only(b))


@pytest.mark.parametrize(
    "text",
    [
        "一是坚持",
        "统一的",
        "一次性告知",
        "千方百计",
        "十几家",
        "数十家",
        "一起推动",
        "进一步",
        "“十四五”规划",
        "万众创新",
        "“一张图”改革",
        "高效办成一件事",
    ],
)
def test_words_with_numerals_are_no_quantities(text):
    assert quantities(text) == []


def test_a_date_may_be_put_together_from_a_text():
    text = quantities("2023年启动改革,5月正式上线,2024年1—9月办理120余件。")
    assert stated(only("2023年5月"), text)
    assert stated(only("5月"), text)
    assert stated(only("2024年"), text)
    assert not stated(only("2022年5月"), text)
    assert not stated(only("2023年6月"), text)


def test_a_bound_of_a_range_is_stated_by_the_range():
    assert stated(only("3个月"), quantities("压缩至2—3个月"))
    assert not stated(only("4个月"), quantities("压缩至2—3个月"))


def test_scientific_and_hostile_digits_do_not_break():
    assert quantities("9" * 400 + "个")[0].unit == "个"
    assert quantities("1.2.3.4 ５，６，７")


def chinese(n: int) -> str:
    digits, out = "零一二三四五六七八九", ""
    for power, unit in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = n // power % 10
        if digit:
            out += digits[digit] + unit
        elif out and not out.endswith("零") and n % power:
            out += "零"
    return out


@given(st.integers(1, 9999))
def test_chinese_numerals_have_the_value_of_the_digits(n):
    assert same(only(chinese(n) + "件"), only(f"{n}件"))


@given(st.decimals("0.1", "9999.9", places=1))
def test_scaling_by_ten_thousand_is_the_number_written_out(n):
    assert same(only(f"{n}万元"), only(f"{int(n * 10_000)}元"))


@given(st.text(alphabet="0123456789０１２.,%—-至十百千万亿两第分之年月日个元家成余数几 其他abc"))
def test_quantities_lie_in_order_inside_any_text(text):
    at = 0
    for q in quantities(text):
        assert at <= q.start < q.end <= len(text)
        assert q.text == text[q.start : q.end]
        assert q.values
        at = q.end


@given(st.sampled_from(["3.8万家", "66%", "2024年1—9月", "12条", "2—3个月"]), st.text("甲乙丙。,"))
def test_full_width_changes_no_value(quantity, around):
    wide = "".join(chr(ord(c) + 0xFEE0) if c.isascii() and c.isalnum() else c for c in quantity)
    assert same(only(around + quantity + around), only(around + wide + around))
