"""The same documents in every format have the same outline and give the same answers."""

import io
from html import escape

import docx
import openpyxl
import pytest
from format_files import NOTICE, RIGHT, SOFFICE, TITLE, chromium_pdf, page_html
from make_ofd import EM, LEFT, PITCH, Text, make_ofd, notice_pages, partly_scanned_ofd
from page_helpers import CHROMIUM
from reader_helpers import converted

from corpus.outline import parse_outline
from corpus.sandbox import read_safely
from embeddings.encoder import load_encoder
from rag.assistant import Assistant
from rag.config import Config
from rag.extractive import ExtractiveAnswerer
from rag.intake import Notice
from rag.library import Library

LAW = [
    "（2023年5月6日南江市人民政府令第12号公布）",
    "第一章 总则",
    "第一条 为了加强城市绿化管理，改善生态环境，根据有关法律法规，结合本市实际，制定本办法。",
    "第二条 本办法适用于本市行政区域内城市绿化的规划、建设、保护和管理。",
    "第三条 市园林绿化主管部门负责全市城市绿化工作，区园林绿化主管部门负责本辖区内的城市绿化工作。",
    "第二章 规划与建设",
    "第四条 新建居住区绿地率不得低于百分之三十五，旧区改建不得低于百分之二十五。",
    "第五条 建设项目的绿化工程应当与主体工程同时设计，并在主体工程交付使用后六个月内完成。",
    "第三章 罚则",
    "第六条 擅自砍伐城市树木的，责令补种，并处树木价值三倍以上五倍以下的罚款；情节严重的，依法追究责任。",
    "第七条 本办法自2023年7月1日起施行。",
]
PLAN = [
    "为做好污水处理提质增效工作，制定本方案。",
    "一、工作目标",
    "到2025年底，县城生活污水集中收集率达到百分之七十三，基本消除生活污水直排口。",
    "二、主要措施",
    "（一）补齐管网短板",
    "对建成区内破损管网开展修复，三年改造老旧污水管网四十六公里。",
    "（二）强化运行监管",
    "建立厂网一体的运行维护机制，每月公布进水浓度。",
    "三、任务分工",
    "各项任务的责任单位和完成时限见下表。",
]
TABLE = [
    ["任务", "责任单位", "完成时限"],
    ["污水处理厂扩建", "县住房城乡建设局", "2024年10月底"],
    ["排水户接管", "县水务局", "2024年6月底"],
    ["管网普查", "县城市管理局", "2024年3月底"],
]
DOCUMENTS = {
    "通知": (TITLE, NOTICE, []),
    "办法": ("南江市城市绿化管理办法", LAW, []),
    "方案": ("东山县污水处理提质增效工作方案", PLAN, TABLE),
}
QUESTIONS = [
    "内涝治理要消除多少处易涝积水点？",
    "雨污分流要新建改造多少公里雨水管网？",
    "怎样提升内涝的应急能力？",
    "市财政每年安排多少专项资金治理内涝？",
    "新建居住区的绿地率不得低于多少？",
    "擅自砍伐城市树木怎么处罚？",
    "城市绿化管理办法自何时起施行？",
    "县城生活污水集中收集率的目标是多少？",
    "排水户接管由哪个单位负责？",
    "污水处理有哪些主要措施？",
]


def as_lines(key: str) -> list[str]:
    title, paragraphs, table = DOCUMENTS[key]
    rows = ["；".join(f"{n}：{c}" for n, c in zip(table[0], row, strict=True)) for row in table[1:]]
    return [title, *paragraphs, *rows]


def as_txt(key: str) -> bytes:
    return "\n".join(as_lines(key)).encode("gb18030")


def as_md(key: str) -> bytes:
    title, *lines = as_lines(key)
    marks = {"一二三四五": "## ", "（": "### "}

    def marked(line: str) -> str:
        short = len(line) < 20 and (line[1:2] == "、" or line[0] == "（")
        return next((m for c, m in marks.items() if short and line[0] in c), "") + line

    return "\n\n".join([f"# {title}", *map(marked, lines)]).encode()


def as_docx(key: str) -> bytes:
    title, paragraphs, table = DOCUMENTS[key]
    document = docx.Document()
    for line in (title, *paragraphs):
        document.add_paragraph(line)
    if table:
        cells = document.add_table(len(table), len(table[0]))
        for row, texts in zip(cells.rows, table, strict=True):
            for cell, text in zip(row.cells, texts, strict=True):
                cell.text = text
        document.add_paragraph()  # LibreOffice makes no table at the end of a .doc
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def as_html(key: str) -> bytes:
    title, paragraphs, table = DOCUMENTS[key]
    body = [f"<h1>{title}</h1>"]
    for line in paragraphs:
        style = ' style="text-align:right;padding-right:4em"' if line in RIGHT else ""
        body.append(f"<p{style}>{escape(line)}</p>")
    rows = "".join(f"<tr>{''.join(f'<td>{c}</td>' for c in row)}</tr>" for row in table)
    body.append(f"<table>{rows}</table>" if table else "")
    css = "table{border-collapse:collapse}td{border:1px solid #000;padding:4px}"
    return f"<!DOCTYPE html><html>{page_html(''.join(body), css)}</html>".encode()


def as_ofd(key: str) -> bytes:
    title, paragraphs, table = DOCUMENTS[key]
    pages = notice_pages(title, paragraphs, tuple(RIGHT))
    if not table:
        return make_ofd(pages)
    (page,) = pages
    top = page[-1].y + PITCH
    xs = [LEFT + 50 * i for i in range(4)]
    ys = [top + PITCH * i for i in range(len(table) + 1)]
    for r, row in enumerate(table):
        page += [Text(text, xs[c] + 2, ys[r] + 7, 0.8 * EM) for c, text in enumerate(row)]
    rules = [(xs[0], y, xs[-1], y) for y in ys] + [(x, ys[0], x, ys[-1]) for x in xs]
    return make_ofd(pages, rules=rules)


MAKERS = {"txt": as_txt, "md": as_md, "docx": as_docx, "html": as_html, "ofd": as_ofd}
FORMATS = [*MAKERS, "pdf", "doc", "odt"]


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """The bytes of all documents in a format."""
    made: dict[str, dict[str, bytes]] = {}

    def make(kind: str) -> dict[str, bytes]:
        if (kind == "pdf" and CHROMIUM is None) or (kind in ("doc", "odt") and SOFFICE is None):
            pytest.skip(f"nothing here makes a .{kind}")
        folder = tmp_path_factory.mktemp(kind)
        for key in DOCUMENTS:
            if kind == "pdf":
                data = chromium_pdf(as_html(key).decode(), folder)
            elif kind in MAKERS:
                data = MAKERS[kind](key)
            else:
                data = converted(as_docx(key), kind, folder)
            made.setdefault(kind, {})[key] = data
        return made[kind]

    return lambda kind: made.get(kind) or make(kind)


def outline(name: str, data: bytes) -> list[tuple[str, str, str]]:
    found = read_safely(name, data)
    nodes = parse_outline(found.text, found.headings, found.tables)
    return [(n.kind, n.label, n.title) for n in nodes if n.label and n.kind != "heading"]


def answers(home, kind: str, files: dict[str, bytes]) -> list[str]:
    """The answers to all questions from a library of the documents in one format."""
    library = Library.open(home, load_encoder(), builtin=False)
    try:
        report = library.add([(f"{key}.{kind}", data) for key, data in files.items()])
        assert not report.failed
        config = Config()
        assistant = Assistant(library, ExtractiveAnswerer(config.answers), config)
        return ["".join(assistant.ask(question).answer.split()) for question in QUESTIONS]
    finally:
        library.close()


@pytest.mark.parametrize("name", ["a.txt", "a.zip", "a.csv", "a.docx", "无扩展名"])
@pytest.mark.parametrize("kind", ["ofd", "pdf"])
def test_a_file_is_read_as_what_it_is(name, kind, files):
    assert read_safely(name, files(kind)["办法"]).text.startswith("南江市城市绿化管理办法\n")


def test_a_workbook_is_known_under_another_name():
    book = openpyxl.Workbook()
    book.active.append(["区", "数"])
    book.active.append(["东", 1])
    out = io.BytesIO()
    book.save(out)
    assert read_safely("a.csv", out.getvalue()).text == "区：东；数：1"
    assert read_safely("a.tsv", "区\t数\n东\t1".encode()).text == "区：东；数：1"


def test_what_was_not_read_is_told_when_a_file_is_added(tmp_path):
    library = Library.open(tmp_path, load_encoder(), builtin=False)
    report = library.add([("a.ofd", partly_scanned_ofd()), ("b.txt", b"abc")])
    library.close()
    told = "第2页是扫描件，没有文字层，未读入 (scanned, without a text layer, not read: page 2)"
    assert report.notices == (Notice("a.ofd", told),)


def test_marks_of_markdown_headings_are_no_text_but_code_is():
    found = read_safely("a.md", "# 甲 #\n## 乙\n正文 # 丙\n```\n# 丁\n```".encode())
    assert found.text == "甲\n乙\n正文 # 丙\n```\n# 丁\n```"
    assert found.headings == ((0, 1, 0), (2, 3, 2))  # the first one is the title


@pytest.mark.parametrize("kind", FORMATS)
def test_documents_have_one_outline_and_one_title_in_every_format(kind, files):
    for key, data in files(kind).items():
        name = f"{key}.{kind}"
        assert outline(name, data) == outline(f"{key}.txt", as_txt(key))
        assert read_safely(name, data).metadata == read_safely("a.txt", as_txt(key)).metadata


@pytest.mark.parametrize("kind", FORMATS[1:])
def test_documents_give_the_same_answers_in_every_format(kind, files, plain_answers, tmp_path):
    assert answers(tmp_path, kind, files(kind)) == plain_answers


@pytest.fixture(scope="session")
def plain_answers(files, tmp_path_factory):
    return answers(tmp_path_factory.mktemp("plain"), "txt", files("txt"))
