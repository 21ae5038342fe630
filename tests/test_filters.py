"""Several departments or themes in one field are told apart."""

import pytest

from corpus.filters import Filters, ranked_names, split_names


@pytest.mark.parametrize(
    ("field", "names"),
    [
        ("省财政厅", ["省财政厅"]),
        ("省发展改革委、省财政厅", ["省发展改革委", "省财政厅"]),
        ("省发展改革委 省财政厅", ["省发展改革委", "省财政厅"]),
        ("纳税，社保; 用地/规划", ["纳税", "社保", "用地", "规划"]),
        ("省财政厅、省财政厅", ["省财政厅"]),
        ("省有关部门（财政厅、审计厅）、省税务局", ["省有关部门（财政厅、审计厅）", "省税务局"]),
        ("Department of Finance", ["Department of Finance"]),
        ("、", []),
        ("", []),
    ],
    ids=str,
)
def test_a_field_is_split_into_its_names(field, names):
    assert list(split_names(field)) == names


def test_names_of_most_documents_come_first():
    fields = [("甲局", 2), ("甲局、乙局", 3), ("丙局", 4), ("丁局", 4)]
    assert ranked_names(fields) == ["甲局", "丁局", "丙局", "乙局"]


def test_filters_without_restriction_are_false():
    assert not Filters()
    for field in ("places", "departments", "themes"):
        assert Filters(**{field: ("甲",)})
    assert Filters(since="2024")
