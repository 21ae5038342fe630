"""The project's questions, checked against the plain text of the cases.

The outline parser of the product is left out on purpose: a question must not become right because
the parser is wrong. Cases are found by their headings alone.
"""

import hashlib
import json
import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "corpus" / "cases" / "guangdong-cases.txt").read_text("utf-8")
LINES = (ROOT / "eval" / "questions.jsonl").read_text("utf-8").splitlines()
ROWS = [json.loads(line) for line in LINES]
LEAST = {
    "fact": 60, "how": 25, "list": 30, "paraphrase": 30, "multi": 10, "compare": 10, "count": 3,
    "followup": 20, "unanswerable": 35, "typo": 10, "english": 8,
}  # fmt: skip
DEV_SHARE = 45  # percent of the questions, by the hash of their id

# Measured only; written by people who had seen nothing but the cases.
UNSEEN = [
    json.loads(line) for line in (ROOT / "eval" / "unseen.jsonl").read_text("utf-8").splitlines()
]

ANSWERABLE = [row for row in (*ROWS, *UNSEEN) if row["type"] != "unanswerable"]


def case_texts() -> list[str]:
    """The text of every case, from its heading to the next one."""
    starts = [m.start() for m in re.finditer(r"^\s*案例[一二三四五六七八九十]+\s*$", TEXT, re.M)]
    return [TEXT[a:b] for a, b in zip(starts, [*starts[1:], len(TEXT)], strict=True)]


CASES = case_texts()


def name(row: dict[str, str]) -> str:
    return row["id"]


def test_the_cases_are_told_apart_by_their_headings() -> None:
    assert len(CASES) == 14


def test_there_are_enough_questions_of_every_type() -> None:
    types = Counter(row["type"] for row in ROWS)
    assert set(types) == set(LEAST)
    assert {kind: types[kind] for kind, least in LEAST.items() if types[kind] < least} == {}
    assert len(ROWS) >= 160


def test_every_case_is_asked_about_in_both_splits() -> None:
    for split, least in (("dev", 3), ("test", 3)):
        asked = Counter(c for row in ROWS if row["split"] == split for c in row["cases"])
        assert [n for n in range(1, 15) if asked[n] < least] == []


def test_ids_and_questions_are_unique() -> None:
    assert len({row["id"] for row in ROWS}) == len(ROWS)
    asked = Counter((*row.get("history", ()), row["question"]) for row in ROWS)
    assert [question for question, n in asked.items() if n > 1] == []


@pytest.mark.parametrize("row", ROWS, ids=name)
def test_a_row_has_its_shape_and_its_split(row) -> None:
    assert row["question"].strip() == row["question"] != ""
    assert bool(row.get("history")) == (row["type"] == "followup")
    assert row["cases"] == sorted({e["case"] for e in row["evidence"]})
    # The split depends on the id alone, so that no question ever changes sides.
    digest = int(hashlib.sha256(row["id"].encode()).hexdigest(), 16)
    assert row["split"] == ("dev" if digest % 100 < DEV_SHARE else "test")


@pytest.mark.parametrize("row", ANSWERABLE, ids=name)
def test_evidence_is_exact_and_lies_in_its_case(row) -> None:
    assert row["evidence"]
    for evidence in row["evidence"]:
        assert evidence["text"].strip() == evidence["text"] != ""
        assert evidence["text"] in CASES[evidence["case"] - 1]
    assert len({e["text"] for e in row["evidence"]}) == len(row["evidence"])


@pytest.mark.parametrize("row", ANSWERABLE, ids=name)
def test_every_fact_stands_in_the_evidence(row) -> None:
    assert row["must"]
    texts = [evidence["text"] for evidence in row["evidence"]]
    for fact in row["must"]:
        assert any(alternative in text for alternative in fact for text in texts)


def test_the_unseen_questions_are_of_all_types_and_nowhere_else() -> None:
    assert {row["type"] for row in UNSEEN} == set(LEAST) - {"count"}
    practice = (ROOT / "eval" / "practice.jsonl").read_text("utf-8").splitlines()
    known = {json.loads(line)["question"] for line in practice} | {r["question"] for r in ROWS}
    followups = {row["id"] for row in UNSEEN if row.get("history")}
    assert [r["id"] for r in UNSEEN if r["question"] in known and r["id"] not in followups] == []


def test_what_has_no_answer_says_why_and_has_no_evidence() -> None:
    for row in ROWS:
        if row["type"] == "unanswerable":
            assert row["evidence"] == row["must"] == []
            assert row["why"]
