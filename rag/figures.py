"""A question for a number and a sentence in, which numbers of the sentence it may want out.

A question tells what the number measures (money, time, a share) or what it counts (件, 家, the
noun after 多少). People count in other measure words than documents do, so a count is also known by
what stands beside it: 11处窝点 for 多少个窝点.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile

from rag.numbers import UNITS, quantities, same_unit
from rag.questions import ASKED_FEW, Intent

TIME = re.compile(r"[天日月年周秒]|小时|分钟|工作日|季度")
_ENDS = r"(?=[,。?]|$)"
# 收费 where it is spoken of, but not in 收费站.
_SAID = r"(?:标准|总额|上限|下限|规模)?(?=[是为达有共约了多增下降提减上能最要各,。?]|$)"
# What is asked for, and what a number must hold that measures it; the first that fits counts.
_MEASURES: tuple[tuple[re.Pattern[str], re.Pattern[str]], ...] = (
    (re.compile(r"几点"), re.compile(r"[点时]")),
    (
        re.compile(
            rf"多久|多长时间|多快|{ASKED_FEW}(?:天|个?月|小时|年)|"
            r"多少(?:个?工作日|天|个?月|个?小时|年|[^,。?]{0,4}时间)|how long"
        ),
        TIME,
    ),
    (re.compile(rf"(?:价格|售价|房价|租金){_SAID}"), re.compile(r"元|[成折]|[%％]")),
    (
        re.compile(
            r"多少(?:亿|万)*(?:[^,。?个台家件项条次人张户]{0,3}钱(?![包柜币])|元|"
            rf"[^,。?个台家件项条次人张户]{{0,2}}(?:资金|费用|成本|预算|金额|投资|税款?){_ENDS})|"
            r"投资(?:总?额)?[共计是为有了达约]*多少|(?:资金|基金|贷款|额度)[^,。?]{0,4}多大|"
            r"(?:金额|费用|预算|产值|货值|市值|收费|赔[偿款]|营收|(?<!低)收入|票房|利润|GDP|生产总值|标的额|贷款额|"
            rf"养老金|退休金|奖励?金|押金|保证金|罚金|定金|工资|薪水|津贴|学费|保费){_SAID}"
        ),
        re.compile(r"元|(?<=[万亿])$"),
    ),
    (
        re.compile(r"百分之|比例|占比|[^税效]率(?=[是为达有多,。?]|$)|同比|几成"),
        re.compile(r"[%％成倍]|百分|减|分之"),
    ),
    (
        re.compile(
            r"(?:增长|下降|[降减缩]|(?<![全本我广东西南北海各外跨])省|提升|提高|降低|减少|节约|[少多快慢涨跌]了)了?多少"
            + _ENDS
        ),
        re.compile(r"[%％成倍元天日月年]|百分|分之|小时|分钟"),
    ),
    (re.compile(r"时限|周期"), TIME),
    (re.compile(r"面积|多少(?:m2|㎡|平(?!台))"), re.compile(r"㎡|平方|亩|公顷")),
)
_ASKED_UNIT = re.compile(
    rf"(?:多少|{ASKED_FEW})(?:万|亿)*(?:个(?=工作日|月|小时|百分点))?([\u4e00-\u9fff]{{1,3}})"
)
_COUNTERS = UNITS | {"个", "人"}
_SHARE = re.compile(r"[%％成折倍]|百分|分之")  # of money or time: costs are halved
_LOOSE = re.compile(
    r"(?<![网线以马路])[近超逾约上数几][十百千万亿]+[余多]?(?P<unit>[个项条件家户年天次名人元笔份宗])|"
    r"每(?P<each>[日天周月年]|季度)|"  # how often
    r"(?<![之第同.\d一二三四五六七八九十])(?!一[点时])[\d一二三四五六七八九十]{1,3}(?P<clock>[点时])[半钟整]?(?![\d一二三四五六七八九候间常代期机效])"
)
# What people count in one word and documents in another.
_ALIKE = ("家户", "件宗起例", "次趟回", "座所处间栋", "份张本册")
_STOP = re.compile("[,，。;；、:：]")
_BEFORE, _AFTER = 6, 14  # characters from a count to what it counts: 590个社会投资产业类重大项目


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with its unit, and where it stands in the text."""

    start: int
    end: int
    unit: str  # "" if none


@lru_cache(maxsize=4_096)  # passages come up again and again
def figures(text: str) -> tuple[Figure, ...]:
    """The numbers of a text that are no dates and no ordinals: 8%, 近万条, 六万亩, 每季度."""
    found = [
        Figure(match.start(), match.end(), match["unit"] or match["each"] or match["clock"])
        for match in _LOOSE.finditer(text)
    ]
    for one in quantities(text):
        taken = any(f.start < one.end and one.start < f.end for f in found)
        if one.kind in ("number", "percent") and not taken:
            found.append(Figure(one.start, one.end, one.unit))
    return tuple(sorted(found, key=lambda figure: figure.start))


def figure_kind(intent: Intent, text: str) -> tuple[float, float]:
    """Whether a sentence has a number, 1 or -1, and whether of the kind asked for.

    The second is 1 if it measures or counts what is asked for, 0.5 if it may, -1 if there is no
    number, or for a measure neither one of it nor a share, else 0.
    """
    found = figures(text)
    if not found:
        return -1.0, -1.0
    best = max(_fit(intent, text, figure) for figure in found)
    if best or not _measure(intent.asking):
        return 1.0, best
    shares = any(_SHARE.search(text[f.start : f.end]) for f in found)
    return 1.0, 0.0 if shares else -1.0


def wanted_figures(intent: Intent, text: str) -> tuple[tuple[int, int], ...]:
    """Offsets of the numbers that fit best what is asked for, all if none does."""
    found = figures(text)
    fits = [_fit(intent, text, figure) for figure in found]
    best = max(fits, default=0.0)
    return tuple((f.start, f.end) for f, fit in zip(found, fits, strict=True) if fit == best)


def _fit(intent: Intent, text: str, figure: Figure) -> float:
    """How well one number fits what a question asks for: 1, 0.5 or 0."""
    if measured := _measure(intent.asking):
        return 1.0 if measured.search(text[figure.start : figure.end]) else 0.0
    asked = _counted_in(intent.asking)
    if not same_unit("个", figure.unit):  # money, time and the like
        return 1.0 if asked and same_unit(asked, figure.unit) else 0.0
    if _beside(intent, text, figure):
        return 1.0
    return _counts_alike(asked, figure.unit)


def _counts_alike(asked: str, unit: str) -> float:
    """How well a count in one measure word answers a question in another: 1, 0.5 or 0."""
    if asked and "个" in (asked, unit):  # it goes with every thing
        return 0.5
    if not asked or not unit:
        return 0.0
    if same_unit(asked, unit):
        return 1.0
    return 0.5 if any(asked in some and unit in some for some in _ALIKE) else 0.0


def _beside(intent: Intent, text: str, figure: Figure) -> bool:
    """Whether the thing that is asked about stands right beside a number."""
    before = text[max(0, figure.start - _BEFORE) : figure.start]
    after = text[figure.end : figure.end + _AFTER]
    # 169份,压减审批时限: not beyond a comma.
    around = _STOP.split(before)[-1] + text[figure.start : figure.end] + _STOP.split(after)[0]
    return bool(intent.focus) and intent.focus in around


def counted_after(intent: Intent, text: str, end: int) -> int:
    """How many characters of the thing asked for stand right after a number that ends there.

    1623个银行网点 for 多少家银行网点: four.
    """
    asked = _ASKED_UNIT.search(intent.asking)
    if not asked:
        return 0
    thing = intent.asking[asked.start(1) + len(_counted_in(intent.asking)) :]
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(thing, text[end:], strict=False))
    return sum(1 for _ in alike)


@lru_cache(maxsize=256)  # asked again for every sentence
def _measure(asking: str) -> re.Pattern[str] | None:
    """What the number must be measured in, None if the question does not tell or counts things."""
    unit = _counted_in(asking)
    if unit and same_unit("个", unit):
        return None
    return next((measured for asked, measured in _MEASURES if asked.search(asking)), None)


@lru_cache(maxsize=256)
def _counted_in(asking: str) -> str:
    """The measure word after 多少 or 几: 件 for 多少件, "" where a thing follows (多少案件)."""
    found = _ASKED_UNIT.search(asking)
    after = found[1] if found else ""
    return next((after[:n] for n in (3, 2, 1) if after[:n] in _COUNTERS), "")
