"""What a document says of itself, and what stays empty because it is not certain."""

import pytest

from corpus.builtin import builtin_document
from corpus.readers import Extracted, read_document
from corpus.readers.facts import guess
from corpus.types import Metadata

ISSUED = """广东省人民政府办公厅文件
粤府办〔2023〕5号
广东省人民政府办公厅关于印发
广东省优化营商环境三年行动方案
（2023—2025年）的通知
各地级以上市人民政府，省政府各部门、各直属机构：
《方案》已经同意，现印发给你们。
附件：方案
广东省人民政府办公厅
2023年5月6日
广东省优化营商环境三年行动方案
一、总体要求
2024年12月31日"""
PAGE = """首页 > 政策文件
索引号：006939748
发布机构：深圳市人民政府办公厅
发布日期：2024-03-01
关于加强城市管理的意见
关于加强城市管理的意见
来源：本网
各区人民政府：
正文。"""
LAW = """南江市优化营商环境条例
（2020年10月29日南江市第六届人民代表大会常务委员会第四十五次会议通过）
目录
第一章 总则
第一条 南江市人民政府应当加强领导。"""
SIGNED = """# 关于开展检查的通知
各单位：
正文。
                 市财政局
              二〇二三年十二月二十日"""
PASSED_ON = """国务院办公厅转发商务部关于做好工作意见的通知
国办发〔2022〕1号
各省：
正文。
国务院办公厅 2022年1月3日"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            ISSUED,
            Metadata(
                "广东省人民政府办公厅关于印发广东省优化营商环境三年行动方案（2023—2025年）的通知",
                "广东省",
                "2023-05-06",
                "广东省人民政府办公厅",
            ),
        ),
        (PAGE, Metadata("关于加强城市管理的意见", "深圳市", "2024-03-01", "深圳市人民政府办公厅")),
        (LAW, Metadata("南江市优化营商环境条例", "南江市", "2020-10-29")),
        (SIGNED, Metadata("关于开展检查的通知", "", "2023-12-20", "市财政局")),
        (
            PASSED_ON,
            Metadata("国务院办公厅转发商务部关于做好工作意见的通知", "", "2022-01-03", "国务院办公厅"),
        ),
        ("大城市管理办法\n一、总则\n正文。", Metadata("大城市管理办法")),
        ("某局\n2023年2月30日", Metadata()),
        ("会议于2023年5月6日在南江市召开。", Metadata()),
        ("问：能否？\n答：能。", Metadata()),
        ("今天天气很好\n第二行", Metadata()),
    ],
    ids=[
        "issued", "page", "law", "signed", "passed on", "no such place", "no such day", "news",
        "questions", "prose",
    ],
)  # fmt: skip
def test_facts_of_a_text(text: str, expected: Metadata) -> None:
    assert guess(Extracted(text)) == expected


@pytest.mark.parametrize(
    ("property_title", "text", "title"),
    [
        ("优化营商环境经验-南江市政府网", "优化营商环境经验\n正文一句。", "优化营商环境经验"),
        ("2020年旧方案", "优化营商环境经验\n正文一句。", ""),
        ("南江市财政局文件", "南江市财政局文件\n正文一句。", ""),
    ],
    ids=["site cut off", "left from another document", "letterhead"],
)
def test_a_title_in_the_properties_counts_if_the_text_has_it(
    property_title: str, text: str, title: str
) -> None:
    assert guess(Extracted(text, metadata=Metadata(property_title))).title == title


def test_the_only_first_heading_is_the_title() -> None:
    assert guess(Extracted("经验交流\n正文。", headings=((0, 4, 1),))).title == "经验交流"
    assert guess(Extracted("# 甲文\n文。\n# 乙文\n文。")).title == ""


def test_a_file_without_a_title_is_called_by_its_name() -> None:
    assert read_document("会议材料.txt", "今天天气很好".encode()).metadata.title == "会议材料"


def test_the_builtin_cases_keep_their_title() -> None:
    assert read_document(*builtin_document()).metadata == Metadata("广东省优化营商环境典型案例")
