"""A question and a sentence in, whether it holds the kind of answer that is asked for out.

A number with the unit, a date, a name, a contact, a reason; and where in the sentence it stands.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from corpus.outline import chinese_number
from rag.figures import TIME, figure_kind, figures, wanted_figures
from rag.numbers import quantities
from rag.questions import Intent
from rag.tagging import tagged

# When a thing happens again and again, or by when.
_TIME = re.compile(
    r"每[周月年日天]|星期|(?<![一二两三四五六七八九十\d])周[一二三四五六日末天]|[上下]午|年[底初末内]|月[底初末]|"
    r"[今明去次当]年|[今明次当][日天]|(?:[\d一二三四五六七八九十](?:个?工作)?[日天]|小时|分钟)[内前后]|之日|"
    r"春节|国庆|节假日|随时"
)
_PARTS = ("初", "中", "底", "末")  # of a month or year
_GIVES_REASON = re.compile(
    r"为(?:了|破解|解决|适应|贯彻|落实|进一步|深入|推动|加快|满足|避免)|针对|由于|因此|因为|旨在|着力解决|短板"
)
_CONTACT = re.compile(r"\d{5,}|\d-\d{4,}|www\.|https?:|@|[路街道]\d+号")
_NAME = re.compile(
    r"《[^》]{2,60}》|“[^”]{2,30}”|[\u4e00-\u9fffA-Za-z()（）]{2,20}"
    r"(?:平台|系统|中心|公司|机制|委员会|法院|仲裁院|(?<![布格])局|署|集团|协会|分署)"
)
_OFFICE = re.compile(
    r"部门|机关|单位|机构|领导|主体|团队|小组|大厅|窗口|网站|网点|渠道|场所|平台|电话|热线|专线|扫码|小程序|"
    r"基地|园区|公示牌|(?<![布格])[站厅处院局所](?=[、,，。;；)）办设申查登受]|$)"
)

# What is asked for in so many words shows in words of its own: what it costs, what to hand in.
_ASKS_PRICE = re.compile(
    r"收费|费用|贵不贵|怕贵|多少钱|几块钱|[收要]不[收要]钱|[收要]钱吗|"
    r"[\u4e00-\u9fff]费(?=怎|多少|咋|如何|是多|按)"
)
_PRICE = re.compile(
    r"[费钱免税]|(?<!评)价(?!值)|[贷付缴退收罚]款|[资基奖押证]金|补[贴助]|成本|收取|报销|优惠|"
    r"(?<![多一二单三公纪])元(?![素旦宇月])"
)
_ASKS_PAPERS = re.compile(
    r"[交带备递报供要拿需](?:齐|上)?(?:哪些|什么|啥|哪?几[样种份个])(?:[^,。?、]{0,4})(?:材料|资料|证件|单据)|"
    r"(?:材料|资料|证件|单据)(?:要|需要?|得|该)?[交带备递报供][^,。?]{0,2}(?:哪|什么|啥)"
)
_PAPERS = re.compile(
    r"[^认公保论佐印验求查]证(?![券据监实])|证明|执照|护照|户口|复印|原件|照片|清册|发票|凭证|病历|图纸|账[户号单]|"
    r"[请诺托意告决判]书|[表函]|契约|合同|协议|报告|章程|免[予于]?提?交|无需|不[用需]|承诺|材料包括"
)

# What a sentence holds that gives what is wanted, and what it is worth where it holds none.
_HELD = {
    "contact": (_CONTACT, -1.0),
    "name": (_NAME, 0.0),
    "reason": (_GIVES_REASON, 0.0),
}


def answer_kind(intent: Intent, question: str, text: str) -> tuple[float, float]:
    """`(wanted, unit)` of a sentence: see FEATURES."""
    lacking = _lacks_its_words(intent, question, text)
    if intent.wants == "number":
        holds, unit = figure_kind(intent, text)
        return holds, -1.0 if lacking else unit
    if lacking:
        return -1.0, 0.0
    if intent.wants == "date":
        if date_spans(text) or _TIME.search(text):
            return 1.0, 0.0
        # 满三个月的 may tell when, too.
        return (0.0, 0.0) if any(TIME.search(f.unit) for f in figures(text)) else (-1.0, 0.0)
    if _only_counted(question, text):
        return -1.0, 0.0
    if intent.wants in ("person", "place"):
        return _names_one(intent, question, text), 0.0
    if _ASKS_ABBREVIATED.search(question) and _ABBREVIATED.search(text):
        return 1.0, 0.0
    if intent.wants in ("name", "") and (called := _named(question, text)):
        return called, 0.0
    if intent.wants in _HELD:
        pattern, otherwise = _HELD[intent.wants]
        return (1.0, 0.0) if pattern.search(text) else (otherwise, 0.0)
    return 0.0, 0.0


def _lacks_its_words(intent: Intent, question: str, text: str) -> bool:
    """Whether a price or papers are asked for, and a sentence has none of the words for them."""
    if _ASKS_PRICE.search(question) and not _PRICE.search(text):
        return True
    last = re.split("[,，;；。]", intent.asking)[-1]  # 要交哪些材料,去哪里看 wants a place
    papers = intent.wants != "number" and _ASKS_PAPERS.search(last)  # 几份材料 counts them
    return bool(papers) and not _PAPERS.search(text)


_CHINESE = "一二三四五六七八九十百"
_COUNTED = rf"(?<![第\d.{_CHINESE}])(\d+|[{_CHINESE}]+)(?:余|多)?([个家项条种件类名位款])"
_ASKS_COUNTED = re.compile(
    rf"{_COUNTED}[^,，。?？的]{{0,12}}(?:(?:分别|具体)(?:是|有|指|为|包括)?|是|指|为|包括)(?:哪些|什么|啥|谁|哪几)|"
    rf"哪{_COUNTED}"
)
_MANY = 5  # things; fewer are often told in several sentences, under headings of their own


def _only_counted(question: str, text: str) -> bool:
    """Whether a sentence only counts the many things that the question wants to have named."""
    asked = _ASKS_COUNTED.search(question)
    if not asked:
        return False
    number, unit = (group for group in asked.groups() if group)
    n = chinese_number(number)
    counted = any(chinese_number(a) == n and b == unit for a, b in re.findall(_COUNTED, text))
    return n >= _MANY and counted and len(re.findall("[、;；]|”“", text)) < n // 2


# 哪三种, 四个创新各是什么: how many things there are, as the question has it.
_N_THINGS = re.compile(
    r"(?<![第\d.几数近两一二三四五六七八九十])([两二三四五六七八九十]|\d{1,2})(?:大块|大|个|项|条|种|类|步|块|重|方面|点|家|款|位|件)"
)
_ASKS_THINGS = re.compile("哪|什么|啥|[列逐]|分别|各是|讲讲|说说")
_LISTED = re.compile("[^、,，;；。:：“”等]+(?:、[^、,，;；。:：“”等]+)+")
_IN_BRACKETS = re.compile("[(（][^)）]*[)）]")
_QUOTED_LISTED = re.compile("(?:“[^”]+”[、和及与]?){2,}")


def things_asked_for(question: str) -> int:
    """How many things a question wants to have named, 0 if it does not say."""
    found = _N_THINGS.search(question) if _ASKS_THINGS.search(question) else None
    return chinese_number(found[1]) if found else 0


def lists_as_many(n: int, text: str) -> float:
    """Whether a sentence lists `n` things: 1; -1 if it lists others; 0 if it lists none."""
    if n < 2:
        return 0.0
    text = _IN_BRACKETS.sub("", text)
    listed = {
        run.count("、") + 1 + bool(re.search("和|及", run.rsplit("、", 1)[1]))
        for run in _LISTED.findall(text)
    }
    listed |= {run.count("“") for run in _QUOTED_LISTED.findall(text)}
    return 1.0 if n in listed else -1.0 if listed else 0.0


# 哪些企业 may mean a kind of them.
_ASKS_FIRM = re.compile(
    r"哪(?:[个一几]|[两二三四五六七八九十]|\d+)?[家个][^,。?给为帮让向对]{0,4}(?:公司|企业|厂商|厂家|供应商|开发商)|"
    r"哪(?:些|几家|个)?(?:厂商|厂家|供应商|开发商)|哪一?家(?=的|做|开发|研发|运营|生产|供货)|"
    r"(?:公司|企业|厂商|厂家)(?:分别|各自?|都)?(?:叫(?:什么|啥)|的?(?:名字|名称|名单)(?:是|有|[?？]?$))"
)
_ASKS_PERSON = re.compile(
    r"(?:[长任记官师员士人席裁]|负责人|联系人)(?:是|叫|都?有)?(?:谁|哪位)|谁(?:是|任|当)|"
    r"叫什么|叫啥|姓|名字|哪位|\bwho is\b",
    re.IGNORECASE,
)
_ASKS_NAMES = re.compile(
    r"叫什么|叫啥|什么名|名单(?:有|是|[?]?$)|(?:名称|名字)(?:是|叫)|分别(?:是|叫|有)(?:哪几[家个]|谁|哪些(?:公司|企业|银行|城市|国家))"
)
_ASKS_ABBREVIATED = re.compile("全称|全名|简称|缩写")
_ABBREVIATED = re.compile("(?:简|下|全)称|缩写|[(（][A-Za-z]{2,}[)）]")
_FIRM = re.compile(
    r"公司|集团|厂商|药业|银行|股份|科技(?=有限|股份|公司|集团|[、,，等(（])|电器|实业|控股"
)
_IN_QUOTES = re.compile("“[^”]{2,12}”")
_POST = re.compile(
    r"[院局市处科庭行校会组省县区部厅司所镇乡村署]长|主任|书记|主席|总裁|经理|董事|负责人|联系人|创始人|担任"
)


def _named(question: str, text: str) -> float:
    """Whether a sentence names something where names are asked for: 1 or -1; else 0.

    A person, place or firm must be new to the question; any title or office will do.
    """
    firm, names = _ASKS_FIRM.search(question), _ASKS_NAMES.search(question)
    if not firm and not names:
        return 0.0
    new = _new_names(question, text)
    if firm:
        quoted = names and _IN_QUOTES.search(text)
        return 1.0 if new.others or _FIRM.search(text) or quoted else -1.0
    named = new.others or new.persons or new.places or _NAME.search(text)
    return 1.0 if named else -1.0


@dataclass(frozen=True, slots=True)
class Names:
    """The names in a text, as the dictionary tags them."""

    persons: frozenset[str]
    places: frozenset[str]
    others: frozenset[str]  # of firms, products, what is written in Latin letters


@lru_cache(maxsize=2_048)  # passages come up again and again
def names_in(text: str) -> Names:
    """Tell the names in a text."""
    found = [(word, tag) for word, tag in tagged(text) if len(word) > 1]
    return Names(
        frozenset(word for word, tag in found if tag.startswith("nr")),
        frozenset(word for word, tag in found if tag in ("ns", "nt")),
        frozenset(word for word, tag in found if tag in ("nz", "nt", "eng")),
    )


def _names_one(intent: Intent, question: str, text: str) -> float:
    """Whether a sentence names a person or place: 1; -1 if not, and 0 if others may be meant."""
    new = _new_names(question, text)
    # The dictionary guesses at names (智慧, 文莱): who holds a post is told where posts are named.
    told = not _POST.search(question) or _POST.search(text)
    if (new.persons and told) if intent.wants == "person" else new.places:
        return 1.0
    # Who does a thing may be an office or go without saying; who the head of one is may not.
    if intent.wants == "person":
        return -1.0 if _ASKS_PERSON.search(question) else 0.0
    return 0.0 if _NAME.search(text) or _OFFICE.search(text) else -1.0


def _new_names(question: str, text: str) -> Names:
    """The names of a text that the question does not name itself: those are no answer."""
    said, known = names_in(text), names_in(question)
    return Names(
        said.persons - known.persons, said.places - known.places, said.others - known.others
    )


@lru_cache(maxsize=4_096)
def date_spans(text: str) -> tuple[tuple[int, int], ...]:
    """Offsets of the dates in `text`: 2024年5月, 二〇二六年, 3月底."""
    dates = (one for one in quantities(text) if one.kind == "date")
    return tuple((one.start, one.end + (text[one.end : one.end + 1] in _PARTS)) for one in dates)


def marks(intent: Intent, text: str) -> tuple[tuple[int, int], ...]:
    """Offsets in `text` of the words that answer: numbers with units, dates, names."""
    if intent.wants == "number":
        return wanted_figures(intent, text)
    if intent.wants == "date":
        return date_spans(text)
    named = _NAME.finditer(text) if intent.wants in ("name", "person") else ()
    return tuple(match.span() for match in named)
