"""A document's text in, the short names that it gives to things out: 下称“深国仲”.

Official texts define a short name once and use it from then on. A passage that has only one of the
two is found by the other if both are indexed with it.
"""

import re
from dataclasses import dataclass

_DEFINED = re.compile(
    r"(?P<before>[^\s,，。;；:：、()（）!！?？]{4,60})[(（](?:[^()（）]{0,60}[,，、;；])?"
    r"(?:以下|下文|下)?[统简合]?称(?:为|作)?\s*"
    r"(?:[“\"「《](?P<quoted>[^”\"」》()（）]{2,15})[”\"」》]|(?P<plain>[^“\"「《()（）,，。]{2,15}))"
    r"[^()（）]{0,8}[)）]"
)
_QUOTED = re.compile(r"[“\"「《]([^“\"「《”\"」》]{4,60})[”\"」》]$")
_MAX_NAME = 30  # characters of a full name whose beginning is not clear


@dataclass(frozen=True, slots=True)
class Alias:
    """A name and its short form."""

    name: str
    short: str


def find_aliases(text: str) -> list[Alias]:
    """The short names that a text defines, in its order, each once."""
    found: dict[str, Alias] = {}
    for match in _DEFINED.finditer(text):
        short = (match["quoted"] or match["plain"]).strip()
        name = _full_name(match["before"], short)
        if name != short and short not in found:
            found[short] = Alias(name, short)
    return list(found.values())


def other_names(text: str, aliases: list[Alias]) -> str:
    """The names of what `text` mentions by the other name only, with blanks between."""
    others = []
    for alias in aliases:
        full, short = alias.name in text, alias.short in text
        if full != short:
            others.append(alias.short if full else alias.name)
    return " ".join(others)


def _full_name(before: str, short: str) -> str:
    """The end of `before` that is the name: what is quoted, or from where the short one begins."""
    if quoted := _QUOTED.search(before):
        return quoted[1]
    at = before.find(short[0])
    return before[at:] if at >= 0 else before[-_MAX_NAME:]
