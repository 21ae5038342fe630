"""The threshold for refusing, chosen from confidences."""

import math

from eval.calibrate import calibrate


def test_a_clean_gap_is_split_in_the_middle() -> None:
    found = calibrate([(True, 0.8), (True, 0.9), (False, 0.1), (False, 0.2)]).chosen
    assert found.threshold == 0.5
    assert (found.precision, found.recall, found.false) == (1.0, 1.0, 0.0)


def test_answerable_questions_are_refused_no_more_often_than_allowed() -> None:
    pairs = [(True, i / 100) for i in range(1, 101)] + [(False, 0.105), (False, 0.905)]
    strict, loose = calibrate(pairs, max_false=0.05), calibrate(pairs, max_false=0.10)
    assert strict.chosen.false <= 0.05
    assert strict.chosen.recall == 0.0
    assert loose.chosen.recall == 0.5


def test_the_curve_rises_from_no_refusals_to_all() -> None:
    points = calibrate([(True, 0.7), (False, 0.3), (True, 0.2)]).points
    assert (points[0].recall, points[0].false) == (0.0, 0.0)
    assert (points[-1].recall, points[-1].false) == (1.0, 1.0)
    assert [p.recall for p in points] == sorted(p.recall for p in points)


def test_nothing_to_divide_by_is_said_so() -> None:
    only_answerable = calibrate([(True, 0.7), (True, 0.4)])
    assert math.isnan(only_answerable.chosen.recall)
    assert only_answerable.chosen.false <= 0.05
    assert calibrate([]).chosen.threshold in (0.0, 1.0)
    assert "<- chosen" in only_answerable.table()
