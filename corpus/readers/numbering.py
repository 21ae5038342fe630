"""The numbers that Word shows before list paragraphs, which stand nowhere in the text."""

from dataclasses import dataclass
from typing import Any

from corpus.outline import chinese_numeral

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
Element = Any  # of lxml, as python-docx makes them
_MAX_LEVEL = 9  # list levels that Word knows
_STEMS = "甲乙丙丁戊己庚辛壬癸"
_ROMAN = ((100, "c"), (90, "xc"), (50, "l"), (40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv"))
_CHINESE = frozenset(
    (
        *("chineseCounting", "chineseCountingThousand", "ideographDigital", "japaneseCounting"),
        *("taiwaneseCounting", "taiwaneseCountingThousand", "koreanDigital2"),
    )
)


@dataclass(frozen=True, slots=True)
class _Level:
    kind: str
    text: str  # "第%1条", "%1.%2"
    start: int
    restarts: bool  # after a paragraph of an outer level
    suffix: str
    decimal: bool  # outer numbers are shown as digits


class Numbering:
    """Counts list paragraphs as Word does; they are to be told in document order."""

    def __init__(self, root: Element | None) -> None:
        self._levels: dict[str, dict[int, _Level]] = {}  # of every list
        self._abstract: dict[str, str] = {}  # lists of one abstract definition go on counting
        self._restarts: dict[str, dict[int, int]] = {}  # a list's own first numbers
        self._counts: dict[str, dict[int, int]] = {}
        if root is None:
            return
        abstract = {
            a.get(f"{W}abstractNumId"): {
                _depth(level): _level(level) for level in a.iter(f"{W}lvl")
            }
            for a in root.iter(f"{W}abstractNum")
        }
        for num in root.iter(f"{W}num"):
            list_id, linked = num.get(f"{W}numId"), _value(num, "abstractNumId", "")
            self._levels[list_id] = abstract.get(linked, {})
            self._abstract[list_id] = linked
            overrides = num.findall(f"{W}lvlOverride")
            self._levels[list_id] = self._levels[list_id] | {
                _depth(o): _level(own) for o in overrides if (own := o.find(f"{W}lvl")) is not None
            }
            self._restarts[list_id] = {
                _depth(o): _number(o, "startOverride", 1)
                for o in overrides
                if o.find(f"{W}startOverride") is not None
            }

    def next(self, list_id: str, depth: int) -> str:
        """The number that is shown before the next paragraph of a list, "" if none is."""
        levels = self._levels.get(list_id, {})
        if depth not in levels or depth >= _MAX_LEVEL:
            return ""
        counts = self._counts.setdefault(self._abstract[list_id], {})
        for at, first in self._restarts.pop(list_id, {}).items():
            counts[at] = first - 1
        level = levels[depth]
        counts[depth] = counts.get(depth, level.start - 1) + 1
        for deeper in [at for at in counts if at > depth]:
            if deeper not in levels or levels[deeper].restarts:
                del counts[deeper]
        if level.kind == "bullet":
            return "• "
        text = level.text
        for at in range(depth + 1):
            kind = levels[at].kind if at in levels else "decimal"
            kind = "decimal" if level.decimal and at < depth else kind
            n = counts.get(at, levels[at].start if at in levels else 1)
            text = text.replace(f"%{at + 1}", numeral(kind, n))
        return text + level.suffix if text else ""


def numeral(kind: str, n: int) -> str:
    """A number as a list shows it; `kind` is one of Word's names."""
    if kind == "none":
        return ""
    if kind in _CHINESE:
        return chinese_numeral(n)
    if kind == "ideographTraditional" and 1 <= n <= 10:
        return _STEMS[n - 1]
    if kind in ("decimalEnclosedCircle", "decimalEnclosedCircleChinese") and 1 <= n <= 20:
        return chr(ord("①") + n - 1)
    if kind == "decimalEnclosedParen" and 1 <= n <= 20:
        return chr(ord("⑴") + n - 1)
    if kind == "decimalEnclosedFullstop" and 1 <= n <= 20:
        return chr(ord("⒈") + n - 1)
    if kind == "decimalFullWidth":
        return "".join(chr(ord("０") + int(digit)) for digit in str(n))
    if kind in ("lowerLetter", "upperLetter") and 1 <= n <= 26:
        return chr(ord("a" if kind == "lowerLetter" else "A") + n - 1)
    if kind in ("lowerRoman", "upperRoman") and 1 <= n < 400:
        return _roman(n) if kind == "lowerRoman" else _roman(n).upper()
    return str(n)


def _roman(n: int) -> str:
    shown = ""
    for value, letters in _ROMAN:
        shown += letters * (n // value)
        n %= value
    return shown + "i" * n


def _level(element: Element) -> _Level:
    text = _value(element, "lvlText", "%1.")
    # A tab or a blank stands after the number; Chinese marks need none.
    bare = _value(element, "suff", "tab") == "nothing" or text.endswith(tuple("、）)．：:"))
    return _Level(
        _value(element, "numFmt", "decimal"),
        text,
        _number(element, "start", 1),
        _value(element, "lvlRestart", "") != "0",
        "" if bare else " ",
        element.find(f"{W}isLgl") is not None,
    )


def _depth(element: Element) -> int:
    depth = element.get(f"{W}ilvl", "0")
    return int(depth) if depth.isdecimal() else 0


def _number(element: Element, tag: str, default: int) -> int:
    value = _value(element, tag, str(default))
    return int(value) if value.isdecimal() else default


def _value(element: Element, tag: str, default: str) -> str:
    found = element.find(f"{W}{tag}")
    return str(found.get(f"{W}val", default)) if found is not None else default
