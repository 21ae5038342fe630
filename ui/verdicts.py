"""The verdict on a sentence in, the quiet mark behind it out, with its reason on hover."""

import re
from typing import Final

from rag.checks import ALTERED, NO_EVIDENCE, NOT_SAID
from rag.types import Support
from ui.markup import escape
from ui.text import Lang, say

# The reasons of `rag.checks` and `rag.support`, which are Chinese; one is made of a kind and words.
_REASONS: Final = {
    NO_EVIDENCE: "no evidence found",
    NOT_SAID: "its source does not say so",
    ALTERED: "the quote differs from the document",
}
_KINDS: Final = {
    "百分比": "percentage",
    "日期": "date",
    "数字": "number",
    "序号": "ordinal",
    "名称": "title",
    "地名": "place",
    "机构": "organisation",
}
_MISSING = re.compile(rf"({'|'.join(_KINDS)})“(.*)”不在引文中", re.DOTALL)


def render_verdict(support: Support | None, lang: Lang) -> str:
    """A dot for a sentence that was checked, a word for one that failed."""
    if support is None:
        return ""
    if support.supported:
        return _tip("ok", "", say("supported", lang, score=f"{support.score:.2f}"))
    problems = support.problems or (NO_EVIDENCE,)
    reasons = "；".join(problems) if lang == "zh" else "; ".join(map(english, problems))
    return _tip("bad", say("unsupported_short", lang), say("unsupported", lang, reason=reasons))


def english(reason: str) -> str:
    """A reason in English; one that is not known stays as it is."""
    if found := _MISSING.fullmatch(reason):
        return f"the {_KINDS[found[1]]} “{found[2]}” is not in its source"
    return _REASONS.get(reason, reason)


def _tip(kind: str, shown: str, words: str) -> str:
    return (
        f'<span class="verdict {kind}" tabindex="0" role="img" aria-label="{escape(words)}" '
        f'data-tip="{escape(words)}">{escape(shown)}</span>'
    )
