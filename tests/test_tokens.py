"""Terms: words and marked characters, the same for a question and a document."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embeddings.fold import fold
from embeddings.tokens import CHAR_MARK, terms, words


def test_words_of_search_mode_overlap_and_characters_are_marked() -> None:
    found = terms("营商环境")
    assert "环境" in found
    assert [t for t in found if t.startswith(CHAR_MARK)] == ["_营", "_商", "_环", "_境"]


def test_a_single_character_is_never_a_word() -> None:
    assert "市" not in terms("市")
    assert terms("市") == ("_市",)


@pytest.mark.parametrize(
    ("document", "wanted"),
    [
        ("降低成本2.5亿元", "2.5"),
        ("惠及40万户企业", "40"),
        ("全年办理1,200件", "200"),
        ("审批时限由20个工作日压缩至5个工作日", "20"),
        ("使用AI和5G技术", "ai"),
        ("使用AI和5G技术", "5g"),
        ("从2023-08-16起施行", "2023"),
    ],
)
def test_numbers_and_latin_words_can_be_found(document, wanted) -> None:
    assert any(wanted in term for term in terms(document))


def test_what_follows_a_date_is_no_part_of_it() -> None:
    assert "营收" in words("星河公司2022年营收为462.7亿元")
    assert "产值" in words("2023年产值达30亿元")
    assert "年产" not in words("2023年产值达30亿元")
    assert "年底" in words("到2023年底建成")
    assert "年产值" in words("年产值过亿元")


def test_traditional_question_has_the_terms_of_the_simplified_document() -> None:
    assert terms("優化營商環境") == terms("优化营商环境")


def test_punctuation_and_blanks_leave_no_terms() -> None:
    assert terms(" ,。！？\u3000\n——“”") == ()
    assert terms("") == ()


@given(st.text(max_size=80))
def test_any_text_gives_terms_without_blanks(text) -> None:
    for term in terms(text):
        assert term
        assert not any(char.isspace() for char in term)
    assert set(words(text)).isdisjoint({t for t in terms(text) if t.startswith(CHAR_MARK)})


PIECES = [
    "营商环境",
    "2023",
    "年",
    "底",
    "市",
    "a_b",
    "5G",
    "。",
    " ",
    ",",
    "“",
    "的",
    "跑路",
    "優化",
    "_x",
]


@given(st.lists(st.sampled_from(PIECES), max_size=20).map("".join))
def test_a_text_has_the_terms_of_its_sentences(text) -> None:
    own = [term for term in terms(text) if not term.startswith(CHAR_MARK)]
    assert own == [word for word in words(fold(text)) if not word.startswith(CHAR_MARK)]


def test_terms_do_not_depend_on_what_was_cut_before() -> None:
    first = terms("广州市黄埔区企业筹建")
    terms("完全不同的一段文字")
    assert terms("广州市黄埔区企业筹建") == first


def test_cutting_words_needs_no_torch() -> None:
    code = "import sys; from embeddings.tokens import terms; terms('政务'); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
