"""Which files of the given paths are taken."""

from pathlib import Path

import pytest

from rag.intake import Failure, select_files


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


def test_missing_path_is_told(tmp_path: Path) -> None:
    failed: list[Failure] = []
    assert select_files([tmp_path / "无"], [], [], failed) == []
    assert len(failed) == 1
