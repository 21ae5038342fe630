"""What an official document says of itself: title, date, department and place.

Precise rather than complete: what is not certain stays empty, and a person fills it in.
"""

import re
from datetime import date

from corpus.outline import case_place
from corpus.readers.building import Extracted
from corpus.types import Metadata

_HEAD = 30  # lines in which the title and the labelled facts stand
_PROOF = 100  # lines in which a title from the properties must stand: menus come first on pages
_MAX_TITLE = 120  # characters
_MAX_LINE = 60  # characters of one line of a title
_MAX_SIGNATURE = 40  # characters of the line above the date

_YEAR = r"(?:19|20)\d\d|[一二][〇○零ＯO一二三四五六七八九]{3}"
_NUMBER = r"\d{1,2}|[一二三]?十?[一二三四五六七八九]|[一二三]?十"
_DATE = re.compile(
    rf"(?P<year>{_YEAR})\s*(?:年\s*(?P<month>{_NUMBER})\s*月(?:\s*(?P<day>{_NUMBER})\s*日)?"
    r"|[-./](?P<m>\d{1,2})[-./](?P<d>\d{1,2}))"
)
_SIGNED = re.compile(rf"(?P<organ>\S{{4,40}}\s+)?{_DATE.pattern}")
_LABELLED_DATE = re.compile(r"(?:成文|发布|发文|印发|公布|公开)(?:日期|时间)\s*[:：]\s*")
_ADOPTED = re.compile(r"[(（].*(?:通过|公布|发布|施行|批准|印发|修订|修正).*")
_LABELLED_ORGAN = re.compile(r"(?:发布|发文|制定|公开)(?:机构|机关|单位|部门)\s*[:：]\s*(\S{2,40})")
_DOCUMENT_NUMBER = re.compile(r".{1,14}[〔\[【(（［](?:19|20)\d\d[〕\]】)）］]第?\s*\d{1,5}\s*号")
_LETTERHEAD = re.compile(r".{2,40}文件\d*")
_LABEL = re.compile(r".{1,8}[:：].+")  # 索引号：… 签发人：…
_ADDRESSEES = re.compile(r".{2,200}[:：]")
_SECTION = re.compile(
    r"#*\s*(?:[一二三四五六七八九十]+、|第[一二三四五六七八九十]+[章条编节]|[(（]一[)）])"
)
_KIND = re.compile(
    r".*(?:决议|决定|命令|令|公报|公告|通告|意见|通知|通报|报告|请示|批复|议案|函|纪要|办法|规定|条例|"
    r"细则|规则|章程|规程|规范|标准|方案|规划|计划|要点|纲要|措施|指引|指南|清单|细目|预案|制度|"
    r"准则|解读|说明|问答|答复|总结|简报|讲话|汇编)(?:[(（〔].{1,20}[)）〕])?"
)
_ORGAN = re.compile(
    r".*(?:政府|国务院|办公厅|办公室|委员会|[局厅部委署院会处]|中心|人民银行|分行|支行|管理站|[大支]队|"
    r"公司|大学|学院|联社|指挥部|领导小组|专班)"
)
_ISSUES = re.compile("关于|转发|印发|批转")  # what the organ before it does
_SEPARATOR = re.compile(r"\s*[_|]\s*|\s*[-–—]+\s*(?=\D)")  # between a page's title and its site


def guess(extracted: Extracted) -> Metadata:
    """Title, date, department and place as the text tells them; empty where it does not.

    The title that a file's properties carry counts only if the text has it: it is often left from
    the document that served as a model.
    """
    lines = [" ".join(line.split()) for line in extracted.text.splitlines()]
    lines = [line for line in lines if line]
    title = _title(lines) or _proven(extracted.metadata.title, lines)
    title = title or _first_heading(extracted, lines)
    organ = _ISSUES.split(title, maxsplit=1)[0].strip() if _ISSUES.search(title) else ""
    signature, signed = _signature(lines)
    department = organ if _ORGAN.fullmatch(organ) else signature or _labelled_organ(lines)
    return Metadata(
        title=title,
        place=_place(department, title, extracted.text),
        date=signed or _labelled_date(lines) or _adopted(lines),
        department=department,
    )


def _title(lines: list[str]) -> str:
    """The lines above the addressees or the first section that end in a kind of document."""
    head: list[str] = []
    for line in lines[:_HEAD]:
        bare = line.lstrip("# ")
        if _is_letterhead(bare):
            if _joined(head):
                break
            head = []  # what stands above is the letterhead, or facts about a page
        elif _opens_text(bare):
            break
        elif head[-1:] != [bare]:
            head.append(bare)
    return _joined(head)


def _joined(head: list[str]) -> str:
    """As many lines as end in a kind of document; without 关于 a title has one or two."""
    for n in range(min(len(head), 4), 0, -1):
        joined = "".join(head[:n])
        plausible = 4 <= len(joined) <= _MAX_TITLE and not re.search("[>»|。]", joined)
        if plausible and _KIND.fullmatch(joined) and (n <= 2 or "关于" in joined):
            return joined
    return ""


def _is_letterhead(line: str) -> bool:
    label = _LABEL.fullmatch(line) and "关于" not in re.split("[:：]", line)[0]
    return bool(label or _DOCUMENT_NUMBER.fullmatch(line) or _LETTERHEAD.fullmatch(line))


def _opens_text(line: str) -> bool:
    found = _ADDRESSEES.fullmatch(line) or _SECTION.match(line) or _ADOPTED.fullmatch(line)
    return bool(found) or line == "目录" or len(line) > _MAX_LINE or line.endswith(tuple("。；;，"))


def _proven(title: str, lines: list[str]) -> str:
    """The title of the file's properties if the text has it; a site's name after it is cut off."""
    text = "".join("".join(lines[:_PROOF]).split())
    ends = [len(title), *(found.start() for found in _SEPARATOR.finditer(title))]
    for end in sorted(ends, reverse=True):
        part = title[:end].strip()
        known = len(part) >= 4 and "".join(part.split()) in text
        if known and not _is_letterhead(part) and not _ORGAN.fullmatch(part):
            return part
    return ""


def _first_heading(extracted: Extracted, lines: list[str]) -> str:
    """The heading that opens the text, if no other is of its level."""
    levels = [(extracted.text[a:b].strip(), level) for a, b, level in extracted.headings]
    levels = levels or [(line.lstrip("# "), 1) for line in lines if re.match(r"#\s+\S", line)]
    if not levels or not lines or levels[0][0] != lines[0].lstrip("# "):
        return ""
    alone = sum(level <= levels[0][1] for _, level in levels) == 1
    return levels[0][0] if alone and not _SECTION.match(levels[0][0]) else ""


def _signature(lines: list[str]) -> tuple[str, str]:
    """The organ and the date that close a document: 某市人民政府 and below it 2023年5月6日."""
    above = ""
    for line in lines:
        bare = line.strip("()（） ")
        if found := _SIGNED.fullmatch(bare):
            organ = (found["organ"] or above).strip()
            named = len(organ) <= _MAX_SIGNATURE and not re.search("[，。；：、]", organ)
            if named and _ORGAN.fullmatch(organ) and (day := _iso(found)):
                return organ, day
        above = bare
    return "", ""


def _labelled_date(lines: list[str]) -> str:
    for line in (*lines[:_HEAD], *lines[-_HEAD:]):
        for label in _LABELLED_DATE.finditer(line):
            if found := _DATE.match(line, label.end()):
                return _iso(found)
    return ""


def _adopted(lines: list[str]) -> str:
    """The date in the brackets below the title of a law: （2023年5月6日…通过）."""
    for line in lines[:_HEAD]:
        if _ADOPTED.fullmatch(line) and (found := _DATE.search(line)):
            return _iso(found)
    return ""


def _labelled_organ(lines: list[str]) -> str:
    found = [_LABELLED_ORGAN.search(line) for line in lines[:_HEAD]]
    organs = [match[1] for match in found if match and _ORGAN.fullmatch(match[1])]
    return organs[0] if organs else ""


def _place(department: str, title: str, text: str) -> str:
    """The place of the department, or the one that opens the title and has a government."""
    place = case_place(department, "") or (
        "" if title.startswith("关于") else case_place(title, "")
    )
    return place if place and (department.startswith(place) or f"{place}人民" in text) else ""


def _iso(found: re.Match[str]) -> str:
    """The date of a match as ISO, "" if the calendar has no such day."""
    year = "".join(_DIGITS.get(c, c) for c in found["year"])
    month, day = _small(found["month"] or found["m"]), _small(found["day"] or found["d"] or "")
    try:
        date(int(year), month, day or 1)
    except ValueError:
        return ""
    return f"{year}-{month:02}-{day:02}" if day else f"{year}-{month:02}"


_DIGITS = {c: str(i) for i, c in enumerate("〇一二三四五六七八九")} | dict.fromkeys("○零ＯO", "0")


def _small(numeral: str) -> int:
    """`十二` → 12, `二十` → 20, `5` → 5, "" → 0."""
    if numeral.isdecimal():
        return int(numeral)
    tens, ten, ones = numeral.rpartition("十")
    value = int(_DIGITS.get(ones, "0"))
    return value + (10 * int(_DIGITS.get(tens, "1")) if ten else 0)
