"""Text in, the names it claims out: titles in 《》 and “”, places, organisations.

No model: places and organisations are words of the segmenter's dictionary or end in one of the
suffixes that Chinese names of offices, courts and companies end in.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from embeddings.fold import fold
from rag.tagging import tagged, tagger

Kind = Literal["title", "place", "organisation"]

MAX_WORDS_BEFORE = 5  # words that may stand before the suffix of an organisation

QUOTED = re.compile(r"《([^《》]{1,80})》|“([^“”]{1,80})”|「([^「」]{1,80})」|\"([^\"]{1,80})\"")
_NO_NAME = re.compile(r"[化度维式性]$|[格布结全时大残开定]局$")  # in the dictionary as names
_PLACE_SUFFIX = re.compile(r"(?:特别行政区|自治区|自治州|自治县|省|市|县|区|镇|乡)$")
_ORGANISATION = re.compile(
    r"(?:局|法院|检察院|委员会|公司|集团|中心|协会|联盟|银行|大学|学院|研究院|研究所|[^客]厅|公署|政府|"
    r"仲裁院|商会|办公室|海关|支队|大队|基金会|交易所|事务所|党委|高院|中院|发改委|国资委|网信办|医院)$"
)
_NAME_TAGS = ("n", "vn", "ns", "nt", "nz", "nr", "nrt", "j", "f", "b", "an", "s")
_BLANK = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Name:
    """A name that a sentence uses."""

    text: str
    kind: Kind


def squash(text: str) -> str:
    """Folded, letters and digits only: the form in which texts are compared literally."""
    return _BLANK.sub("", fold(text))


def names(text: str) -> list[Name]:
    """All names of a text, in order, each one once."""
    quoted = [Name(next(g for g in m.groups() if g), "title") for m in QUOTED.finditer(text)]
    words = tagged(text)
    found: list[Name] = []
    at = 0
    for i, (word, tag) in enumerate(words):
        if _is_organisation(word, tag):
            start = _organisation_start(words, at, i)
            found.append(Name("".join(w for w, _ in words[start : i + 1]), "organisation"))
            at = i + 1
        elif tag == "ns" and _is_place(word):
            found.append(Name(word, "place"))
    return list(dict.fromkeys([*quoted, *found]))


def place_core(text: str) -> str:
    """A place's name without 省, 市, 县, 区, if two characters are left."""
    core = _PLACE_SUFFIX.sub("", text)
    return core if len(core) > 1 else text


def stands_in(name: Name, squashed: str) -> bool:
    """Whether a name stands in a squashed text.

    A place may lose its suffix. An organisation may be written shorter or longer than in the text
    (深圳法院 for 深圳市的法院), but every word of its name must be there.
    """
    if name.kind == "place":
        return squash(place_core(name.text)) in squashed
    if (own := squash(name.text)) and own in squashed:
        return True
    if name.kind == "title" or not own:
        return not own
    words = [squash(place_core(word)) for word in tagger().cut(name.text)]
    return len(words) > 1 and all(word in squashed for word in words)


def _is_organisation(word: str, tag: str) -> bool:
    if len(word) < 2 or _NO_NAME.search(word):
        return False
    return bool(_ORGANISATION.search(word)) or (tag == "nt" and tagger().has_word(word))


def _is_place(word: str) -> bool:
    # Words that the dictionary does not hold are tagged by guess.
    if len(word) < 2 or _NO_NAME.search(word):
        return False
    return tagger().has_word(word) or bool(_PLACE_SUFFIX.search(word))


def _organisation_start(tagged: Sequence[tuple[str, str]], at: int, end: int) -> int:
    start = end
    while start > max(at, end - MAX_WORDS_BEFORE) and tagged[start - 1][1] in _NAME_TAGS:
        start -= 1
    return start
