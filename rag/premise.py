"""A question and the sentences that answer it in, what the question takes for granted wrongly out.

A question may bring a figure of its own (审批压到10天的做法是哪个市的?). Where the sentence that
answers has another figure of that measure, the answer says so from the text instead of adopting
the question's.
"""

import re
from collections.abc import Sequence

from rag.names import QUOTED
from rag.numbers import Quantity, quantities, same_unit, stated

# 多少亿元 holds a measure, no figure.
_FIGURE = re.compile(r"[0-9０-９一二两三四五六七八九十百千零〇]")
# A bound is no figure either.
_BOUND = re.compile(r"超|以上|以下|以内|不到|至少|最多|大于|小于|多于|少于|高于|低于")


def corrections(question: str, sentences: Sequence[str]) -> list[str]:
    """One Chinese sentence for every figure of the question that the sentences contradict."""
    known = [q for sentence in sentences for q in quantities(sentence)]
    # A name does not claim the number in it: “百项深调研”.
    names = [match.span() for match in QUOTED.finditer(question)]
    found = []
    for claimed in quantities(question):
        if any(start < claimed.end and claimed.start < end for start, end in names):
            continue
        bounded = _BOUND.search(question[max(0, claimed.start - 2) : claimed.end + 2])
        if bounded or not _is_claim(claimed) or stated(claimed, known):
            continue
        rivals = [k for k in known if _rivals(claimed, k)]
        exact = {k.text for k in rivals if k.unit == claimed.unit}
        # Two figures of the measure leave open which one was meant.
        texts = exact or {k.text for k in rivals}
        if len(texts) == 1:
            (right,) = texts
            found.append(f"提问中的“{claimed.text}”与材料不符，材料中是“{right}”。")
    return found


def _is_claim(quantity: Quantity) -> bool:
    """Whether a quantity is a figure with a measure; 第五条 and 2024年 say which, not how much."""
    measured = bool(quantity.unit or quantity.values[0] > 9)
    # 一次, 一大堆: nobody counts with 一.
    counted = bool(_FIGURE.search(quantity.text)) and not quantity.text.startswith("一")
    return quantity.kind in ("number", "percent") and measured and counted


def _rivals(claimed: Quantity, known: Quantity) -> bool:
    if claimed.kind != known.kind:
        return False
    return claimed.kind == "percent" or (
        bool(claimed.unit) and bool(known.unit) and same_unit(claimed.unit, known.unit)
    )
