"""A question that asks for several things in, a question for each of them out."""

import re

_ASKS = re.compile(
    r"多少|(?<![好十近这前后那没把数])几(?!乎|年来|十|百)|多[大高长久快远]|何[时处]|[哪谁啥怎咋]|什么|如何|为何|"
    r"[吗么](?=[?？]?$)|没有(?=[?？]?$)|能否|是否|有没有|([\u4e00-\u9fff])不\1"
)
# 要交多少心里没底 tells what is not known.
_UNKNOWN = re.compile("没底|没数|一头雾水|不(?:清楚|知道|懂|明白|了解|晓得)")
_PIECES = re.compile(r"[,，;；。?？!！\s]+")
_ENUMERATED = re.compile("、")
_SHORTEST = 3  # characters of a piece that may be a question
# What stands before a question for something else: 另外, 顺便问一下.
_OPENING = re.compile(
    r"^(?:还有|另外|以及|并且?|而且|同时|顺便|再|请问|问一?下|又|那么?|先说|再说)+"
)


def asked_apart(question: str) -> tuple[str, ...]:
    """The things that a question asks for one after another, each as a question of its own.

    What is said before the first of them is said of all. Empty if only one thing is asked for.
    """
    lead: list[str] = []
    asked: list[str] = []
    for piece in _split(question):
        bare = _OPENING.sub("", piece)
        if len(bare) >= _SHORTEST and _ASKS.search(bare) and not _UNKNOWN.search(bare):
            asked.append(bare)
        elif not asked:
            lead.append(piece)
    if len(asked) < 2:
        return ()
    said = "".join(f"{piece}," for piece in lead)
    return tuple(f"{said}{piece}" for piece in asked)


def _split(question: str) -> list[str]:
    """The pieces between commas, stops and blanks, and between 、 where both sides ask."""
    pieces = []
    for piece in filter(None, _PIECES.split(question)):
        parts = _ENUMERATED.split(piece)
        pieces += parts if all(_ASKS.search(part) for part in parts) else [piece]
    return pieces
