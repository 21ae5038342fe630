"""PDF: what a reader sees is what is read, whichever program made the file."""

import io
import json
import sys
from difflib import SequenceMatcher
from importlib.util import find_spec

import pypdfium2
import pytest
from format_files import (
    CHROMIUM,
    NOTICE,
    SOFFICE,
    TITLE,
    chromium_pdf,
    headings,
    notice_docx,
    notice_html,
    notice_text,
    office_pdf,
    page_html,
)
from safe_reading import mutations, outcome

from corpus.errors import CorpusError
from corpus.readers import Extracted, ocr, pdf, read_document
from corpus.sandbox import Sandbox

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
needs_extra = pytest.mark.skipif(
    find_spec("rapidocr_onnxruntime") is None, reason="the ocr extra is not installed"
)
needs_office = pytest.mark.skipif(SOFFICE is None, reason="no LibreOffice on this machine")


@pytest.fixture(scope="session")
def printed(tmp_path_factory):
    """Prints HTML by Chromium."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    folder = tmp_path_factory.mktemp("chromium")
    return lambda html, *options: chromium_pdf(html, folder, *options)


@pytest.fixture(scope="session")
def notice(printed):
    return printed(notice_html())


@pytest.fixture(scope="session")
def scan(notice):
    """The notice as pictures."""
    image = pytest.importorskip("PIL.Image")
    pages = [page.render(scale=200 / 72).to_pil() for page in pypdfium2.PdfDocument(notice)]
    assert all(isinstance(page, image.Image) for page in pages)
    packed = io.BytesIO()
    pages[0].save(packed, "PDF", save_all=True, append_images=pages[1:], resolution=200)
    return packed.getvalue()


def lines(data: bytes, name: str = "a.pdf") -> list[str]:
    return pdf.read(name, data).text.split("\n")


def test_notice_is_read_as_it_was_written(notice):
    found = pdf.read("通知.pdf", notice)
    assert found.text == notice_text()
    assert found.metadata.title == TITLE
    assert headings(found) == headings(Extracted(notice_text()))


LAYOUTS = {
    "not indented, gaps": "p{text-indent:0;margin:0 0 1em 0;text-align:left}",
    "not indented, no gaps": "p{text-indent:0;text-align:left}",
    "small": "@page{margin:20mm}body{font-size:10.5pt;line-height:1.5}h1{font-size:16pt}",
    "small pages": "@page{size:A5;margin:12mm}",
    "title of the body's size": "h1{font-size:16pt}",
    "words broken anywhere": "p{word-break:break-all}",
    "letters apart": "body{letter-spacing:1.2pt}",
}


@pytest.mark.parametrize("css", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_layout_does_not_matter(printed, css):
    assert lines(printed(notice_html(css))) == [TITLE, *NOTICE]


@needs_office
def test_notice_from_word_is_read_as_it_was_written(tmp_path):
    data = office_pdf(notice_docx(tmp_path / "n.docx"))
    assert lines(data) == [TITLE, *NOTICE]


def test_two_columns_are_read_one_after_the_other(printed):
    prose = [f"第{i}点意见：{text}" for i, text in enumerate(NOTICE * 3) if len(text) > 40]
    columns = "".join(f"<p>{text}</p>" for text in prose)
    css = "div{columns:2;column-gap:2em;font-size:10.5pt;line-height:1.6}"
    data = printed(page_html(f"<h1>{TITLE}</h1><div>{columns}</div>", css))
    assert lines(data) == [TITLE, *prose]


def test_columns_go_on_over_the_few_lines_of_the_last_page(printed):
    prose = [f"第{i}点意见：{text}" for i, text in enumerate(NOTICE * 2) if len(text) > 40]
    page = "".join(f"<p>{text}</p>" for text in prose)
    rest = [f"第{i}项由区里负责，计划投入{i}万元，目前已经完成了八成以上的工作。" for i in (1, 2)]
    last = "".join(f"<p>{text}</p>" for text in rest)
    css = "div{columns:2;column-gap:2em;font-size:10.5pt;line-height:1.6}div+div{break-before:page}"
    data = printed(page_html(f"<div>{page}</div><div>{last}</div>", css))
    assert lines(data) == [*prose, *rest]


def test_three_columns_under_a_short_title(printed):
    prose = [f"第{i}点{text}" for i, text in enumerate(NOTICE * 4) if len(text) > 60]
    columns = "".join(f"<p>{text}</p>" for text in prose)
    css = "div{columns:3;column-gap:1.5em;font-size:9pt;line-height:1.5}"
    assert lines(printed(page_html(f"<h1>简报</h1><div>{columns}</div>", css))) == ["简报", *prose]


def test_letterhead_signature_form_and_table_without_rules(printed):
    """What a notice may have besides its text, each of which once ran into its neighbours."""
    signed = ["某某市人民政府", "2024年5月20日"]
    right = "".join(f"<p style='text-align:right'>{text}</p>" for text in signed)
    rows = [
        ["区名", "总数", "单位"],
        *(["东西南北"[i] + "区", str(3 * i), "水务局"] for i in range(4)),
    ]
    cells = "".join(f"<tr>{''.join(f'<td>{cell}' for cell in row)}" for row in rows)
    body = (
        "<div style='text-align:center;font-size:40pt;line-height:1.5'>某某市人民政府文件</div><hr>"
        f"<h1>{TITLE}</h1><p>{NOTICE[4]}</p>{right}<table style='width:100%'>{cells}</table>"
        "<table border=1 style='border-collapse:collapse;width:100%'><tr><td>姓名<td>张三<td>性别<td>男"
        "<tr><td>单位<td colspan=3>某某市水务局<tr><td>事由<td colspan=3>参加培训</table>"
    )
    found = pdf.read("a.pdf", printed(page_html(body)))
    assert found.metadata.title == TITLE
    assert found.headings == ()
    assert found.text.split("\n") == [
        "某某市人民政府文件", TITLE, NOTICE[4], *signed, *(" ".join(row) for row in rows),
        "姓名：张三；性别：男", "单位：某某市水务局", "事由：参加培训",
    ]  # fmt: skip


def test_contents_are_left_out(printed):
    entries = "".join(f"<p>{text}{'.' * 40}{i}</p>" for i, text in enumerate(NOTICE[3:6:2], 1))
    data = printed(page_html(f"<h1>{TITLE}</h1>{entries}<p>{NOTICE[4]}</p>"))
    assert lines(data) == [TITLE, NOTICE[4]]


def test_running_heads_and_page_numbers_are_left_out(printed):
    css = "@page{@top-center{content:'某某市人民政府公报'}@bottom-center{content:'— ' counter(page) ' —'}}"
    data = printed(notice_html(css, NOTICE * 3))
    found = pdf.read("a.pdf", data)
    assert len(found.pages) >= 5
    assert found.text.split("\n") == [TITLE, *NOTICE * 3]


@pytest.mark.parametrize(
    "form",
    ["'第 ' counter(page) ' 页 共 ' counter(pages) ' 页'", "counter(page) '/' counter(pages)"],
)
def test_forms_of_page_numbers(printed, form):
    data = printed(notice_html(f"@page{{@bottom-right{{content:{form}}}}}"))
    assert lines(data) == [TITLE, *NOTICE]


def test_paragraph_over_a_page_break_is_one_and_the_page_is_known(printed):
    data = printed(notice_html("", NOTICE * 3))
    found = pdf.read("a.pdf", data)
    inside = [page for page in found.pages if page and found.text[page - 1] != "\n"]
    assert inside, "no page begins within a paragraph"
    document = pypdfium2.PdfDocument(data)
    for page, start in zip(document, found.pages, strict=True):
        shown = "".join(page.get_textpage().get_text_range().split())
        assert "".join(found.text[start : start + 14].split())[:10] in shown[:12]


def test_larger_text_is_a_heading(printed):
    body = "".join(
        f"<h2>{title}</h2><p>{NOTICE[2]}</p><h3>{title}的细则</h3><p>{NOTICE[4]}</p>"
        for title in ("背景情况", "主要做法")
    )
    css = "h2{font-size:20pt}h3{font-size:18pt;font-weight:normal}"
    found = pdf.read(
        "a.pdf", printed(page_html(f"<h1 style='font-size:26pt'>{TITLE}</h1>{body}", css))
    )
    assert found.metadata.title == TITLE
    assert [(found.text[a:b], level) for a, b, level in found.headings] == [
        ("背景情况", 1), ("背景情况的细则", 2), ("主要做法", 1), ("主要做法的细则", 2),
    ]  # fmt: skip


TABLE = """<table><thead><tr><th rowspan=2>区名</th><th colspan=2>积水点</th><th rowspan=2>责任单位</th></tr>
<tr><th>总数</th><th>已消除</th></tr></thead>{}</table>"""


def test_ruled_table_becomes_rows_with_the_names_of_their_columns(printed):
    rows = "".join(
        f"<tr><td>第{i}区</td><td>{3 * i}</td><td>{i}</td><td>水务局第{i}管理处以及相关街道办事处联合负责</td></tr>"
        for i in range(1, 40)
    )
    css = "table{border-collapse:collapse;font-size:12pt}td,th{border:1px solid}"
    body = f"<p>下表为各区情况。</p>{TABLE.format(rows)}<p>以上数据截至2024年5月。</p>"
    found = pdf.read("a.pdf", printed(page_html(body, css)))
    assert len(found.pages) > 1, "the table should run over a page"
    shown = found.text.split("\n")
    assert shown[0] == "下表为各区情况。"
    assert shown[-1] == "以上数据截至2024年5月。"
    assert shown[1:-1] == [
        f"区名：第{i}区；积水点 总数：{3 * i}；积水点 已消除：{i}；责任单位：水务局第{i}管理处以及相关街道办事处联合负责"
        for i in range(1, 40)
    ]
    assert len(found.tables) == 39


def test_latin_words_are_parted_by_blanks_and_hyphens_are_healed(printed):
    text = (
        "The Shenzhen Municipal Government has published a well-known report on internationalization, "
        "cross-border cooperation and infrastructure in 35 districts during 2024. "
    ) * 4
    css = "p{text-indent:0;hyphens:auto;text-align:justify}"
    (line,) = lines(printed(page_html(f"<p lang=en>{text}</p>", css)))
    assert line == text.strip()


@needs_chromium
def test_landscape_table_page_drawn_on_its_side(notice):
    document = pypdfium2.PdfDocument(notice)
    document[0].set_rotation(90)
    turned = io.BytesIO()
    document.save(turned)
    assert lines(turned.getvalue()) == [TITLE, *NOTICE]


def test_radicals_become_the_characters_they_look_like():
    assert [pdf._character(ord(char)) for char in "⽤⼀⺠⻔豈用，㎡"] == list("用一民门豈用，㎡")


@needs_office
def test_encrypted_file_is_refused_with_its_mend(tmp_path):
    secret = {
        "EncryptFile": {"type": "boolean", "value": "true"},
        "DocumentOpenPassword": {"type": "string", "value": "abc"},
    }
    (tmp_path / "a.txt").write_text(notice_text(), "utf-8")
    data = office_pdf(tmp_path / "a.txt", json.dumps(secret))
    with pytest.raises(CorpusError, match=r"机密\.pdf：文件已加密，请先去除密码"):
        pdf.read("机密.pdf", data)


def test_scan_is_refused_with_its_mend(scan, monkeypatch):
    monkeypatch.setattr(ocr, "is_installed", lambda: False)
    with pytest.raises(CorpusError, match="扫描件，没有文字层"):
        pdf.read("a.pdf", scan)


def test_scanned_page_among_others_does_not_hide_them(notice, scan, monkeypatch):
    monkeypatch.setattr(ocr, "is_installed", lambda: False)
    both = pypdfium2.PdfDocument(notice)
    both.import_pages(pypdfium2.PdfDocument(scan), [0])
    packed = io.BytesIO()
    both.save(packed)
    found = pdf.read("a.pdf", packed.getvalue())
    assert found.text == notice_text()
    assert len(found.pages) == 3
    assert found.notice.startswith("第3页是扫描件，没有文字层，未读入 (")


def test_scanned_pages_are_named_in_runs():
    assert ocr.notice([], recognised=False) == ""
    zh, en = ocr.notice([3, 4, 7, 8, 9], recognised=False).split(" (")
    assert zh == "第3、4、7—9页是扫描件，没有文字层，未读入"
    assert en == "scanned, without a text layer, not read: page 3, 4, 7–9)"


@needs_extra
def test_scan_is_recognised_with_the_extra(scan):
    found = pdf.read("a.pdf", scan)
    assert found.metadata.title == TITLE
    assert [label for label, _ in headings(found)] == [
        label for label, _ in headings(Extracted(notice_text()))
    ]
    assert SequenceMatcher(None, found.text, notice_text(), autojunk=False).ratio() > 0.99
    assert len(found.pages) == 2
    assert found.notice.startswith("第1、2页是扫描件，文字由识别得到，可能有错 (")


@needs_extra
def test_scan_within_the_limits_of_the_worker(scan):
    box = Sandbox()
    assert box.read("a.pdf", scan).metadata.title == TITLE
    box.close()


@needs_extra
@pytest.mark.parametrize("turn", [90, 180, 270])
def test_page_that_was_scanned_another_way_up_is_turned(scan, turn):
    document = pypdfium2.PdfDocument(scan)
    document[0].set_rotation(turn)
    upright, turned = (
        [glyph.text for glyph in ocr.read_page(page).glyphs]
        for page in (pypdfium2.PdfDocument(scan)[0], document[0])
    )
    assert SequenceMatcher(None, "".join(upright), "".join(turned)).ratio() > 0.98


class FakeEngine:
    """Finds three lines, as well as the model would, where a mark tells how the page lies."""

    def __init__(self):
        self.n_pages = 0

    def __call__(self, image, **_):
        self.n_pages += 1
        height, width = image.shape[:2]
        dark = image[[0, 0, -1, -1], [0, -1, -1, 0]].max(axis=1) < 100
        turned = int(dark.argmax())  # quarters of a circle, clockwise
        score = 0.9 if turned < 2 else 0.2
        long, wide = (height, width) if turned % 2 else (width, height)
        boxes = [(0.2 * long, y * wide, 0.8 * long, (y + 0.05) * wide) for y in (0.2, 0.4, 0.6)]
        if turned % 2:
            boxes = [(y0, x0, y1, x1) for x0, y0, x1, y1 in boxes]
        corners = [[(a, b), (c, b), (c, d), (a, d)] for a, b, c, d in boxes]
        return [(box, f"第{n}行", score) for n, box in enumerate(corners, 1)], None


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_lines_tell_how_a_scanned_page_lies(monkeypatch, turn):
    engine = FakeEngine()
    monkeypatch.setattr(ocr, "_engine", lambda: engine)
    data = pdf_of(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 400 600]/Rotate %d/Contents 4 0 R>>" % turn,
        b"<</Length 18>>stream\n0 500 100 100 re f\nendstream",
    )
    found = ocr.read_page(pypdfium2.PdfDocument(data)[0])
    assert found.height == 600
    assert [(glyph.text, round(glyph.y)) for glyph in found.glyphs] == [
        ("第1行", 144), ("第2行", 264), ("第3行", 384),
    ]  # fmt: skip
    assert engine.n_pages == (2 if turn else 1)


def test_marks_that_recognition_confuses_are_put_right():
    page = '（一)重点丶难点\n某发（2024]15号，“源头\n减排"和(二）、[2024]3号、(3)'
    mended = "（一）重点、难点\n某发〔2024〕15号，“源头\n减排”和（二）、[2024]3号、(3)"
    assert ocr.mended(page) == mended


def test_extra_that_does_not_start_is_told_with_its_mend(monkeypatch):
    monkeypatch.setitem(sys.modules, "rapidocr_onnxruntime", None)
    with pytest.raises(CorpusError, match=r"文字识别组件无法启动.*libgl1"):
        ocr._engine.__wrapped__()


def test_file_without_text_is_refused():
    document = pypdfium2.PdfDocument.new()
    document.new_page(595, 842)
    packed = io.BytesIO()
    document.save(packed)
    with pytest.raises(CorpusError, match="没有文字"):
        read_document("a.pdf", packed.getvalue())


def pdf_of(*objects: bytes) -> bytes:
    """A PDF of the objects 1, 2, … with a right cross-reference table."""
    data = b"%PDF-1.4\n"
    places = []
    for i, content in enumerate(objects, 1):
        places.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (i, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    tail = b"trailer <</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (
        len(objects) + 1,
        len(data),
    )
    return data + head + table + tail


BOMBS = {
    "page tree in a loop": pdf_of(
        b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[2 0 R 2 0 R]/Count 9999999>>"
    ),
    "pages beyond number": pdf_of(
        b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[]/Count 2147483647>>"
    ),
    "form within itself": pdf_of(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R/Resources<</XObject<</F 5 0 R>>>>>>",
        b"<</Length 5>>stream\n/F Do\nendstream",
        b"<</Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</F 5 0 R>>>>/Length 11>>"
        b"stream\n/F Do /F Do\nendstream",
    ),
    "nothing": b"",
    "not a PDF": b"\0hello" * 100,
}


@pytest.mark.parametrize("data", BOMBS.values(), ids=BOMBS.keys())
def test_hostile_file_is_refused(data):
    box = Sandbox(seconds=30)
    assert isinstance(outcome(box, "a.pdf", data), CorpusError)
    box.close()


def test_damaged_files_are_read_or_refused(notice):
    box = Sandbox(seconds=30)
    for data in mutations(notice):
        outcome(box, "a.pdf", data)
    assert isinstance(outcome(box, "a.pdf", notice), Extracted)
    box.close()
