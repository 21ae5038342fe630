"""Workbooks and .csv: rows are sentences as the sheet shows them."""

import csv
import datetime
import io
import zipfile

import openpyxl
import pytest
from safe_reading import mutations, outcome

from corpus.errors import CorpusError
from corpus.readers import Extracted, read_document, sheets
from corpus.sandbox import Sandbox


def packed(book: openpyxl.Workbook) -> bytes:
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def workbook(*rows, title="Sheet1", merged=()) -> openpyxl.Workbook:
    book = openpyxl.Workbook()
    book.active.title = title
    for row in rows:
        book.active.append(row)
    for cells in merged:
        book.active.merge_cells(cells)
    return book


def lines(book: openpyxl.Workbook, name: str = "a.xlsx") -> list[str]:
    return sheets.read(name, packed(book)).text.split("\n")


def test_titles_two_row_header_and_note():
    book = workbook(
        ["2024年重点任务分工表"],
        ["单位：万元"],
        ["序号", "任务", "资金", None, "责任单位"],
        [None, None, "市级", "区级", None],
        [1, "管网改造", 1200, 300.0, "水务局"],
        [2, "泵站建设", 800, 250.5, "住建局"],
        ["注：数据截至2024年5月"],
        title="分工表",
        merged=["A1:E1", "A3:A4", "B3:B4", "C3:D3", "E3:E4"],
    )
    found = sheets.read("a.xlsx", packed(book))
    assert found.text.split("\n") == [
        "分工表",
        "2024年重点任务分工表",
        "单位：万元",
        "序号：1；任务：管网改造；资金 市级：1200；资金 区级：300；责任单位：水务局",
        "序号：2；任务：泵站建设；资金 市级：800；资金 区级：250.5；责任单位：住建局",
        "注：数据截至2024年5月",
    ]
    assert found.headings == ((0, 3, 1),)
    assert found.text[slice(*found.tables[0])].startswith("序号：1")


def test_merged_cells_hold_for_every_row():
    book = workbook(["区", "街道"], ["东区", "一街"], [None, "二街"], merged=["A2:A3"])
    assert lines(book) == ["区：东区；街道：一街", "区：东区；街道：二街"]


@pytest.mark.parametrize(
    ("value", "shown_as", "text"),
    [
        (datetime.date(2024, 3, 5), "yyyy-mm-dd", "2024年3月5日"),
        (datetime.datetime(2024, 3, 5, 14, 30), "yyyy/m/d h:mm", "2024年3月5日 14:30"),
        (datetime.date(2024, 3, 5), 'yyyy"年"m"月"', "2024年3月"),
        (datetime.time(9, 5), "h:mm", "9:05"),
        (0.125, "0.0%", "12.5%"),
        (0.12, "0%", "12%"),
        (3.0, "General", "3"),
        (0.1 + 0.2, "General", "0.3"),
        (1234567.891, "#,##0.00", "1,234,567.89"),
        (5.2, '0.0"亿元"', "5.2亿元"),
        (-3.5, "0.00_);(0.00)", "-3.50"),
        (12000, "0.0,", "12000"),
        (5, "00", "05"),
        (110105, "000000", "110105"),
        (5.5, "00.00", "05.50"),
        (-7, "000", "-007"),
        (7, '"第"000"号"', "第007号"),
        (1e20, "General", "1e+20"),
        (7e9, "General", "7000000000"),
        (123456789012345, "0", "123456789012345"),
        (True, "General", "是"),
        ("  多 余\n空白 ", "@", "多 余 空白"),
    ],
)
def test_value_as_it_is_shown(value, shown_as, text):
    book = workbook(["项目", "值"], ["甲", value])
    book.active["B2"].number_format = shown_as
    assert lines(book) == [f"项目：甲；值：{text}"]


def test_formula_is_its_last_value_and_errors_are_left_out():
    plain = packed(workbook(["项目", "值", "错"], ["甲", 7, "x"]))
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(plain)) as old, zipfile.ZipFile(changed, "w") as new:
        for info in old.infolist():
            data = old.read(info)
            if info.filename == "xl/worksheets/sheet1.xml":
                data = data.replace(b"<v>7</v>", b"<f>3+4</f><v>7</v>")
                data = (
                    data[: data.index(b'<c r="C2"')]
                    + b'<c r="C2" t="e"><v>#REF!</v></c>'
                    + data[data.index(b"</row></sheetData>") :]
                )
            new.writestr(info.filename, data)
    assert sheets.read("a.xlsx", changed.getvalue()).text == "项目：甲；值：7"


def test_hidden_sheets_rows_and_columns_are_left_out():
    book = workbook(["姓名", "电话", "单位"], ["张三", "1", "水务局"], ["李四", "2", "住建局"])
    book.active.column_dimensions["B"].hidden = True
    book.active.row_dimensions[2].hidden = True
    secret = book.create_sheet("秘密")
    secret.append(["不", "看"])
    secret.sheet_state = "hidden"
    assert lines(book) == ["姓名：李四；单位：住建局"]


def test_every_sheet_has_its_name_and_header():
    book = workbook(["区", "数"], ["东", 1], title="积水点")
    other = book.create_sheet("泵站")
    for row in (["站", "台"], ["一站", 2]):
        other.append(row)
    book.create_sheet("空")
    assert lines(book) == ["积水点", "区：东；数：1", "泵站", "站：一站；台：2"]


def test_second_table_of_a_sheet_has_its_own_header():
    book = workbook(
        ["姓名", "单位"], ["张三", "水务局"], [], ["李四", "住建局"], [],
        ["地区", "2022年", "2023年"], ["东区", 1, 2],
    )  # fmt: skip
    assert lines(book) == [
        "姓名：张三；单位：水务局", "姓名：李四；单位：住建局", "地区：东区；2022年：1；2023年：2",
    ]  # fmt: skip


def test_numbers_without_a_header():
    assert lines(workbook([1, 2, 3], [4, 5, 6])) == ["1；2；3", "4；5；6"]


def test_stray_cell_at_the_end_of_a_sheet_does_no_harm():
    book = workbook(["区", "数"], ["东", 1])
    book.active.cell(1_048_576, 16_384, "完")
    assert lines(book)[0] == "区：东；数：1"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_csv_in_any_encoding_and_with_any_delimiter(encoding, mark):
    rows = [["区名", "积水点", "备注"], ["东区", "3", f'"有{mark}在内"'], ["西区", "5", "无"]]
    data = "\r\n".join(mark.join(row) for row in rows).encode(encoding)
    assert sheets.read("a.csv", data).text.split("\n") == [
        f"区名：东区；积水点：3；备注：有{' ' if mark == chr(9) else mark}在内",
        "区名：西区；积水点：5；备注：无",
    ]


def test_csv_with_an_unclosed_quote_and_uneven_rows():
    found = sheets.read("a.csv", '区名,积水点\n东区,"3\n西区\n'.encode())
    assert "东区" in found.text
    assert "西区" in found.text


def test_csv_leaves_the_limit_of_the_process_alone():
    before = csv.field_size_limit()
    assert len(sheets.read("a.csv", f"名,注\n{'长' * before},1\n".encode()).text) > before
    assert csv.field_size_limit() == before


def test_csv_of_one_column_is_lines():
    assert sheets.read("a.csv", "名单\n张三\n李四".encode()).text == "名单\n张三\n李四"


@pytest.mark.parametrize("name", ["a.xlsx", "a.csv"])
def test_empty_table_is_refused(name):
    data = packed(workbook()) if name.endswith("x") else b"\n,,\n"
    with pytest.raises(CorpusError, match="没有文字"):
        read_document(name, data)


def test_encrypted_workbook_is_refused_with_its_mend():
    data = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + "EncryptedPackage".encode("utf-16-le")
    with pytest.raises(CorpusError, match=r"机密\.xlsx：文件已加密，请先去除密码"):
        read_document("机密.xlsx", data)


def replaced(part: str, data: bytes) -> bytes:
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(packed(workbook(["区", "数"], ["东", 1])))) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for info in old.infolist():
            new.writestr(info.filename, data if info.filename == part else old.read(info))
    return out.getvalue()


SHEET = (
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">{}</worksheet>'
)
PART = "xl/worksheets/sheet1.xml"
ROWS = '<row r="1"><c r="A1" t="inlineStr"><is><t>区</t></is></c></row>'
ENTITIES = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10 if i else "文"}">' for i in range(12))
HOSTILE = {
    "a billion rows by dimension": replaced(PART, SHEET.format(f'<dimension ref="A1:XFD1000000000"/><sheetData>{ROWS}</sheetData>').encode()),
    "row of number a billion": replaced(PART, SHEET.format(f'<sheetData>{ROWS}<row r="1000000000"><c r="A1000000000"><v>1</v></c></row></sheetData>').encode()),
    "a sheet in one merged cell": replaced(PART, SHEET.format(f'<sheetData>{ROWS}</sheetData><mergeCells count="1"><mergeCell ref="A1:XFD1048576"/></mergeCells>').encode()),
    "zip bomb": replaced(PART, b" " * (300 << 20)),
    "five million cells": replaced(PART, SHEET.format("<sheetData>" + ("<row>" + "<c><v>1</v></c>" * 100 + "</row>") * 50_000 + "</sheetData>").encode()),
    "entities within entities": replaced(PART, (f"<!DOCTYPE worksheet [{ENTITIES}]>" + SHEET.format(f"<sheetData>{ROWS.replace('区', '&a11;')}</sheetData>")).encode()),
    "not a zip": b"hello" * 100,
    "nothing": b"",
}  # fmt: skip


@pytest.mark.parametrize("key", HOSTILE)
def test_hostile_file_is_read_or_refused(key):
    box = Sandbox(seconds=30)
    found = outcome(box, "a.xlsx", HOSTILE[key])
    assert isinstance(found, CorpusError) or len(found.text) < 1000
    box.close()


@pytest.mark.parametrize("name", ["a.xlsx", "a.csv"])
def test_damaged_files_are_read_or_refused(name):
    box = Sandbox(seconds=30)
    good = packed(workbook(["区", "数", "日期"], ["东", 1, datetime.date(2024, 3, 5)], ["西", 0.5]))
    if name == "a.csv":
        good = '区名,积水点,备注\n东区,3,"有,在内"\n西区,5,无\n'.encode() * 5
    for data in mutations(good):
        outcome(box, name, data)
    assert isinstance(outcome(box, name, good), Extracted)
    box.close()
