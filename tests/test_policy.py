"""What is measured on documents that nothing was fitted to."""

from dataclasses import replace

from embeddings.training.data import load_policy_questions
from eval.policy import TEST_FILE, Outcome, table

TRAINED, TEST = load_policy_questions(), load_policy_questions(TEST_FILE)


def test_the_test_passages_are_none_that_is_trained_on() -> None:
    assert {one.split for one in TEST} == {"test"}
    assert not {one.passage for one in TEST} & {one.passage for one in TRAINED}
    assert not {one.question for one in TEST} & {one.question for one in TRAINED}


def test_every_answer_stands_in_its_passage() -> None:
    for one in (*TRAINED, *TEST):
        assert all(sentence in one.passage for sentence in one.evidence)
        assert one.words in "".join(one.evidence)
        assert bool(one.evidence) == (one.type != "unanswerable")


def test_the_table_counts_by_type() -> None:
    asked = next(one for one in TEST if one.type == "fact")
    right = Outcome(asked, (True, False), (True, False), False)
    missed = Outcome(asked, (False, True), (), True)
    none = Outcome(replace(asked, evidence=(), type="unanswerable"), (False,), (), True)
    lines = table([right, missed, none]).splitlines()
    assert lines[2] == "| all | 2 | 0.500 | 1.000 | 0.500 | 0.250 | 0.500 |"
    assert lines[3] == "| fact | 2 | 0.500 | 1.000 | 0.500 | 0.250 | 0.500 |"
    assert lines[4:] == ["| unanswerable | 1 | – | – | – | – | 1.000 |"]
