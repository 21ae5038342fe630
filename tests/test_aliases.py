"""Short names: where a text defines them, and that a passage is found by either name."""

from hypothesis import given
from hypothesis import strategies as st

from corpus.aliases import Alias, find_aliases, other_names
from corpus.chunks import split_chunks
from corpus.outline import parse_outline
from corpus.types import Document
from rag import Assistant

DEFINED = {
    "深圳国际仲裁院(又名华南国际经济贸易仲裁委员会、粤港澳大湾区国际仲裁中心,下称“深国仲”)由省创设。": (
        "深圳国际仲裁院",
        "深国仲",
    ),
    "建设“公安机关办案网上登记平台”(简称“智慧协外”平台),着力解决外地办案问题。": (
        "公安机关办案网上登记平台",
        "智慧协外",
    ),
    "根据《广东省优化营商环境条例》（以下简称《条例》）第三条，制定本办法。": (
        "广东省优化营商环境条例",
        "条例",
    ),
    "为规范管理，由市政务服务和数据管理局（以下简称市政数局）负责。": (
        "市政务服务和数据管理局",
        "市政数局",
    ),
}


def test_short_names_are_found_with_what_they_stand_for() -> None:
    for text, (name, short) in DEFINED.items():
        assert find_aliases(text) == [Alias(name, short)]


def test_brackets_that_define_nothing_are_left_alone() -> None:
    for text in (
        "广州市(含增城区)已完成。",
        "该平台(职称评审除外)上线。",
        "企业（名称见附件）共3家。",
    ):
        assert find_aliases(text) == []


@given(st.text(alphabet="深圳国际仲裁院(（以下简称“”《》)）,。 \n"))
def test_any_text_is_read_and_each_short_name_comes_once(text: str) -> None:
    found = find_aliases(text)
    assert len({alias.short for alias in found}) == len(found)
    for alias in found:
        assert alias.name in text
        assert alias.short in text


def test_a_passage_with_one_name_is_indexed_with_the_other() -> None:
    aliases = [Alias("深圳国际仲裁院", "深国仲")]
    assert other_names("深国仲受理1.4万宗。", aliases) == "深圳国际仲裁院"
    assert other_names("深圳国际仲裁院设在福田。", aliases) == "深国仲"
    assert other_names("深圳国际仲裁院(下称“深国仲”)", aliases) == ""
    assert other_names("法院受理1.4万宗。", aliases) == ""


def test_chunks_of_a_document_carry_the_other_names() -> None:
    text = (
        "一、总则\n市政务服务和数据管理局（以下简称市政数局）负责统筹，" + "各单位配合落实。" * 40
        + "\n二、时限\n市政数局在五个工作日内答复，" + "逾期的说明理由。" * 20
    )  # fmt: skip
    chunks = split_chunks(Document(0, "办法", text, "", parse_outline(text)))
    late = [chunk for chunk in chunks if "五个工作日" in chunk.text]
    assert [chunk.others for chunk in late] == ["市政务服务和数据管理局"]


def test_a_question_by_the_full_name_finds_the_passage_with_the_short_one(memory_path) -> None:
    filler = "".join(f"第{i}项工作由有关单位按职责分工落实。" for i in range(60))
    text = f"一、分工\n市口岸物流协调中心（以下简称口协中心）负责统筹。{filler}\n二、时限\n口协中心七日内答复。"
    with Assistant.open(memory_path) as assistant:
        assistant.library.add([("分工.txt", text.encode())])
        best = assistant.search("市口岸物流协调中心几日内答复?", mode="lexical")[0]
        assert "七日内答复" in best.chunk.text
