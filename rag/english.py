"""An English question in, its Chinese keywords out, so that it finds the Chinese documents.

A glossary of administrative and everyday words, not a translator: enough for retrieval. Names,
numbers and words that it does not hold are kept as they are; an entry without Chinese is a function
word, which is left out.
"""

import re
import unicodedata
from collections.abc import Callable
from functools import cache
from importlib.resources import files

_CHINESE = re.compile(r"[\u3400-\u9fff]")
_WORD = re.compile(r"\d{1,3}(?:,\d{3})+%?|[a-z0-9][a-z0-9.'&-]*%?|[^a-z0-9\s]+", re.IGNORECASE)
_LONGEST = 5  # words of the longest entry
# When was it built asks for a date; when it rains does not.
_AUXILIARY = (
    "is|was|are|were|did|does|do|will|has|have|had|can|could|should|must|may|might|would|shall"
)
ASKS_WHEN = rf"\bwhen (?:exactly )?(?:{_AUXILIARY})\b|\b(?:since|until|till|by|from) when\b"
_ASKS_WHEN = re.compile(ASKS_WHEN, re.IGNORECASE)
_BRITISH = re.compile(r"is(e[srd]?|ing|ations?)$")
_Y = re.compile(r"(?<=..)(?:ies|ied|y)$")
_ENDING = re.compile(r"(?<=...)(?:ing|ed|es|s|e)$")
_DOUBLE = re.compile(r"([bdgmnprt])\1$")


def is_english(question: str) -> bool:
    """Whether a question holds no Chinese character but two English words."""
    question = unicodedata.normalize("NFKC", question)
    return not _CHINESE.search(question) and len(re.findall(r"[A-Za-z]{2,}", question)) >= 2


def chinese_keywords(question: str, said: Callable[[str], int] = lambda word: 1) -> str:
    """The question with the words that the glossary holds in Chinese, function words left out.

    Of several renderings those are taken that the documents say; `said` counts how often.
    """
    entries, plain = _glossary()
    question = unicodedata.normalize("NFKC", question).replace("’", "'")
    asks_when = _ASKS_WHEN.search(question)
    words = [w.strip(".'").removesuffix("'s") for w in _WORD.findall(question)]
    out = []
    at = 0
    while at < len(words):
        for length in range(min(_LONGEST, len(words) - at), 0, -1):
            phrase = " ".join(words[at : at + length])
            # US is a country, us is none.
            found = entries.get(phrase, entries.get(phrase.lower(), plain.get(_plain(phrase))))
            if phrase.lower() == "when" and not asks_when:
                found = ""
            if found is not None:
                renderings = found.split()
                out += [word for word in renderings if said(word)] or renderings[:1]
                at += length
                break
        else:
            out += [words[at].replace(",", "")] if words[at][:1].isalnum() else []
            at += 1
    return " ".join(out)


@cache
def _glossary() -> tuple[dict[str, str], dict[str, str]]:
    """Chinese by entry, and by entry without its endings."""
    lines = (files("rag") / "english.tsv").read_text("utf-8").splitlines()
    rows = (line.split("\t", 1) for line in lines if line)
    entries = {entry.replace("'s", ""): chinese for entry, chinese in rows}
    plain: dict[str, str] = {}
    for entry, chinese in entries.items():
        plain.setdefault(_plain(entry), chinese)
    return entries, plain


def _plain(phrase: str) -> str:
    """A phrase whose words have lost their endings, alike in all their forms.

    seized, seizing: seiz. A stemmer for search takes off more: to it secure is securities.
    """
    return " ".join(map(_without_ending, phrase.lower().split()))


def _without_ending(word: str) -> str:
    word = _BRITISH.sub(r"iz\1", word)  # Oxford writes -ize where London writes -ise
    if len(word) > 3 and _Y.search(word):
        return _Y.sub("i", word)
    return _DOUBLE.sub(r"\1", _ENDING.sub("", word))
