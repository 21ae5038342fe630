"""Older office files: read through LibreOffice where it is, which must stay within its bounds."""

import io
import shutil
import subprocess
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import openpyxl
import pytest
from reader_helpers import as_docx, changed_part, converted, zipped

from corpus.errors import CorpusError
from corpus.readers import office, read_document
from corpus.sandbox import read_safely

SOFFICE = shutil.which("soffice")
installed = pytest.mark.skipif(SOFFICE is None, reason="no LibreOffice here")
has_calc = pytest.mark.skipif(
    not list(Path(SOFFICE or "soffice").resolve().parent.glob("*sclo.*")),
    reason="no LibreOffice Calc here",
)
RTF = b"{\\rtf1 abc}"
XLS = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "Workbook".encode("utf-16-le")
ODS = zipped({"mimetype": b"application/vnd.oasis.opendocument.spreadsheet"})
XML = b'<?xml version="1.0"?><?mso-application progid="Excel.Sheet"?><Workbook/>'


def workbook() -> bytes:
    book, out = openpyxl.Workbook(), io.BytesIO()
    for row in (["2024年积水点", None], ["区名", "占比"], ["东区", 0.25]):
        book.active.append(row)
    book.active.merge_cells("A1:B1")
    book.active["B3"].number_format = "0.0%"
    book.create_sheet("隐藏").append(["秘密"])
    book["隐藏"].sheet_state = "hidden"
    book.save(out)
    return out.getvalue()


@installed
@pytest.mark.parametrize("suffix", ["doc", "odt", "rtf"])
def test_older_formats_give_the_same_text(suffix: str, tmp_path: Path) -> None:
    data = converted(as_docx(), suffix, tmp_path)
    found = read_safely("a.wps" if suffix == "doc" else f"a.{suffix}", data)
    expected = read_document("a.docx", as_docx())
    assert found.text == expected.text
    assert found.headings == expected.headings
    assert found.metadata == expected.metadata


@has_calc
@pytest.mark.parametrize("suffix", ["xls", "ods"])
def test_older_workbooks_give_the_same_rows(suffix: str, tmp_path: Path) -> None:
    data = converted(workbook(), suffix, tmp_path, of="xlsx")
    for name in ("a.et", "a.csv"):
        assert read_safely(name, data).text == "2024年积水点\n区名：东区；占比：25.0%"
    with pytest.raises(CorpusError, match=r"a\.xls：.*损坏"):
        read_safely("a.xls", data[:3000])


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("a.xls", XLS, "MS Excel 97"),
        ("a.et", XLS, "MS Excel 97"),
        ("a.ods", ODS, "calc8"),
        ("a.xls", XML, "MS Excel 2003 XML"),
    ],
)
def test_workbook_is_converted_as_what_it_is(
    name: str, data: bytes, kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program, book = tmp_path / "soffice", tmp_path / "book.xlsx"
    book.write_bytes(workbook())
    program.write_text(
        f'#!/bin/sh\n[ "$1" = "--infilter={kind}" ] || exit 1\n'
        f'while [ "$1" != --outdir ]; do shift; done\ncp "{book}" "$2/source.xlsx"\n'
    )
    program.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda name: str(program))
    assert read_document(name, data).text == "2024年积水点\n区名：东区；占比：25.0%"


@installed
def test_nothing_that_a_document_links_to_is_loaded(tmp_path: Path) -> None:
    asked = []

    class Listener(BaseHTTPRequestHandler):
        def handle_one_request(self) -> None:
            asked.append(self.client_address)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Listener)
    Thread(target=server.serve_forever, daemon=True).start()
    link = (
        '<text:p><draw:frame svg:width="2cm" svg:height="2cm"><draw:image xlink:type="simple"'
        f' xlink:href="http://127.0.0.1:{server.server_port}/a.png" xlink:show="embed"'
        ' xlink:actuate="onLoad"/></draw:frame></text:p></office:text>'
    )
    data = changed_part(
        converted(as_docx(), "odt", tmp_path),
        "content.xml",
        lambda xml: xml.replace(b"</office:text>", link.encode()),
    )
    try:
        assert read_document("a.odt", data).text
    finally:
        server.shutdown()
        server.server_close()
    assert asked == []


@installed
def test_what_libreoffice_cannot_open_is_told() -> None:
    with pytest.raises(CorpusError, match=r"a\.doc：LibreOffice 无法打开.*另存为 \.docx"):
        read_document("a.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 1000)


def test_a_conversion_that_takes_too_long_is_ended(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    slow = tmp_path / "soffice"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda name: str(slow))
    monkeypatch.setattr(office, "MAX_SECONDS", 0.1)
    with pytest.raises(CorpusError, match=r"a\.rtf：LibreOffice 转换超过 0\.1 秒"):
        read_document("a.rtf", RTF)


def test_missing_libreoffice_is_told_with_its_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("started"))
    with pytest.raises(CorpusError, match=r"a\.rtf：需要 LibreOffice.*Word、WPS 另存为 \.docx"):
        read_document("a.rtf", RTF)
    with pytest.raises(CorpusError, match=r"a\.xls：需要 LibreOffice.*Excel、WPS 另存为 \.xlsx"):
        read_document("a.xls", XLS)
