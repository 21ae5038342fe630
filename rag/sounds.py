"""A Chinese character in, the characters out that may stand in its place after typing by pinyin.

An input method offers all characters of a sound, and those of sounds that southern speakers do not
tell apart. Tones are not typed, so they do not count.
"""

import os
import re
from collections import defaultdict
from functools import cache, lru_cache

_ROWS = range(0xB0, 0xF8)  # of GB 2312: the 6,763 characters that official texts are written with
_CELLS = range(0xA1, 0xFF)

# The other readings that pypinyin has are mostly of old books (滇 as tian, 红 as gong).
_ALSO_READ = (
    "薄bo 便pian 泊bo 埔bu 参shen 藏zang 差chai 长chang 称chen 重chong 传zhuan 弹tan 调tiao 都du"
    " 度duo 给ji 还huan 行hang 会kuai 系ji 降xiang 角jue 校jiao 觉jiao 卡qia 落la 露lou 率shuai"
    " 模mu 茄qie 莞wan 厦xia 省xing 属zhu 说shui 似si 提di 畜xu 乐yue 曾zeng 朝zhao 着zhuo"
)
_SAME_TO_MANY = (
    (re.compile("^([zcs])h"), r"\1"),
    (re.compile("^n"), "l"),
    (re.compile("^fu?"), "hu"),  # fei and hui, fang and huang
    (re.compile("^hue"), "hu"),  # pinyin writes huei and huen as hui and hun
    (re.compile("([aei]n)g$"), r"\1"),
)


@lru_cache(maxsize=1_024)
def sounding_like(char: str) -> dict[str, bool]:
    """The other characters that sound like one, and whether they do so exactly."""
    readings, exact, near = _tables()
    own = readings.get(char, ())
    found = {other: False for sound in own for other in near[_merged(sound)]}
    found |= {other: True for sound in own for other in exact[sound]}
    return {other: same for other, same in found.items() if other != char}


def _merged(sound: str) -> str:
    """What is left of a syllable without the differences that many do not make."""
    for pattern, into in _SAME_TO_MANY:
        sound = pattern.sub(into, sound)
    return sound


@cache
def _tables() -> tuple[dict[str, tuple[str, ...]], dict[str, list[str]], dict[str, list[str]]]:
    """Readings by character, characters by reading, characters by merged reading."""
    # Its table of phrases would take 45 MB, and single characters need none.
    os.environ.setdefault("PYPINYIN_NO_PHRASES", "1")
    from pypinyin import lazy_pinyin

    also = {entry[0]: (entry[1:],) for entry in _ALSO_READ.split()}
    chars = _characters()
    first = zip(chars, lazy_pinyin(list(chars)), strict=True)
    readings = {char: (sound, *also.get(char, ())) for char, sound in first}
    exact, near = defaultdict(list), defaultdict(list)
    for char, sounds in readings.items():
        for sound in sounds:
            exact[sound].append(char)
            near[_merged(sound)].append(char)
    return readings, dict(exact), dict(near)


def _characters() -> str:
    codes = (bytes((row, cell)) for row in _ROWS for cell in _CELLS)
    return "".join(code.decode("gb2312", "ignore") for code in codes)
