"""What is kept of a web page, and in which encoding it is read."""

import pytest
from reader_helpers import SENTENCE

from corpus.readers import read_document


def lines(data: bytes) -> list[str]:
    return read_document("a.html", data).text.split("\n")


def page(body: str) -> list[str]:
    return lines(f"<html><body>{body}</body></html>".encode())


def test_pages_have_lists_with_numbers_and_no_navigation() -> None:
    found = page(
        "<nav>首页</nav><script>x</script><style>y</style><div style='display: none'>藏</div>"
        "<p>各<b>单</b>位</p><ol start=3><li>甲<li><p>乙</p><ul><li>丙</ul></ol>"
        "<ol type=a><li>丁</ol><ol style='list-style-type:cjk-ideographic'><li>戊</ol>"
        "<p>上行<br>下行</p><pre>一\n二</pre><footer>版权</footer>"
    )
    assert found == [
        "各单位",
        "3. 甲",
        "4. 乙",
        "• 丙",
        "a. 丁",
        "一、戊",
        "上行",
        "下行",
        "一",
        "二",
    ]


def test_a_wrapped_line_of_chinese_gets_no_blank() -> None:
    assert page("<p>很长的\n    一句 话</p><p>two\nwords</p>") == ["很长的一句 话", "two words"]


def test_page_tables_span_rows_and_columns() -> None:
    found = page(
        "<table><caption>表1</caption><tr><th rowspan=2>部门<th colspan=2>2023年<tr><th>收入<th>支出"
        "<tr><td rowspan=2>财政局<td>1<td>2<tr><td colspan=2>3</table>"
        "<table><tr><td><h2>一、总则</h2><p>正文</p></table>"
    )
    assert found == [
        "表1",
        "部门：财政局；2023年 收入：1；2023年 支出：2",
        "部门：财政局；2023年 收入：3",
        "一、总则",
        "正文",
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "utf-16"])
def test_a_page_may_lie_about_its_encoding(encoding: str) -> None:
    text = f"<html><head><meta charset='gb2312'></head><body>{SENTENCE}</body></html>"
    assert lines(text.encode(encoding)) == [SENTENCE]


def test_a_short_page_in_big5_says_so() -> None:
    text = "<html><meta charset=big5><p>行政</p></html>"
    assert lines(text.encode("big5")) == ["行政"]
