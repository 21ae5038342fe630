"""A text in, the places that it names out, and whether another text speaks of them.

The dictionary tags much as a place that is none, so only countries and what has a government count.
"""

import re
from collections.abc import Collection
from functools import cache, lru_cache

from rag.sounds import sounding_like
from rag.tagging import tagger

_SUFFIX = re.compile(r"(?:自治区|自治州|自治县|新区|地区|省|市|县|区)$")
# Words that the dictionary has for places, and with 区 or 县 too.
_NO_PLACES = frozenset(
    {"新建", "古城", "新城", "大城", "大城市", "上街", "太平", "平原", "高原", "新华"}
)
_NO_COUNTRIES = {"EU", "EZ", "UN", "XA", "XB", "ZZ"}  # unions, and what stands for no place
_GOVERNED = ("省", "市", "县", "区", "州", "新区", "地区", "自治区", "自治州", "自治县")
# One character for a place beside that for another one: 粤港澳, 京津冀; 港人, 澳企.
_PROVINCES = (
    "北京 天津 上海 重庆 河北 山西 辽宁 吉林 黑龙江 江苏 浙江 安徽 福建 江西 山东 河南 湖北 "
    "湖南 广东 广西 海南 四川 贵州 云南 西藏 陕西 甘肃 青海 宁夏 新疆 内蒙古 香港 澳门 台湾"
)
_CHARACTERS = "京津沪渝冀晋辽吉黑苏浙皖闽赣鲁豫鄂湘粤桂琼川黔滇藏陕甘青宁新蒙港澳台"
_ABBREVIATED = dict(zip(_PROVINCES.split(), _CHARACTERS, strict=True))
_ABROAD = re.compile("海外|境外|国外|外国|外籍|外商|外资|来华|各国")
_FACILITY = re.compile(r"(?<=..)(?:港|站|机场|口岸)$")  # 烟台港 lies where 烟台 is spoken of


def mentioned_places(question: str, known: Collection[str] = ()) -> tuple[str, ...]:
    """All places that the question names, short: those of the dictionary and the known ones."""
    found = [short_place(place) for place in known]
    for word, tag in tagger().tag(question):
        short = _FACILITY.sub("", short_place(word))
        if (tag == "ns" and _is_place(short)) or _is_city(short):
            found.append(short)
    return tuple(dict.fromkeys(found))


@lru_cache(maxsize=4_096)
def _is_city(word: str) -> bool:
    """Whether a word, whatever it is tagged as, is that of a city: the dictionary has 茂名市."""
    city = f"{word}市"
    known = len(word) > 1 and word not in _NO_PLACES and tagger().has_word(city)
    return known and [str(tag) for _, tag in tagger().tag(city)] == ["ns"]


@lru_cache(maxsize=4_096)
def _is_place(short: str) -> bool:
    """Whether a short name is that of a country or of what has a government of its own.

    The dictionary tags much else as places (太多, 山沟), but has 深圳市 beside 深圳.
    """
    if len(short) < 2 or short in _NO_PLACES:
        return False
    kinds = ("", *_GOVERNED) if short[-1] in "州旗盟" else _GOVERNED
    return short in _countries() or any(
        tagger().has_word(short + kind) and tagger().tag(short + kind)[0][1] == "ns"
        for kind in kinds
    )


@cache
def _countries() -> frozenset[str]:
    from babel import Locale  # takes a while to load

    names = Locale("zh").territories.items()
    countries = [name for code, name in names if code.isalpha() and code not in _NO_COUNTRIES]
    return frozenset(re.sub(r"^中国(?=.)|特别行政区$", "", name) for name in countries)


def short_place(place: str) -> str:
    """The name of a place as it is spoken: 深圳 for 深圳市."""
    return _SUFFIX.sub("", place)


def named_places(question: str, places: Collection[str]) -> tuple[str, ...]:
    """The places among `places` that the question names, in full or without 省, 市, 县, 区."""
    found = []
    for place in places:
        short = short_place(place)
        if len(short) > 1 and (at := question.find(short)) >= 0:
            found.append((at, place))
    return tuple(place for _, place in sorted(found))


def speaks_of(text: str, place: str) -> float:
    """How surely a text speaks of a place with a short name: 1, 0.75 or 0.

    1 if it names it, in full, in one character (粤港澳) or with a character of the same sound;
    0.75 if it speaks of foreign countries where one of them is meant.
    """
    if place in text:
        return 1.0
    if char := _ABBREVIATED.get(place):
        beside = f"(?<=[{_CHARACTERS}]){char}|{char}(?=[{_CHARACTERS}人企商资胞籍])"
        return float(bool(re.search(beside, text)))
    if place in _countries():
        return 0.75 * bool(_ABROAD.search(text))
    # 《…》 is looked for here as well, and has no place for a slip.
    return float(place.isalpha() and any(slip in text for slip in _slips(place)))


@lru_cache(maxsize=256)
def _slips(place: str) -> tuple[str, ...]:
    """The places whose names differ from this one in a character of the same sound."""
    slips = (
        place[:at] + other + place[at + 1 :]
        for at, char in enumerate(place)
        for other, exact in sounding_like(char).items()
        if exact
    )
    return tuple(slip for slip in slips if _is_place(slip))
