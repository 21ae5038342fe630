"""Text in, its quantities out: numbers with units, percentages, dates, ordinals, as values.

The same quantity is written in many ways (3.8万家, 38000家, 三万八千家; 66%, 百分之六十六), so
each one found carries values that compare equal and the exact place it was read from. Only closed
classes are listed (numerals, classifiers, measures), never words of a particular document.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

Kind = Literal["number", "percent", "date", "ordinal"]

# One character for one character, so that offsets stay those of the text.
_FOLD = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | str.maketrans(
    "萬億兩壹贰貳叁參肆伍陆陸柒捌玖拾佰仟○零",
    "万亿两一二二三三四五六六七八九十百千〇〇",
)
_DIGITS = {c: i for i, c in enumerate("〇一二三四五六七八九")} | {"两": 2}
_SMALL = {"十": 10, "百": 100, "千": 1000}
_BIG = {"万": 10**4, "亿": 10**8}

# Measures differ from each other; classifiers are exchanged freely for 个 in paraphrases.
_MEASURE_WORDS = (
    "个百分点 百分点 平方公里 平方千米 平方米 立方米 千瓦时 个工作日 工作日 人民币 个小时 个月 "
    "小时 分钟 秒钟 季度 星期 美元 港元 港币 欧元 日元 公里 千米 厘米 毫米 公顷 公斤 千克 毫升 "
    "千瓦 兆瓦 千伏 标箱 周 年 天 日 秒 元 块 米 亩 吨 克 斤 升 度 倍 折 岁 级 分"
)
_CLASSIFIER_WORDS = (
    "人次 户次 件次 家次 场次 班次 方面 大类 个 人 名 位 户 家 件 项 条 种 类 款 部 章 节 份 篇 "
    "张 封 次 批 场 轮 期 届 层 楼 栋 套 座 间 所 处 片 台 辆 艘 架 列 趟 宗 起 例 笔 单 组 对 双 "
    "支 队 只 头 棵 株 本 册 卷 页 行 段 句 字 步 点 号 门 道 路 股 代 大 省 市 县 区 镇 村 地"
)
_MEASURES = _MEASURE_WORDS.split()
_CLASSIFIERS = _CLASSIFIER_WORDS.split()
# Those that follow 多少: 大, 地 or 点 may open a word there (多少地方).
UNITS = frozenset((*_MEASURES, *_CLASSIFIERS)) - frozenset("大地点号门道路股代省市县区镇村个人")
_SAME_UNIT_PAIRS = (
    "个工作日=工作日 个小时=小时 个百分点=百分点 日=天 人=名 位=名 平方千米=平方公里 ㎡=平方米 "
    "千米=公里 块=元 人民币=元 秒钟=秒 千克=公斤 港币=港元 星期=周"
)
_SAME_UNIT = dict(pair.split("=", 1) for pair in _SAME_UNIT_PAIRS.split())
_GENERAL = {"", "个"}  # go with every classifier

_UNITS = "|".join(sorted([*_MEASURES, *_CLASSIFIERS], key=len, reverse=True))
_UNIT = rf"(?P<unit>{_UNITS}|[A-Za-z℃㎡]{{1,4}}(?![A-Za-z]))?"
_ARABIC = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?"
_SCALE = r"(?:[余多来几]?[十百千]?(?:万亿|万|亿)|[百千](?![伏米瓦克]))"
_CHINESE = r"[〇一二三四五六七八九十百千万亿两]+"
_NUMBER = rf"(?:(?:{_ARABIC}\s?{_SCALE})*{_ARABIC}(?:\s?{_SCALE})?|{_CHINESE})"
_TO = r"\s?(?:[-~—–―]{1,2}|至|到)\s?"
_Y = r"(?:(?:19|20)\d\d|[一二][九〇][〇一二三四五六七八九]{2})"
_M = r"(?:1[0-2]|0?[1-9]|十[一二]?|[一二三四五六七八九])"
_D = r"(?:3[01]|[12]\d|0?[1-9]|三十一?|二十[一-九]?|十[一-九]?|[一二三四五六七八九])"

_DATES = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?P<y>{_Y})年\s?(?P<m>{_M})月(?P<d>{_D})[日号]{_TO}(?:(?P<m2>{_M})月)?(?P<d2>{_D})[日号]",
        rf"(?P<y>{_Y})年\s?(?P<m>{_M})月?{_TO}(?P<m2>{_M})月(?!\d)",
        rf"(?P<y>{_Y})年?{_TO}(?P<y2>{_Y})年",
        rf"(?P<y>{_Y})年(?:\s?(?P<m>{_M})月(?:(?P<d>{_D})[日号])?)?",
        r"(?P<y>(?:19|20)\d\d)([-/.])(?P<m>1[0-2]|0?[1-9])\2(?P<d>3[01]|[12]\d|0?[1-9])(?!\d)",
        r"(?P<y>(?:19|20)\d\d)-(?P<m>1[0-2]|0[1-9])(?![\d年-])",
        rf"(?P<m>{_M})月?{_TO}(?P<m2>{_M})月(?!\d)",
        rf"(?P<m>{_M})月(?:(?P<d>{_D})[日号])?",
    )
)
_PERCENT = re.compile(
    rf"(?:百分之(?P<a>{_NUMBER})(?:{_TO}(?:百分之)?(?P<b>{_NUMBER}))?|百分(?P<all>百)|"
    rf"(?P<c>{_ARABIC})%?{_TO}(?P<e>{_ARABIC})%|(?P<f>{_ARABIC})\s?(?P<sign>[%‰])|"
    r"(?P<g>[一二三四五六七八九两])成(?![立为本功果员长年分都交绩效就])(?P<half>半)?)"
)
_FRACTION = re.compile(rf"(?P<d>{_CHINESE}|\d+)分之(?P<n>{_CHINESE}|\d+)")
_ORDINAL = re.compile(rf"第(?P<a>\d+|{_CHINESE}){_UNIT}")
_RANGE = re.compile(rf"(?P<a>{_NUMBER})(?P<between>{_UNITS})?{_TO}(?P<b>{_NUMBER})[余多来]?{_UNIT}")
_SINGLE = re.compile(rf"(?P<a>{_NUMBER})\s?[余多来]?{_UNIT}")
_START = re.compile(r"[\d〇一二三四五六七八九十百千万亿两第]")
# 数十家, 几百人 have no value; 十几 neither. 一次性, 一体 and the like are words, not counts.
_VAGUE_BEFORE = frozenset("数几")
_NOT_COUNTED = re.compile(
    r"一(?P<each>[\u4e00-\u9fff])(?P=each)|"  # 一家家
    r"(?<=[“‘\"])一(?![〇一二三四五六七八九十百千万亿])[\u4e00-\u9fff]|一件事|"  # “一张图”: a name
    r"一(?:次性|点|些|般|行|道|路|部分|对一|处|步|代|块(?!钱)|家人|起(?![案事纠火车诉]))|万一|千万(?=[别不要])"
)


@dataclass(frozen=True, slots=True)
class Quantity:
    """A quantity and its place in the text.

    A range has two values. A date's value is `year * 10000 + month * 100 + day`, zero for what is
    not given; percentages are in hundredths (66 for 66%).
    """

    start: int
    end: int
    values: tuple[float, ...]
    unit: str  # as written, "" if none
    text: str
    kind: Kind = "number"


def quantities(text: str) -> list[Quantity]:
    """All quantities of a text, in order, never overlapping."""
    folded = text.translate(_FOLD)
    found: list[Quantity] = []
    at = 0
    while start := _START.search(folded, at):
        at = start.start()
        read = _read(folded, at)
        if read is None:
            at = _after_numeral(folded, at)
            continue
        end, values, unit, kind = read
        found.append(Quantity(at, end, values, unit, text[at:end], kind))
        at = end
    return found


def same(a: Quantity, b: Quantity) -> bool:
    """Whether two quantities say the same, however they are written."""
    return a.kind == b.kind and _close(a.values, b.values) and same_unit(a.unit, b.unit)


def covers(known: Quantity, claimed: Quantity) -> bool:
    """Whether `known` holds what is claimed: the same, a more exact date, or a range with it."""
    if same(known, claimed):
        return True
    if known.kind != claimed.kind:
        return False
    if known.kind == "date":
        return all(any(_within(k, c) for k in known.values) for c in claimed.values)
    inside = len(claimed.values) == 1 and claimed.values[0] in known.values
    return inside and same_unit(known.unit, claimed.unit)


def stated(claimed: Quantity, known: Sequence[Quantity]) -> bool:
    """Whether a text with the quantities `known` says what is claimed.

    A date may be put together: 5月 after a sentence that names 2023年 is 2023年5月.
    """
    if any(covers(k, claimed) for k in known):
        return True
    if claimed.kind != "date":
        return False
    dates = [value for k in known if k.kind == "date" for value in k.values]
    years = {value // 10_000 for value in dates}
    return all(
        value // 10_000 in years and any(_within(d, value % 10_000) for d in dates if d < 10_000)
        for value in claimed.values
        if value % 10_000
    ) and all(value // 10_000 in years for value in claimed.values)


def same_unit(a: str, b: str) -> bool:
    """Whether two units may stand for each other; 个 goes with every classifier."""
    a, b = _SAME_UNIT.get(a, a), _SAME_UNIT.get(b, b)
    if a == b or not a or not b:
        return True
    return bool({a, b} & _GENERAL) and {a, b} <= {*_GENERAL, *_CLASSIFIERS}


def _close(a: Sequence[float], b: Sequence[float]) -> bool:
    return len(a) == len(b) and all(
        abs(x - y) <= 1e-9 * max(abs(x), 1) for x, y in zip(a, b, strict=True)
    )


def _within(known: float, claimed: float) -> bool:
    """Whether a date has all the parts of another one that the other one gives."""
    parts = ((10_000, 10**9), (100, 100), (1, 100))
    return all(
        not (own := claimed // unit % size) or own == known // unit % size for unit, size in parts
    )


_Read = tuple[int, tuple[float, ...], str, Kind]


def _read(text: str, at: int) -> _Read | None:
    if _NOT_COUNTED.match(text, at) or (at and text[at - 1] in _VAGUE_BEFORE):
        return None
    for pattern in _DATES:
        if (match := pattern.match(text, at)) and (dates := _dates(match)):
            return match.end(), dates, "", "date"
    if (match := _PERCENT.match(text, at)) and (percent := _percent(match)):
        return match.end(), percent, "%", "percent"
    if match := _FRACTION.match(text, at):
        below, above = _value(match["d"]), _value(match["n"])
        if below and above is not None:
            return match.end(), (float(above / below),), "", "number"
    if text[at] == "第":
        match = _ORDINAL.match(text, at)
        value = _value(match["a"]) if match else None
        if match is None or value is None:
            return None
        return match.end(), (float(value),), match["unit"] or "", "ordinal"
    return _range(text, at) or _single(text, at)


def _dates(match: re.Match[str]) -> tuple[float, ...]:
    groups = match.groupdict()

    def part(name: str) -> int:
        return _date_part(groups.get(name) or "")

    first = part("y") * 10_000 + part("m") * 100 + part("d")
    if not (groups.get("y2") or groups.get("m2") or groups.get("d2")):
        return (float(first),)
    year = part("y2") or part("y")
    month = part("m2") or (part("m") if groups.get("d2") else 0)
    return (float(first), float(year * 10_000 + month * 100 + part("d2")))


def _date_part(text: str) -> int:
    if len(text) == 4 and text[0] in "一二":
        return int("".join(str(_DIGITS[c]) for c in text))
    return int(_value(text) or 0) if text else 0


def _percent(match: re.Match[str]) -> tuple[float, ...]:
    groups = match.groupdict()
    if groups["all"]:
        return (100.0,)
    if groups["g"]:
        return (float(_DIGITS[groups["g"]] * 10 + (5 if groups["half"] else 0)),)
    values = [_value(groups[name]) for name in "abcef" if groups[name]]
    share = Decimal(10) if groups["sign"] == "‰" else Decimal(1)
    return tuple(float(v / share) for v in values if v is not None)


def _range(text: str, at: int) -> _Read | None:
    match = _RANGE.match(text, at)
    if match is None:
        return None
    a, b = _value(match["a"]), _value(match["b"])
    unit, between = match["unit"] or "", match["between"]
    if a is None or b is None or a >= b or (between and not same_unit(between, unit)):
        return None
    if match["a"][0] in _DIGITS and not unit:
        return None  # 一到二 without a unit is no count
    # The scale after the second number holds for both: 2—3万元.
    scale = re.search(r"(?:万亿|万|亿|千|百)$", match["b"])
    if scale and not re.search(r"[百千万亿]$", match["a"]):
        a *= _scale(scale[0])
    return match.end(), (float(a), float(b)), unit, "number"


def _single(text: str, at: int) -> _Read | None:
    match = _SINGLE.match(text, at)
    value = _value(match["a"]) if match else None
    if match is None or value is None:
        return None
    unit = match["unit"] or ""
    numeral = match["a"]
    # A lone Chinese numeral counts only before a unit: 一是, 统一, 万众 are words.
    if len(numeral) == 1 and not numeral.isdigit() and not unit:
        return None
    if text[match.end() : match.end() + 1] == "几":
        return None
    return match.end(), (float(value),), unit, "number"


def _after_numeral(text: str, at: int) -> int:
    match = re.compile(rf"{_CHINESE}|\d+|第").match(text, at)
    return match.end() if match else at + 1


def _value(text: str) -> Decimal | None:
    """The value of one number, Arabic with scales or Chinese; None if it is not well formed."""
    if text and text[0] in "〇一二三四五六七八九十百千万亿两":
        return _chinese(text)
    total = Decimal(0)
    for number, scale in re.findall(rf"({_ARABIC})\s?({_SCALE})?", text):
        total += Decimal(number.replace(",", "")) * _scale(scale)
    return total if text[:1].isdigit() else None


def _scale(text: str) -> Decimal:
    out = Decimal(1)
    for char in text:
        out *= _SMALL.get(char) or _BIG.get(char) or 1
    return out


def _chinese(text: str) -> Decimal | None:
    total = section = 0
    digit: int | None = None
    last = 10_000  # units must fall inside a section: 二百三十, never 二十三百
    for i, char in enumerate(text):
        if char in _DIGITS:
            if digit:
                return None  # 二三十 and digit strings have no single value
            digit = _DIGITS[char]
        elif char in _SMALL:
            unit = _SMALL[char]
            if unit >= last or digit == 0:
                return None
            section += (1 if digit is None else digit) * unit
            digit, last = None, unit
        else:
            section += digit or 0
            if not section and (i == 0 or char == "万"):
                section = 1
            big = _BIG[char]
            total = (total + section) * big if big == 10**8 else total + section * big
            section, digit, last = 0, None, 10_000
    if digit and text[-2:-1] in ("百", "千"):
        digit *= _SMALL[text[-2]] // 10  # 一千五 is 1500
    return Decimal(total + section + (digit or 0))
