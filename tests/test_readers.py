"""What is kept of every format, and what a file of the wrong kind is told."""

import io

import docx
import pytest
from docx.oxml import parse_xml
from reader_helpers import (
    NOTICE,
    SENTENCE,
    W,
    as_docx,
    as_html,
    as_markdown,
    as_text,
    changed_part,
    numbered,
    saved,
    word,
    zipped,
)

from corpus.chunks import split_chunks
from corpus.errors import CorpusError
from corpus.outline import parse_outline
from corpus.readers import Extracted, read_document
from corpus.readers.base import kind_of
from corpus.readers.building import Builder
from corpus.readers.tables import write_table
from corpus.types import Document, Metadata

TITLE = NOTICE[2][1]


def lines(name: str, data: bytes) -> list[str]:
    return read_document(name, data).text.split("\n")


def paragraph(*runs: str) -> str:
    return f"<w:p>{''.join(runs)}</w:p>"


def run(text: str, properties: str = "") -> str:
    return f'<w:r>{properties}<w:t xml:space="preserve">{text}</w:t></w:r>'


def table(*rows: str) -> str:
    return f"<w:tbl {W}>{''.join(f'<w:tr>{row}</w:tr>' for row in rows)}</w:tbl>"


def cell(content: str, properties: str = "") -> str:
    body = content if content.startswith("<") else f"<w:p>{run(content)}</w:p>"
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{body}</w:tc>"


# -- the same notice in every format ------------------------------------------------------------

FORMATS = {
    "a.txt": as_text(),
    "a.md": as_markdown(),
    "a.docx": as_docx(),
    "a.html": as_html(),
    "a.htm": as_html("gb2312"),
}


def labelled(found: Extracted) -> list[tuple[str, str, str]]:
    outline = parse_outline(found.text, found.headings, found.tables)
    return [(n.kind, n.label, n.title) for n in outline if n.label and n.kind != "heading"]


@pytest.mark.parametrize("name", FORMATS)
def test_a_notice_has_one_outline_in_every_format(name: str) -> None:
    assert labelled(read_document(name, FORMATS[name])) == [
        ("section", "一、", "总体要求"),
        ("section", "二、", "主要任务"),
        ("subsection", "（一）", "压缩办理时限"),
        ("subsection", "（二）", "减少申请材料"),
        ("item", "一是", "免提交身份证"),
        ("item", "二是", "免提交营业执照"),
        ("section", "三、", "保障措施"),
    ]


@pytest.mark.parametrize("name", FORMATS)
def test_a_notice_says_the_same_of_itself_in_every_format(name: str) -> None:
    organ = "南江市人民政府办公室"
    expected = Metadata(TITLE, "南江市", "2023-05-06", organ)
    assert read_document(name, FORMATS[name]).metadata == expected


@pytest.mark.parametrize("name", FORMATS)
def test_chunks_are_verbatim_in_every_format(name: str) -> None:
    found = read_document(name, FORMATS[name])
    outline = parse_outline(found.text, found.headings, found.tables)
    chunks = split_chunks(Document(1, name, found.text, "", outline, found.metadata))
    assert all(chunk.text == found.text[chunk.start : chunk.end] for chunk in chunks)
    assert any("压缩至1个工作日" in chunk.text and "二、" in chunk.section for chunk in chunks)


# -- text -----------------------------------------------------------------------------------------

TRADITIONAL = "關於進一步優化營商環境的通知，自二零二三年起施行。"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (SENTENCE, "utf-8"),
        (SENTENCE, "utf-8-sig"),
        (SENTENCE, "gb18030"),
        (SENTENCE, "utf-16"),
        (SENTENCE, "utf-16-le"),
        (SENTENCE + "\n", "utf-16-be"),
        (TRADITIONAL, "big5"),
        (TRADITIONAL, "gbk"),
        ("联通", "gbk"),
        ("①㎡—…珺", "gb18030"),
    ],
)
def test_texts_are_decoded(text: str, encoding: str) -> None:
    assert read_document("a.txt", text.encode(encoding)).text == text


def test_line_ends_are_folded_and_the_rest_is_kept() -> None:
    assert (
        read_document("a.txt", "甲\r\n\u3000乙\r丙\n\n丁\x07".encode()).text
        == "甲\n\u3000乙\n丙\n\n丁 "
    )


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_a_text_cut_within_a_character_is_read_up_to_there(encoding: str) -> None:
    data = (SENTENCE * 20).encode(encoding)
    assert read_document("a.txt", data[:-1]).text == (SENTENCE * 20)[:-1] + "\ufffd"


# -- Word -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("levels", "paragraphs", "expected"),
    [
        (
            [
                ("chineseCountingThousand", "%1、"),
                ("chineseCounting", "（%2）"),
                ("decimal", "%3."),
            ],
            [(0, "甲"), (1, "乙"), (1, "丙"), (2, "丁"), (0, "戊"), (1, "己")],
            ["一、甲", "（一）乙", "（二）丙", "1. 丁", "二、戊", "（一）己"],
        ),
        (
            [("decimal", "%1"), ("decimal", "%1.%2")],
            [(0, "甲"), (1, "乙"), (1, "丙"), (0, "丁"), (1, "戊")],
            ["1 甲", "1.1 乙", "1.2 丙", "2 丁", "2.1 戊"],
        ),
        (
            [("japaneseCounting", "第%1条")],
            [(0, f"内容{i}") for i in range(1, 102)],
            [f"第{n}条 内容{i}" for i, n in ((1, "一"), (10, "十"), (101, "一百零一"))],
        ),
        (
            [("decimalEnclosedCircle", "%1"), ("upperRoman", "%2."), ("lowerLetter", "%3)")],
            [(0, "甲"), (1, "乙"), (2, "丙")],
            ["① 甲", "I. 乙", "a)丙"],
        ),
        ([("bullet", ""), ("none", "")], [(0, "甲"), (1, "乙")], ["• 甲", "乙"]),
    ],
    ids=["chinese", "legal", "articles", "others", "bullet"],
)
def test_list_numbers_are_text(levels, paragraphs, expected) -> None:
    found = lines("a.docx", numbered(levels, paragraphs))
    assert [line for line in expected if line not in found] == []
    assert len(found) == len(paragraphs)


def test_articles_go_on_counting_over_chapters() -> None:
    levels = [("chineseCounting", "第%1章"), ("chineseCounting", "第%2条")]
    paragraphs = [(0, "总则"), (1, "甲"), (0, "附则"), (1, "乙")]
    data = numbered(levels, paragraphs, extra='<w:lvlRestart w:val="0"/>')
    assert lines("a.docx", data) == ["第一章 总则", "第一条 甲", "第二章 附则", "第二条 乙"]


def test_headings_are_known_by_style_outline_level_and_chinese_names() -> None:
    document = docx.Document()
    document.add_heading("总则", 1)
    styled = document.styles.add_style("标题 2", 1)
    document.add_paragraph("范围", style=styled)
    based = document.styles.add_style("自定义", 1)
    based.base_style = document.styles["Heading 3"]
    document.add_paragraph("细则", style=based)
    leveled = document.add_paragraph("附则")
    leveled._p.get_or_add_pPr().append(parse_xml(f'<w:outlineLvl {W} w:val="0"/>'))
    document.add_paragraph("正文")
    found = read_document("a.docx", saved(document))
    headings = [(found.text[a:b], level) for a, b, level in found.headings]
    assert headings == [("总则", 1), ("范围", 2), ("细则", 3), ("附则", 1)]


def test_deleted_and_hidden_text_and_contents_are_left_out() -> None:
    deleted = f"<w:del>{run('旧').replace('w:t', 'w:delText')}</w:del>"
    inserted = f"<w:ins>{run('新')}</w:ins>"
    moved = f"<w:moveFrom>{run('移走')}</w:moveFrom><w:moveTo>{run('移来')}</w:moveTo>"
    hidden = run("藏", "<w:rPr><w:vanish/></w:rPr>")
    shown = run("显", '<w:rPr><w:vanish w:val="0"/></w:rPr>')
    field = "<w:r><w:instrText>PAGE</w:instrText></w:r><w:hyperlink><w:r><w:t>链接</w:t></w:r></w:hyperlink>"
    data = word(paragraph(run("甲"), deleted, inserted, moved, hidden, shown, field))
    assert lines("a.docx", data) == ["甲新移来显链接"]
    document = docx.Document(io.BytesIO(data))
    contents = document.styles.add_style("toc 1", 1)
    document.add_paragraph("一、总则……1", style=contents)
    assert lines("a.docx", saved(document)) == ["甲新移来显链接"]


def test_text_boxes_are_read_once() -> None:
    box = f"<w:txbxContent>{paragraph(run('框内'))}</w:txbxContent>"
    drawing = (
        '<w:r><mc:AlternateContent xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006">'
        f'<mc:Choice Requires="wps">{box}</mc:Choice><mc:Fallback>{box}</mc:Fallback>'
        "</mc:AlternateContent></w:r>"
    )
    assert lines("a.docx", word(paragraph(run("框外"), drawing))) == ["框外", "框内"]
    data = word(table(cell("甲") + cell("乙"), cell(paragraph(run("丙"), drawing)) + cell("丁")))
    assert lines("a.docx", data) == ["甲：丙 框内；乙：丁"]


def test_notes_follow_the_paragraph_that_refers_to_them() -> None:
    data = word(
        paragraph(run("正文"), '<w:r><w:footnoteReference w:id="2"/></w:r>', run("接着。")),
        paragraph(run("下一段")),
    )
    notes = f'<w:footnotes {W}><w:footnote w:id="2">{paragraph(run("见附件"))}</w:footnote></w:footnotes>'
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/footnotes"
    data = changed_part(data, "word/footnotes.xml", lambda _: notes.encode())
    data = changed_part(
        data, "word/_rels/document.xml.rels",
        lambda xml: xml.replace(
            b"</Relationships>",
            f'<Relationship Id="rId99" Type="{kind}" Target="footnotes.xml"/></Relationships>'.encode(),
        ),
    )  # fmt: skip
    assert lines("a.docx", data) == ["正文接着。", "注1：见附件", "下一段"]


def test_cells_carry_their_headers_and_merged_cells_stand_once() -> None:
    wide, top, below = '<w:gridSpan w:val="2"/>', '<w:vMerge w:val="restart"/>', "<w:vMerge/>"
    data = word(
        table(
            cell("附表", '<w:gridSpan w:val="3"/>'),
            cell("部门", top) + cell("2023年", wide),
            cell("", below) + cell("收入") + cell("支出"),
            cell("财政局", top) + cell("1") + cell("2"),
            cell("", below) + cell("合并", wide),
            cell("小计", '<w:gridSpan w:val="3"/>'),
        )
    )
    found = read_document("a.docx", data)
    assert found.text.split("\n") == [
        "附表",
        "部门：财政局；2023年 收入：1；2023年 支出：2",
        "部门：财政局；2023年 收入：合并",
        "小计",
    ]
    assert [found.text[a:b] for a, b in found.tables] == found.text.split("\n")[1:]


def test_equal_neighbours_that_are_not_merged_are_both_kept() -> None:
    data = word(table(cell("甲") + cell("乙"), cell("是") + cell("是")))
    assert lines("a.docx", data) == ["甲：是；乙：是"]


def test_tables_within_tables_and_layout_tables() -> None:
    inner = table(cell("名") + cell("数"), cell("子") + cell("3"))
    data = word(table(cell("甲") + cell("乙"), cell("1") + cell(inner + "<w:p/>")))
    assert lines("a.docx", data) == ["甲：1；乙：名：子；数：3"]
    layout = table(cell(paragraph(run("一、总则")) + paragraph(run("正文。"))))
    assert lines("a.docx", word(layout)) == ["一、总则", "正文。"]


# -- kinds ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.doc", as_docx()),
        ("a.wps", as_html()),
        ("a.txt", as_docx()),
        ("a.docx", as_html("gb2312")),
        ("a.doc", as_text()),
        ("a.xls", as_html()),
        ("无扩展名", as_docx()),
    ],
    ids=["doc is docx", "wps is html", "txt is docx", "docx is html", "doc is text", "xls is html", "no suffix"],
)  # fmt: skip
def test_a_file_is_read_as_what_it_is(name: str, data: bytes) -> None:
    assert read_document(name, data).metadata.title == TITLE


@pytest.mark.parametrize(
    "kind",
    [
        "vnd.ms-word.document.macroEnabled",
        "vnd.ms-word.template.macroEnabledTemplate",
        "vnd.openxmlformats-officedocument.wordprocessingml.template",
    ],
)
def test_documents_with_macros_and_templates_are_read_like_others(kind: str) -> None:
    usual = b"vnd.openxmlformats-officedocument.wordprocessingml.document"
    data = changed_part(
        as_docx(), "[Content_Types].xml", lambda xml: xml.replace(usual, kind.encode())
    )
    data = changed_part(data, "word/vbaProject.bin", lambda _: b"\xd0\xcf\x11\xe0")
    assert read_document("a.docm", data) == read_document("a.docx", as_docx())


@pytest.mark.parametrize(
    "data",
    ["区名\t总数\n东区\t3\n".encode("gb18030"), "区名,总数\n东区,3\n".encode(),
     "<table><tr><th>区名<th>总数<tr><td>东区<td>3</table>".encode("gb18030")],
    ids=["tabs", "commas", "table"],
)  # fmt: skip
@pytest.mark.parametrize("name", ["a.xls", "a.xlsx", "a.et"])
def test_text_that_web_sites_export_as_workbook_is_a_table(name: str, data: bytes) -> None:
    assert read_document(name, data).text == "区名：东区；总数：3"


@pytest.mark.parametrize(
    ("name", "streams", "kind"),
    [
        ("a.doc", ["WordDocument"], ".doc"),
        ("a.doc", ["WordDocument", "Workbook"], ".doc"),
        ("a.wps", ["WordDocument"], ".wps"),
        ("a.doc", ["Workbook"], ".xls"),
        ("a.et", ["Workbook", "WordDocument"], ".et"),
        ("a.xlsx", ["Workbook"], ".xls"),
        ("a.xls", ["Book"], ".xls"),
        ("a.txt", ["PowerPoint Document"], ".ppt"),
        ("无扩展名", [], ".doc"),
    ],
)
def test_older_files_are_told_apart_by_their_streams(
    name: str, streams: list[str], kind: str
) -> None:
    assert kind_of(name, OLE + "".join(streams).encode("utf-16-le")) == kind


OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("a.docx", b"", "文件是空的"),
        ("a.txt", b"", "文件是空的"),
        ("a.txt", b" \n ", "没有文字"),
        ("a.html", b"<html><script>x</script></html>", "没有文字"),
        ("a.docx", OLE + "EncryptedPackage".encode("utf-16-le"), "已加密，请先去除密码"),
        ("a.xls", OLE + "Workbook".encode("utf-16-le"), r"LibreOffice.*另存为 \.xlsx"),
        ("a.doc", OLE + "PowerPoint Document".encode("utf-16-le"), r"请另存为 \.pdf"),
        ("a.docx", b"\x00\x01\x02" * 50, r"内容不是 \.docx"),
        ("a.zip", b"\x00\x01\x02" * 50, r"内容不是 \.zip"),
        ("a.docx", as_docx()[:2000], "已损坏或不完整"),
        ("a.docx", zipped({"a.txt": b"abc"}), r"扩展名 \.zip"),
        ("a.pptx", zipped({"ppt/presentation.xml": b""}), r"请另存为 \.pdf"),
        ("a.zip", b"Rar!\x1a\x07\x01", "请先解压"),
        ("a.txt", b"\x00\x01\x02\xff" * 50, "无法识别文字编码"),
        ("a.exe", b"MZ\x00", r"不支持 \.exe"),
        ("无扩展名", b"abc", "没有扩展名"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_mend(name: str, data: bytes, told: str) -> None:
    with pytest.raises(CorpusError, match=rf"无法读取 {name}：.*{told}"):
        read_document(name, data)


def test_a_header_of_one_row_is_not_taken_for_two() -> None:
    builder = Builder()
    write_table(builder, [["甲", "乙"], ["甲", "丁"], ["丙", "戊"]])
    assert builder.extracted().text == "甲；乙：丁\n甲：丙；乙：戊"
