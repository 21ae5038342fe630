"""Which files of the given paths are taken."""

import os
import sys
from pathlib import Path

import pytest

from corpus import sandbox
from rag.intake import Failure, read_file, select_files


@pytest.mark.parametrize(
    ("include", "exclude", "names"),
    [
        ([], [], ["a.txt", "下级/b.md", "下级/c.txt"]),
        (["*.txt"], [], ["a.txt", "下级/c.txt"]),
        ([], ["下级/*"], ["a.txt"]),
        (["*.txt"], ["c.*"], ["a.txt"]),
    ],
    ids=["all", "include", "exclude a folder", "both"],
)
def test_patterns_choose_files(
    tmp_path: Path, include: list[str], exclude: list[str], names: list[str]
) -> None:
    (tmp_path / "下级").mkdir()
    for name in ("a.txt", "下级/b.md", "下级/c.txt"):
        (tmp_path / name).write_text("文字", "utf-8")
    failed: list[Failure] = []
    found = select_files([tmp_path], include, exclude, failed)
    assert [file.name for file in found] == names
    assert not failed


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("*.txt", ["通知.txt"]),
        ("*/通知.txt", ["甲/通知.txt", "乙/通知.txt"]),
        ("[甲]*", ["甲/通知.txt"]),
        ("**/*.txt", ["通知.txt", "甲/通知.txt", "乙/通知.txt"]),
        ("**", ["通知.txt", "甲/通知.txt", "乙/通知.txt"]),
    ],
    ids=["names", "folders", "a folder", "all below", "folders and files"],
)
def test_patterns_that_the_shell_has_left_are_followed(
    tmp_path: Path, pattern: str, names: list[str]
) -> None:
    for folder in ("", "甲", "乙", "甲/.密"):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "通知.txt").write_text("文字", "utf-8")
    failed: list[Failure] = []
    found = select_files([tmp_path / pattern], [], [], failed)
    assert sorted(file.name for file in found) == sorted(names)
    assert [file.load() for file in found] == ["文字".encode()] * len(names)
    assert select_files([tmp_path / "*.pdf", tmp_path / "a**b"], [], [], failed) == []
    assert len(failed) == 2


def test_files_that_share_a_name_keep_apart(tmp_path: Path) -> None:
    paths = [tmp_path / "甲" / "通知.txt", tmp_path / "乙" / "通知.txt", tmp_path / "其他.txt"]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.write_text("文字", "utf-8")
    names = [file.name for file in select_files([*paths, paths[2]], [], [], [])]
    assert len(set(names)) == 3
    assert names[0].endswith("甲/通知.txt")
    assert names[2] == "其他.txt"


def test_folders_that_hold_files_of_one_name_keep_apart(tmp_path: Path) -> None:
    for year in ("2023", "2024"):
        (tmp_path / year).mkdir()
        (tmp_path / year / "通知.txt").write_text(year, "utf-8")
        (tmp_path / year / f"{year}年报.txt").write_text(year, "utf-8")
    found = select_files([tmp_path / "2023", tmp_path / "2024"], [], [], [])
    names = [file.name for file in found]
    assert len(set(names)) == 4
    assert sum(name.endswith(("2023/通知.txt", "2024/通知.txt")) for name in names) == 2
    assert {"2023年报.txt", "2024年报.txt"} < set(names)


@pytest.mark.skipif(sys.platform != "linux", reason="only there names are any bytes")
def test_a_name_that_is_not_utf8_is_read_as_gbk(tmp_path: Path) -> None:
    name = os.fsdecode("报告.txt".encode("gbk"))
    (tmp_path / name).write_text("文字", "utf-8")
    [found] = select_files([tmp_path], [], [], [])
    assert (found.name, found.load()) == ("报告.txt", "文字".encode())


def test_missing_path_is_told(tmp_path: Path) -> None:
    failed: list[Failure] = []
    assert select_files([tmp_path / "无"], [], [], failed) == []
    assert len(failed) == 1


def test_too_large_file_is_refused_before_it_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "MAX_FILE", 2)
    monkeypatch.setattr(Path, "read_bytes", lambda path: pytest.fail(f"{path} was loaded"))
    (tmp_path / "a.txt").write_text("文字", "utf-8")
    failed: list[Failure] = []
    (file,) = select_files([tmp_path], [], [], failed)
    assert list(read_file(file, failed)) == []
    assert [failure.name for failure in failed] == ["a.txt"]
