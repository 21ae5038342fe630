"""Archives: what is taken out, under which name, and what is refused without stopping the rest."""

import io
import struct
import zipfile
from pathlib import Path

import pytest
from reader_helpers import as_docx, zipped

from corpus.errors import CorpusError
from corpus.readers import archive, expand
from corpus.sandbox import expand_safely
from rag.intake import Failure, find_files, read_file


def taken(data: bytes) -> dict[str, bytes | str]:
    return {
        name: str(content) if isinstance(content, CorpusError) else content
        for name, content in expand("a.zip", data)
    }


def with_flags(data: bytes, flags: int) -> bytes:
    """The archive with other flag bits in its first entry."""
    changed = bytearray(data)
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        struct.pack_into("<H", changed, data.index(mark) + at, flags)
    return bytes(changed)


def test_files_come_out_under_the_name_of_the_archive() -> None:
    data = zipped(
        {"通知.txt": b"1", "下级/": b"", "下级/b.docx": b"2", "__MACOSX/._b": b"3", "~$b": b"4"}
    )
    assert taken(data) == {"a.zip/通知.txt": b"1", "a.zip/下级/b.docx": b"2"}


def test_other_files_are_themselves() -> None:
    docx = as_docx()
    assert list(expand("a.txt", b"PK\x03\x04")) == [("a.txt", b"PK\x03\x04")]
    assert list(expand("a.docx", docx)) == [("a.docx", docx)]
    assert list(expand("a.zip", docx)) == [("a.zip", docx)]  # a Word file under a wrong name


@pytest.mark.parametrize("encoding", ["gb18030", "utf-8"])
@pytest.mark.parametrize("name", ["关于放假的通知.txt", "联通.txt", "下级/方案.txt"])
def test_names_without_the_utf8_flag_are_repaired(name: str, encoding: str) -> None:
    raw = name.encode(encoding)
    data = zipped({"x" * len(raw): b"1"}).replace(b"x" * len(raw), raw)
    assert taken(data) == {f"a.zip/{name}": b"1"}


def test_archives_within_archives_are_opened_to_a_depth() -> None:
    data = b"deep"
    name = "f.txt"
    for level in "dcb":
        data, name = zipped({name: data}), f"{level}.zip"
    assert list(taken(data)) == ["a.zip/c.zip/d.zip/f.txt"]
    (found,) = taken(zipped({name: data})).items()
    assert found[0] == "a.zip/b.zip/c.zip/d.zip"
    assert "嵌套超过 3 层" in str(found[1])


@pytest.mark.parametrize(
    ("name", "told"),
    [("../b.txt", "之外"), ("/b.txt", "之外"), ("C:\\b.txt", "之外"), ("d\\..\\b.txt", "之外")],
)
def test_names_that_point_outside_are_refused_and_the_rest_is_read(name: str, told: str) -> None:
    found = list(taken(zipped({name: b"1", "c.txt": b"2"})).values())
    assert told in str(found[0])
    assert found[1] == b"2"


def test_links_encrypted_and_damaged_entries_are_refused_one_by_one() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as new:
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        new.writestr(link, "/etc/passwd")
        new.writestr("b.txt", "2")
    assert "之外" in str(taken(out.getvalue())["a.zip/link"])
    assert taken(out.getvalue())["a.zip/b.txt"] == b"2"
    encrypted = with_flags(zipped({"b.txt": b"1", "c.txt": b"2"}), 1)
    assert "已加密，请先去除密码" in str(taken(encrypted)["a.zip/b.txt"])
    assert taken(encrypted)["a.zip/c.txt"] == b"2"
    stored = io.BytesIO()
    with zipfile.ZipFile(stored, "w") as new:
        new.writestr("b.txt", "ABCDEF")
        new.writestr("c.txt", "2")
    damaged = taken(stored.getvalue().replace(b"ABCDEF", b"ABCDEX"))
    assert "已损坏" in str(damaged["a.zip/b.txt"])
    assert damaged["a.zip/c.txt"] == b"2"


def test_bombs_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = zipped({"bomb.txt": b"0" * (4 << 20), "c.txt": b"2"})
    assert "压缩炸弹" in str(taken(bomb)["a.zip/bomb.txt"])
    assert taken(bomb)["a.zip/c.txt"] == b"2"
    monkeypatch.setattr(archive, "MAX_ENTRY", 9)
    assert "超过" in str(taken(zipped({"b.txt": b"0" * 10}))["a.zip/b.txt"])
    monkeypatch.setattr(archive, "MAX_RATIO", 10**6)
    many = zipped({f"{i}.txt": b"x" for i in range(2001)})
    assert "超过 2,000 个" in str(taken(many)["a.zip"])


def test_the_sizes_of_all_archives_inside_are_added_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_EXPANDED", 1000)
    monkeypatch.setattr(archive._Budget.__init__, "__defaults__", (2000, 1000))
    inner = zipped({"b.txt": b"0" * 400})
    found = taken(zipped({f"{i}.zip": inner for i in range(3)}))
    assert [isinstance(content, bytes) for content in found.values()] == [True, False, False]


def test_an_archive_that_is_not_whole_is_told() -> None:
    ((name, content),) = expand_safely("a.zip", zipped({"b.txt": b"1"})[:-10])
    assert name == "a.zip"
    assert "已损坏或不完整" in str(content)


def test_good_entries_are_added_and_bad_ones_are_told(tmp_path: Path) -> None:
    data = zipped(
        {"甲.txt": "文字一".encode(), "乙.exe": b"MZ\0", "../丙.txt": b"x", "丁.docx": as_docx()}
    )
    (tmp_path / "材料.zip").write_bytes(data)
    failed: list[Failure] = []
    (file,) = find_files([tmp_path / "材料.zip"], failed)
    names = [document.name for document in read_file(file, failed)]
    assert names == ["材料.zip/甲.txt", "材料.zip/丁.docx"]
    assert [failure.name for failure in failed] == ["材料.zip/乙.exe", "材料.zip/../丙.txt"]
