"""Lists of files with what is known about them."""

import json

import pytest

from corpus.errors import CorpusError
from corpus.types import Metadata
from rag.manifest import metadata_from, read_manifest


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "下级").mkdir()
    for name in ("a.txt", "下级/b.txt"):
        (tmp_path / name).write_text("内容", "utf-8")
    return tmp_path


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030"])
def test_table_as_excel_saves_it(folder, encoding):
    list_ = folder / "清单.csv"
    rows = [
        "路径,标题,地区,日期,备注",
        "a.txt,“一号”文,深圳市,2024年3月5日,x",
        "下级\\b.txt,,,2024,",
    ]
    list_.write_text("\r\n".join(rows), encoding)
    failed = []
    first, second = read_manifest(list_, failed)
    assert failed == []
    assert first.metadata == Metadata("“一号”文", "深圳市", "2024-03-05")
    assert (second.name, second.load()) == ("下级/b.txt", "内容".encode())


def test_bad_rows_are_reported_and_the_rest_goes_on(folder):
    list_ = folder / "list.jsonl"
    rows = [
        '{"path": "a.txt", "theme": "税务"}',
        "{broken",
        "[1]",
        '{"title": "x"}',
        '{"path": "没有.txt"}',
        '{"path": "a.txt", "date": "去年"}',
        json.dumps({"path": str(folder / "下级" / "b.txt"), "department": None}),
    ]
    list_.write_text("\n\n".join(rows), "utf-8")
    failed = []
    found = read_manifest(list_, failed)
    assert [file.name for file in found] == ["a.txt", "b.txt"]
    assert [failure.name for failure in failed] == [f"list.jsonl:{n}" for n in (3, 5, 7, 9, 11)]
    assert "没有.txt" in failed[3].reason
    assert "去年" in failed[4].reason


def test_table_that_cannot_be_read_is_named(folder):
    (folder / "清单.csv").write_text(f"路径,标题\n{'长' * 200_000},x\n", "utf-8")
    with pytest.raises(CorpusError, match="清单"):
        read_manifest(folder / "清单.csv", [])


def test_missing_manifest_is_named(tmp_path):
    with pytest.raises(CorpusError, match="清单"):
        read_manifest(tmp_path / "没有.csv", [])


@pytest.mark.parametrize(
    ("written", "iso"),
    [
        ("2024", "2024"), ("2024年", "2024"), ("2024年3月", "2024-03"), ("2024/3/5", "2024-03-05"),
        ("2024.12.31", "2024-12-31"), ("2024-02-29", "2024-02-29"), ("", ""),
    ],
)  # fmt: skip
def test_dates_become_iso(written, iso):
    assert metadata_from({"date": written}).date == iso


@pytest.mark.parametrize("written", ["去年", "2024-13", "2023-02-29", "24-01-01", "0000"])
def test_what_is_no_date_is_told(written):
    with pytest.raises(CorpusError, match="日期"):
        metadata_from({"date": written})
