"""OFD: the same document as a text file gives the same outline, whichever program wrote it."""

import io
import zipfile

import pytest
from format_files import NOTICE, RIGHT, TITLE, headings, notice_text
from make_ofd import LEFT, PITCH, TOP, Text, make_ofd, notice_pages
from safe_reading import mutations, outcome

from corpus.errors import CorpusError
from corpus.readers import Extracted, ofd
from corpus.sandbox import Sandbox

PAGES = notice_pages(TITLE, NOTICE, tuple(RIGHT))
WRITERS = {
    "plain": {},
    "another prefix": {"prefix": "o:"},
    "default namespace": {"prefix": ""},
    "texts of three characters": {"split": 3},
    "texts of one character in any order": {"split": 1, "shuffled": True},
}


@pytest.mark.parametrize("options", WRITERS.values(), ids=WRITERS.keys())
def test_notice_is_read_as_it_was_written(options):
    found = ofd.read("通知.ofd", make_ofd(PAGES, **options))
    assert found.text == notice_text()
    assert found.metadata.title == TITLE
    assert headings(found) == headings(Extracted(notice_text()))
    assert len(found.pages) == len(PAGES) == 2


def test_page_numbers_and_the_heads_of_templates_are_left_out():
    numbered = [[*page, Text(f"— {i} —", 100, 283, 4.9)] for i, page in enumerate(PAGES, 1)]
    data = make_ofd(numbered, template=[Text("某某市人民政府公报", 80, 20, 4.2)])
    assert ofd.read("a.ofd", data).text == notice_text()


def test_text_of_a_template_on_one_page_is_kept():
    page = [Text("各区要按照要求抓好落实。", LEFT, TOP + 3 * PITCH)]
    found = ofd.read("a.ofd", make_ofd([page], template=[Text("责任单位：市水务局", LEFT, TOP)]))
    assert found.text == "责任单位：市水务局\n各区要按照要求抓好落实。"


def test_page_of_a_citation_is_known():
    found = ofd.read("a.ofd", make_ofd(notice_pages(TITLE, NOTICE * 4, tuple(RIGHT))))
    pages = notice_pages(TITLE, NOTICE * 4, tuple(RIGHT))
    assert all(
        found.text.startswith(page[0].text, start)
        for page, start in zip(pages, found.pages, strict=True)
    )


def test_empty_pages_at_the_end_begin_where_the_text_ends():
    found = ofd.read("a.ofd", make_ofd([[Text("抓好落实。", LEFT, TOP)], [], []]))
    assert found.pages == (0, 5, 5)


def test_title_of_the_properties_counts_unless_one_is_seen():
    page = [Text("各区要按照要求抓好落实。", LEFT, TOP)]
    assert ofd.read("a.ofd", make_ofd([page], title="落实方案")).metadata.title == "落实方案"
    assert ofd.read("a.ofd", make_ofd(PAGES, title="文档1")).metadata.title == TITLE


def test_ruled_table_becomes_rows_with_the_names_of_their_columns():
    cells = [
        ["区名", "积水点", "责任单位"],
        ["东区", "3", "东区水务局"],
        ["西区", "5", "西区水务局"],
    ]
    xs, ys = [30, 70, 110, 170], [60, 72, 84, 96]
    rules = [(xs[0], y, xs[-1], y) for y in ys] + [(x, ys[0], x, ys[-1]) for x in xs]
    page = [
        Text(cell, xs[c] + 3, ys[r] + 8, 4)
        for r, row in enumerate(cells)
        for c, cell in enumerate(row)
    ]
    above = Text("下表为各区情况，请对照检查。", LEFT, 50)
    found = ofd.read("a.ofd", make_ofd([[above, *page]], rules=rules))
    assert found.text.split("\n") == [
        "下表为各区情况，请对照检查。",
        "区名：东区；积水点：3；责任单位：东区水务局",
        "区名：西区；积水点：5；责任单位：西区水务局",
    ]
    assert len(found.tables) == 2


def test_watermark_and_hidden_text_are_left_out():
    content = """<o:Page xmlns:o="http://www.ofdspec.org/2016"><o:Content><o:Layer ID="1">
    <o:TextObject ID="2" Boundary="30 50 90 8" Size="5.6"><o:TextCode X="0" Y="5" DeltaX="g 3 5.6">按时完成</o:TextCode></o:TextObject>
    <o:TextObject ID="3" Boundary="30 90 90 60" CTM="0.7 -0.7 0.7 0.7 0 0" Size="9"><o:TextCode X="0" Y="9">内部资料</o:TextCode></o:TextObject>
    <o:TextObject ID="4" Visible="false" Boundary="30 70 90 8" Size="5.6"><o:TextCode X="0" Y="5">看不见</o:TextCode></o:TextObject>
    <o:PageBlock ID="5"><o:TextObject ID="6" Boundary="50 62 90 8" CTM="2 0 0 2 0 0" Size="2.8"><o:TextCode X="0" Y="2.5" DeltaX="2.8 2.8 2.8">块中的字</o:TextCode></o:TextObject></o:PageBlock>
    </o:Layer></o:Content></o:Page>"""
    data = make_ofd([[]], parts={"Doc_0/Pages/Page_0/Content.xml": content.encode()})
    assert ofd.read("a.ofd", data).text == "按时完成\n块中的字"


def test_encrypted_file_is_refused_with_its_mend():
    data = bytearray(make_ofd(PAGES))
    at = data.find(b"PK\x01\x02")
    while at >= 0:
        data[at + 8] |= 1
        at = data.find(b"PK\x01\x02", at + 4)
    with pytest.raises(CorpusError, match=r"机密\.ofd：文件已加密，请先去除密码"):
        ofd.read("机密.ofd", bytes(data))


def test_scan_is_refused_with_its_mend():
    with pytest.raises(CorpusError, match="扫描件，没有文字层"):
        ofd.read("a.ofd", make_ofd([[]]))


def entities(depth: int) -> bytes:
    names = "".join(
        f'<!ENTITY a{i} "{"&a" + str(i - 1) + ";" if i else "文"}{("&a" + str(i - 1) + ";") * 9 if i else ""}">'
        for i in range(depth)
    )
    return (
        f"<!DOCTYPE Page [{names}]><Page><Content><Layer><TextObject Boundary='0 0 9 9' Size='5'>"
        f"<TextCode X='0' Y='5'>&a{depth - 1};</TextCode></TextObject></Layer></Content></Page>"
    ).encode()


def bomb(n_bytes: int) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("OFD.xml", b" " * n_bytes + b"<OFD/>")
    return packed.getvalue()


CONTENT = "Doc_0/Pages/Page_0/Content.xml"
FILE = b'<!DOCTYPE Page [<!ENTITY a SYSTEM "file:///etc/passwd">]><Page><Content><Layer><TextObject Boundary="0 0 9 9" Size="5"><TextCode X="0" Y="5">&a;</TextCode></TextObject></Layer></Content></Page>'
MANY = (
    b"<Document><Pages>"
    + b'<Page BaseLoc="Pages/Page_0/Content.xml"/>' * 200_000
    + b"</Pages></Document>"
)
HOSTILE = {
    "zip bomb": bomb(200 << 20),
    "entities within entities": make_ofd([[]], parts={CONTENT: entities(12)}),
    "entity of a file": make_ofd([[]], parts={CONTENT: FILE}),
    "one page 200,000 times": make_ofd(PAGES[:1], parts={"Doc_0/Document.xml": MANY}),
    "elements 100,000 deep": make_ofd([[]], parts={CONTENT: b"<a>" * 100_000}),
    "page outside the package": make_ofd([[]], parts={"Doc_0/Document.xml": b'<Document><Pages><Page BaseLoc="../../../etc/passwd"/></Pages></Document>'}),
    "deltas beyond number": make_ofd([[]], parts={CONTENT: b'<Page><Content><Layer><TextObject Boundary="0 0 9 9" Size="5"><TextCode X="0" Y="5" DeltaX="g 999999999999 1e308"></TextCode></TextObject></Layer></Content></Page>'}),
    "not a zip": b"\0hello" * 100,
    "nothing": b"",
}  # fmt: skip


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_file_is_refused(data):
    box = Sandbox(seconds=30)
    assert isinstance(outcome(box, "a.ofd", data), CorpusError)
    box.close()


def test_damaged_files_are_read_or_refused():
    box = Sandbox(seconds=30)
    good = make_ofd(PAGES)
    stored = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(good)) as archive, zipfile.ZipFile(stored, "w") as copy:
        for info in archive.infolist():
            copy.writestr(info.filename, archive.read(info))
    for data in mutations(good) + mutations(stored.getvalue()):
        outcome(box, "a.ofd", data)
    assert isinstance(outcome(box, "a.ofd", good), Extracted)
    box.close()


def test_damaged_numbers_are_read_or_refused():
    """The XML itself stays well-formed here, so that the reader sees what is in it."""
    content = zipfile.ZipFile(io.BytesIO(make_ofd(PAGES))).read(CONTENT).decode()
    for old in ('Size="5.6"', 'X="0"', 'DeltaX="', 'Boundary="', "<ofd:TextCode "):
        for new in ("nan", "1e400", "-3", "", "g g g", "甲"):
            changed = content.replace(
                old, old[:-1].split('"')[0] + f'"{new}" ' if "=" in old else old
            )
            try:
                ofd.read("a.ofd", make_ofd(PAGES, parts={CONTENT: changed.encode()}))
            except CorpusError as error:
                assert "a.ofd" in error.zh
