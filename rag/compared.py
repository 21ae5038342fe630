"""A question that compares in, a question about each of the things that it compares out."""

import re
from collections.abc import Mapping, Sequence

from corpus.outline import chinese_numeral
from rag.clauses import asked_apart
from rag.places import short_place
from rag.questions import CASE_REFERENCE, DIFFERENT, JOIN, Intent

# 三联三同 in quotes is one thing, not two.
_IN_QUOTES = r"“[^”]{1,20}”|《[^》]{1,40}》"
_SIDE = rf"((?:{_IN_QUOTES}|[^“”《》]{{2}})(?:{_IN_QUOTES}|[^“”《》]){{0,23}}?)"
_OPENING = r"(?:请问|请|帮我|比较一?下?|对比一?下?)*"
_TWO_SIDES = rf"^{_OPENING}{_SIDE}{JOIN}{_SIDE}"
_WHAT_OF_BOTH = "是(?:不是)?[一同]|之间|分别|各自?|有何|有什么|有啥|相比|哪个|两[项个种者]|,"
_SIDES = re.compile(rf"{_TWO_SIDES}((?:在|的|都|给|对|{_WHAT_OF_BOTH}).*)$")
_LONG_SIDES = re.compile(rf"{_TWO_SIDES}((?:{_WHAT_OF_BOTH}).*)$")  # 东莞的小莞 is one side
_JOINED = rf"(?:{JOIN}|、)"
_LEFT_JOINED = re.compile(
    rf"^(?:{_JOINED}|[,\s])+|(?<=[\s,]){_JOINED}+|{_JOINED}+(?=在|的|分别|各|都)"
)
# 东莞管的项目多还是深圳盯的网站多
_MORE_OF_TWO = re.compile(r"^((?:.*,)?)([^,]{2,24}?)[多少]还是([^,]{2,24}?)[多少]?[?]?$")
# 法院有个“甲”,海关也有个“甲”,是一回事吗
_HAS_ONE = r"(?:有个|有一个|讲|叫)(“[^”]+”)"
_BOTH_HAVE_ONE = re.compile(
    rf"^([^,]{{2,24}}?){_HAS_ONE}[,、]([^,]{{0,24}}?)[也还又]?{_HAS_ONE},(.*)$"
)
_OF_BOTH = re.compile(f"{DIFFERENT}|各")
# 与过去相比, 改革前后: how one thing was before and is now, which one sentence tells.
_BEFORE_OR_AFTER = re.compile(
    r"(?:过去|以[前往后]|[之从此先改][前后]|革[前后]|原[来先]|现在|如今|[去上今]年|同期)$"
)
_QUANTITY = re.compile(r"\d[\d.]*[万亿]?[^\d\s“”]{0,4}$")
_SAID_OF_BOTH = re.compile(r"分别|各自的?|(?<=[,。])两[地市省区县边家者]|都(?=在)")
_HALF_WIDTH = str.maketrans("，？。！；：", ",?。!;:")
_SHORT = 4  # characters; a second side so short shares what the first one is said to be of


def compared_parts(question: str, intent: Intent) -> dict[str, str]:
    """The things that a question compares, each with a question about it alone.

    Places are named as the documents call them, and asked about without the other places; cases by
    number; else what stands on either side of 和, 与, 跟, 同 or 以及. A clause before both sides is
    asked of both (修复时,处罚信息和名录信息的…), and where nothing is asked but how they differ,
    what each of them is.
    """
    if intent.kind != "compare":
        return {}
    question = question.translate(_HALF_WIDTH)
    if len(intent.places) > 1:
        shorts = {place: short_place(place) for place in intent.places}
        sides = _sides(question) or {text: text for text in asked_apart(question)}
        if own := _sides_of(shorts, sides):
            return own
        said = _said_of(question, shorts, sides)
        return {place: _alone(_without(question, said, place)) for place in intent.places}
    if len(intent.cases) > 1:
        rest = _LEFT_JOINED.sub("", CASE_REFERENCE.sub("", question))
        return {f"案例{chinese_numeral(case)}": rest for case in intent.cases}
    return _sides(question)


def _sides(question: str) -> dict[str, str]:
    """The two sides of a comparison, each with a question about it alone."""
    if more := _MORE_OF_TWO.match(question):
        lead, left, right = more.groups()
        return {left: f"{lead}{left}有多少?", right: f"{lead}{right}有多少?"}
    if (both := _BOTH_HAVE_ONE.match(question)) and _OF_BOTH.search(both[5]):
        owner, one, other_owner, other, _ = both.groups()
        both_names = f"{owner}{one}", f"{other_owner or owner}{other}"
        return {name: f"{name}是什么?" for name in both_names}
    found = _SIDES.match(question)
    # 法院的建议和审查的建议各有多少: the second 的 is inside its side as the first one is.
    if found and "的" in re.sub(_IN_QUOTES, "", found[1]):
        found = _LONG_SIDES.match(question) or found
    if not found or found[1].endswith("、"):  # three things
        return {}
    before, right, rest = found.groups()
    right = right.removesuffix("这")  # 三联三同和三地一锁这两项改革
    lead, comma, left = before.rpartition(",")
    if _BEFORE_OR_AFTER.search(left) or _BEFORE_OR_AFTER.search(right):
        return {}
    if _QUANTITY.fullmatch(right) and (first := _QUANTITY.search(left)):
        right = left[: first.start()] + right  # 查封财物1000万和1亿元
    asked = re.sub(DIFFERENT, "", rest)
    if re.sub(r"[,。?都]|各自?|分别", "", asked):
        # 修复的条件和流程: the second is of the first one's owner.
        owner, of, _ = re.sub(_IN_QUOTES, "", left).rpartition("的")
        whose = f"{owner}{of}" if len(right) <= _SHORT and "的" not in right else ""
        return {
            left: f"{lead}{comma}{left}{asked}",
            right: f"{lead}{comma}{whose}{right}{asked}",
        }
    names = [name[0] if (name := re.search(_IN_QUOTES, side)) else side for side in (left, right)]
    if names[0] == names[1]:  # 信用修复的“一张图”和东莞的“一张图”
        names = [left, right]
    return {side: f"{name}是什么?" for side, name in zip((left, right), names, strict=True)}


def _alone(question: str) -> str:
    """What is asked of one of several places, without what asks how they differ."""
    asked = _SAID_OF_BOTH.sub("", re.sub(DIFFERENT, "", question))
    if not asked.strip(",。?、 "):
        return question
    return re.sub(r"^[,、\s]+|[,、\s]+(?=[?。]?$)", "", asked)


def _sides_of(shorts: Mapping[str, str], sides: Mapping[str, str]) -> dict[str, str]:
    """The side that names each place, if every place has its own and says more than its name."""
    found: dict[str, str] = {}
    for place, short in shorts.items():
        own = [side for side in sides if short in side]
        if len(own) != 1 or sides[own[0]] in found.values() or own[0] in (place, short):
            return {}
        found[place] = sides[own[0]]
    return found


def _said_of(
    question: str, shorts: Mapping[str, str], sides: Mapping[str, str]
) -> dict[str, list[str]]:
    """What names each place, the longest first: 广州黄埔税务 in 广州黄埔税务和东莞都搞了什么.

    What is asked of both is no name: 深圳推数字人民币 in 广州和深圳推数字人民币,有何不同.
    """
    said = {}
    names = [side for side in sides if "的" not in side and f"{side}," not in question]
    for place, short in shorts.items():
        own = [side for side in names if short in side]
        said[place] = sorted([place, short, *(own if len(own) == 1 else ())], key=len, reverse=True)
    return said


def _without(question: str, said: Mapping[str, Sequence[str]], kept: str) -> str:
    """The question without the other places, and what joined them to this one."""
    for place, names in said.items():
        if place != kept:
            name = f"(?:{'|'.join(map(re.escape, names))})"
            question = re.sub(f"{_JOINED}{name}|{name}{_JOINED}|{name}", "", question)
    return _LEFT_JOINED.sub("", question)
