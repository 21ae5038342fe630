"""Folding: width, case and script do not count, everything else does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embeddings.fold import fold


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("ＡＩ政務", "ai政务"),
        ("GPU", "gpu"),
        ("㎡", "m2"),
        ("２０２３年", "2023年"),
        ("營商環境優化條例", "营商环境优化条例"),
        ("裏面", "里面"),
        ("頭髮與發展", "头发与发展"),
        ("", ""),
    ],
    ids=["wide", "case", "unit", "digits", "traditional", "variant", "many-to-one", "empty"],
)
def test_width_case_and_script_are_folded(text, folded) -> None:
    assert fold(text) == folded


def test_simplified_text_stays_as_it_is() -> None:
    text = "案例1 深圳市创新“工改保”模式,降低企业用地成本2.5亿元。"
    assert fold(text) == text


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=60))
def test_folding_any_text_never_fails_and_leaves_no_capitals_of_ascii(text) -> None:
    folded = fold(text)
    assert not any("A" <= char <= "Z" for char in folded)


@pytest.mark.parametrize("text", ["\x00", "a\x00b", "\ud7ff", "𠮷野家", "👩‍💼办事"])
def test_odd_characters_pass_through(text) -> None:
    assert fold(text).strip()[-1:] == text.strip()[-1:]
