"""A question in, what it asks for out: its kind, the kind of answer, places, years, cases, topic.

Only closed word classes of Chinese and English are looked at (interrogatives, quantifiers, words
for "case" or "measure"), never the vocabulary of a particular document.
"""

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Literal

from corpus.errors import QuestionError
from corpus.outline import chinese_number
from rag.english import ASKS_WHEN
from rag.places import mentioned_places, named_places, short_place
from rag.tagging import tagged

MAX_QUESTION = 2_000  # characters

Kind = Literal["fact", "how", "list", "compare", "across"]
Wants = Literal["number", "date", "contact", "person", "place", "name", "reason", "definition", ""]

_ACROSS = re.compile(
    # 推广到哪些地方 asks for names; 哪些地方推广了 asks for cases.
    r"(?:哪(?:些|几个?|个)?|各个?|所有|全部|每个|多少个?|几个)(?:[^,。?]{1,6}的)?案例|"
    # 典型案例 are a kind of thing that documents speak of.
    r"(?<!典型)(?<!优秀)(?<!专题)案例(?:里面?|当?中)?,?[^,。?]{0,4}?(?:有|是|共)?(?:哪些|哪几|几个|多少)|"
    r"(?<=的)案例(?:都|全部?|统统)?(?:给我)?(?:找|列|挑|筛)出来?|"
    r"各地(?:的?(?:做法|经验|材料))?(?:当?中|里面?)?(?:都|是|在)*(?:谁|有?哪[些几]|有没有|怎么|如何|咋|用)|"
    r"(?:\d+|[一二两三四五六七八九十]+)个案例(?:里|中|当中)|"
    r"^(?:请问)?(?:.{0,6}有)?(?:哪(?:些|几个?|个)?|所有|全部|每个)"
    r"(?:城市|地方|地区|地市|市(?!场)|省份|个市)|"
    r"which (?:cases|cities|places)|all (?:the )?cases",
    re.IGNORECASE,
)
# Every case is told of anyway: 哪些案例提到…?请分别说明, 跟谁签的; and 整理一下 says nothing.
_ADDENDUM = re.compile(
    r"^(?:请(?!问)|帮|麻烦|把)|各(?:自|都|是|做|讲|说|写|用|占|有|给)|[逐每][个一条]|分别|一?句|(?:是|有|做了?|叫|跟|和|给|降的?是?)?"
    r"(?:什么|啥|谁|哪[些几里个家]|多少|怎么|如何|哪)"
)
_SAYS_NOTHING = re.compile(
    r"[请帮我给你您再先想要]|整理|梳理|汇总|归纳|总结|列[举出]?|查[找]?|找|看|问|说|一下|下|领导|一?起|跨案例|用|做|别漏|谢谢"
)
_MORE = (
    r"(?:哪一?[个种类项边头家]|谁)"
    r"(?=[^,。?]{0,12}?(?<!最)(?:更|[大高多早快短长少]\s*(?:[?,。]|$)))"
)
# What tells that things differ; of 不同意见 and 不同行业 it is said of nothing.
_DIFFERS = (
    r"[上,]?(?:有|的)?(?:什么|何|啥|哪些)?(?:(?:不同|不一样|相同)(?:点|之处)?(?=\s*(?:[?,。、;]|$|是什么|在哪))|"
    r"区别|差别|差异|异同|共同点)(?:是什么|在哪[里儿]?)?|"
    r"一样吗|是(?:不是)?(?:一回事|一码事|一个(?:东西|活动|平台|系统)|同一[^,。?]{1,4})[吗不]?(?=[?]?$)|"
    r"(?<![顺逆误温时])相?差(?:了|在)?(?=多少|哪)"
)
DIFFERENT = f"{_DIFFERS}|{_MORE}"
# 不同 joins nothing, nor does the 同 of 合同, 同意 or 同比.
JOIN = r"(?:[和与跟]|(?<![不相共合协陪])同(?![意时比样类期一步行])|以及)"
_COMPARE = re.compile(
    rf"{_DIFFERS}|(?:{JOIN}|、|还是).{{1,40}}{_MORE}|"
    r"[^,。?]{2}[多少]还是[^,。?]{2}|对比|比较一下|相比(?!上年|去年|同期|以往|之前)|"
    # 各地, 各部门 are no sides.
    rf"(?:{JOIN}|、).{{1,30}}(?:分别|各自|各(?=[是有由起做用发推管查省减压增扩变干立设办多几]))|"
    r"^(?:请|帮我)?(?:比较|比一比|比一下)|compare|difference",
    re.IGNORECASE,
)
_LIST = re.compile(
    r"哪些|哪几|哪[两二三四五六七八九十\d]|包括什么|包含什么|有什么(?:措施|做法|举措|办法|内容|功能|成效|新)|"
    r"(?:什么|啥)(?:措施|做法|举措|办法)|具体(?:措施|做法|举措|内容)|列出|列举|列[明清全]|一一|逐[项一个条]|分别(?:是|有|指|为)|"
    r"(?<![第\d])[两二三四五六七八九十\d](?:大块|大|个|项|条|种|件|类|步|块|重|方面|点)[^,。?]{0,10}(?:什么|啥|哪|怎么讲)|"
    r"几(?:个|项|条|种|大|方面|点|类)(?:方面)?(?:措施|做法|举措|内容|创新|突破|机制)|"
    r"(?:措施|做法|举措|内容|亮点|经验|成效|要点)(?:有|是)?(?:哪|什么|啥|\?|$)|"
    r"(?:which|what) (?:\w+ )?(?:measures|steps)|\blist\b",
    re.IGNORECASE,
)
_HOW = re.compile(
    r"如何|怎么|怎样|怎麼|咋|靠什么|通过什么|凭什么|\bhow (?!many|much|long|often|fast)", re.I
)
# A thing that the question ends with is what it asks for, if nothing in it asks (深国仲的地址?).
_ONLY_NAMED = r"^(?!.*(?:多少|几|哪|什么|啥|谁|怎|咋|如何|多[大高长久快]|吗)).*"
_QUANTITY = (
    r"(?:率|[数总产销]量|[金总余差名]额|人数|总数|件数|成本|价格|幅度|比例|占比|"
    r"收入|营收|产值|票房|规模|面积|GDP)"
)
ASKED_FEW = "(?<![好十哪近这前后那没把])几"  # 几 that asks; it may also mean some
_NUMBER = re.compile(
    rf"多少|{ASKED_FEW}(?![十百千]|乎|年来|(?:年|天|个?月)前)|多大(?!的?(?:范围|程度|作用|影响|变化))|"
    r"多高|多长|多久|多快|(?:率|量|额|数|成本|价格|幅度|比例|占比)(?:是|有|为|达)|"
    r"(?:占比|比例)(?:如何|怎么?样)|什么比例|百分之几|"
    # 上海2021年的GDP: a quantity that the question ends with is asked for.
    rf"{_ONLY_NAMED}{_QUANTITY}[?]?$|"
    r"how (?:many|much|long|often|fast)|what (?:percentage|share|rate)",
    re.IGNORECASE,
)
_DATE = re.compile(
    r"何时|几时|什么时候|啥时候|哪一?年|几几年|几年几月|哪一?天|几月|几号|哪个月|什么时间|"
    # 办理时间 is how long it takes.
    rf"{_ONLY_NAMED}(?<!办理)(?<!审批)(?<!处理)(?<!等待)(?<!所需)(?:时间|日期|年份)(?:是|为)?[?]?$|"
    + ASKS_WHEN,
    re.IGNORECASE,
)
_PERSON = re.compile(
    r"谁(?!的)|哪位|哪个人|什么人|\bwho\b|"
    r"(?:[院局市处科庭行校会组省县区]长|主任|书记|负责人|联系人|董事长|创始人)[^,。?]{0,4}"
    r"(?:叫什么|叫啥|姓什么|名字)",
    re.IGNORECASE,
)
_REACHED_BY = r"(?:电话|号码|热线|网址|邮箱|邮编|联系方式|地址|官网)(?:号码?)?(?:是|为|有)?"
_CONTACT = re.compile(
    rf"{_REACHED_BY}(?:多少|几|什么|哪|啥)|(?:打|拨)(?:哪个|什么|啥|几号)|{_ONLY_NAMED}{_REACHED_BY}[?]?$"
)
_WHERE = re.compile(
    r"哪里|哪儿|在哪(?![个些家位一几])|何处|何地|什么地方|哪个地方|地点(?:是|在|为)?[?]?$|\bwhere\b",
    re.IGNORECASE,
)
_NAME = re.compile(
    r"谁|哪个|哪家|哪一(?!年|天)|叫什么|叫啥|什么名|名称|全称|什么(?:平台|系统|机制|模式|机构|公司)|"
    r"\bwhich\b|what is the name",
    re.IGNORECASE,
)
_REASON = re.compile(r"为什么|为何|为啥|什么原因|目的|\bwhy\b", re.I)
_DEFINITION = re.compile(
    r"^(?:请问)?(?:什么是|何为|何谓|啥是)(.{2,20}?)[?]?$|"
    r"^(?:请问)?(.{2,20}?)(?:是什么(?:意思|东西)?|是啥(?:意思)?|指(?:的是)?什么)[?]?$"
)
_GENERAL = re.compile(
    r"讲|说|介绍|谈|写|案例|内容|情况|改革|做法|措施|举措|经验|亮点|主要|工作|概况|概括|总结|做|采取|成效|"
    r"在|方面|大块|块|列出?|那个|这个|一下|推出|推进|开展|进行|各|取得|实施|出台|有关|关于|省|市"
)
CASE_REFERENCE = re.compile(
    r"案例\s*([一二三四五六七八九十]+|\d{1,2})|第([一二三四五六七八九十]+|\d{1,2})个案例"
)
_YEAR = re.compile(r"(?<!\d)((?:19|20)\d\d)\s*年?")
_MEASURE_NOUN = (
    r"(?:措施|做法|举措|办法|工作|方面|模式|经验|成效|创新|突破|机制|内容|动作|亮点|任务|特点|好处|"
    r"优势|效果|环节|步骤|事情?|measures|steps)"
)
_MEASURES = re.compile(
    rf"(?:哪|什么|啥|何|几(?:[个项条种大点类]|方面)|which|what)[^,。?]{{0,10}}{_MEASURE_NOUN}|"
    rf"{_MEASURE_NOUN}[^,。?]{{0,4}}(?:有|包括|是|分别|$)|做了(?:什么|啥|哪些)"
)
_SPEAKS = re.compile(r"提到|涉及|关于|用到|使用|采用|出现|包含|讲到|说到|谈到")
_SPECIFIC = re.compile(r"《[^》]{2,60}》|第[一二三四五六七八九十百\d]{1,5}[条款章]")
_FILLER = re.compile(
    r"请问|请教|麻烦问?一?下|想问一?下|我想(?:知道|了解|问)|能不能|可不可以|能否|是否|有没有|是不是|吗|呢|啊|吧|呀|"
    r"请|帮我|告诉我|介绍一下|说说|讲讲|说一下|讲一下|一下|到底|究竟|大概|大约|"
    r"几几年|几年几月|(?:能|会|可以)?[干做](?=什么|啥|嘛)|全称|全名|缩写|"
    r"多少(?:个|家|件|条|项|万|亿|元|人)?|哪些|哪几(?:个|项|条|家|种)?|哪个|哪家|哪里|哪儿|哪位|什么时候|何时|啥时候|"
    r"什么|啥|如何|怎么样|怎么|怎样|咋样?|为什么|为何|为啥|谁|几(?:个|家|件|条|项|种|人|天|年|月)?(?=[,。?]|$)|多久|多长时间|多长|多大|"
    r"具体|分别|主要|都|的|了|是|有"
)


@dataclass(frozen=True, slots=True)
class Intent:
    """What a question asks for."""

    kind: Kind
    wants: Wants
    asking: str  # the clauses of the question that want a thing, "" if a yes or no is wanted
    places: tuple[str, ...]  # as the documents call them: 深圳市 for 深圳
    years: tuple[str, ...]
    cases: tuple[int, ...]  # named by number
    mentions: tuple[str, ...]  # what the case must speak of: places, 《titles》, 第N条
    subject: str  # of a definition: 三地一锁 for 三地一锁是什么
    overview: bool  # nothing is asked about but a place or a case as a whole
    focus: str  # the noun that the interrogative asks about: 院长 for X的院长叫什么名字
    measures: bool  # a list of measures, which sections hold, rather than of names
    topic: str  # the question without its interrogatives


def clean_question(question: str) -> str:
    """Drop control characters and surrounding blanks.

    Raises
    ------
    QuestionError
        If nothing is left that could be searched for, or it is longer than MAX_QUESTION.
    """
    kept = "".join(c if c.isprintable() or c in "\n\t" else " " for c in question)
    kept = " ".join(kept.split())
    if not any(c.isalnum() for c in kept):
        raise QuestionError(
            "问题里没有文字，请输入要问的内容。",
            "the question has no words; please type a question",
        )
    if len(kept) > MAX_QUESTION:
        raise QuestionError(
            f"问题有 {len(kept)} 个字，超过 {MAX_QUESTION} 字，请缩短后再问。",
            f"the question has {len(kept)} characters; the limit is {MAX_QUESTION}",
        )
    letters = [char for char in kept if char.isalpha()]
    if 2 * sum(_foreign(char) for char in letters) > len(letters):
        raise QuestionError(
            "只能回答用中文或英文提出的问题，请换成中文再问。",
            "only questions in Chinese or English can be answered; please ask in one of them",
        )
    return kept


def _foreign(char: str) -> bool:
    """Whether a letter belongs neither to Chinese nor to the Latin alphabet."""
    name = unicodedata.name(char, "")
    return not name.startswith(("CJK", "LATIN", "FULLWIDTH LATIN"))


# 能告诉我有多少家吗 asks for a number in a polite way.
_REQUEST = re.compile(
    r"[你您]?(?:能不能|能否|可不可以|可否|可以|能)(?:请|帮我|给我)?(?:告诉|说|讲|介绍|查|列)"
    r"[我出说讲绍一下]*吗?"
)
# 要交多少税能提前问吗 wants a yes or no, whatever stands in it.
_YES_OR_NO = re.compile(
    r"(?:吗|没|(?<![什怎这那多])么)[?]?$|没有[?]?$|有没有|是不是|能不能|能否|是否|可不可以|会不会|要不要|([\u4e00-\u9fff])不\1"
)


# 几个人闹起来,该找谁: some, if a later clause asks.
_SOME = re.compile(r"(?:^|[着了过])几(?![时点天日年]|个?(?:月|小时|工作日))")
_ASKS = re.compile(r"多少|多[大高长久快]|[怎咋哪谁啥]|什么|如何|何时|为何")
# 怎么知道自己缴了多少 asks how.
_EMBEDDED = re.compile(
    r"(?<=[么样何咋])[^,;。?!]{0,8}(?:知道|弄清|搞清|看清|明白|看得?出|说清|晓得|告诉)[^,;。?!]*"
)


def _asking(question: str) -> str:
    """The clauses of a question that want a thing rather than a yes or no."""
    question = _EMBEDDED.sub("", _REQUEST.sub("", question)).rstrip("?!。,; ")
    clauses = re.split(r"[,;。?!]", question)
    yes_or_no = [bool(_YES_OR_NO.search(clause)) for clause in clauses]
    if yes_or_no[-1]:
        return ""
    kept = [c for c, closed in zip(clauses, yes_or_no, strict=True) if not closed]
    later = [any(_ASKS.search(c) for c in kept[i + 1 :]) for i in range(len(kept))]
    return ",".join(
        clause
        for clause, asked in zip(kept, later, strict=True)
        if not (asked and _SOME.search(clause) and not _ASKS.search(clause))
    )


_TO_WRITE = re.compile(
    r"^(?:请|麻烦|想|要|需要|我)*(?:[帮替给为][^,。?写拟整准编收搜总汇]{0,4})?"
    r"(?:写|起草|草拟|拟|整理|准备|编|收集|搜集|总结|汇总|梳理|归纳)(?:一?下)?(?:出?一?[份段篇个些点条])?"
    r"(?:关于|有关|围绕)(?P<topic>(?:(?!案例)[^,。?]){2,30}?)(?:方面|相关)?的?"
    r"(?:汇报|宣传|学习|调研|工作|发言)?(?:材料|素材|资料|汇报|报告|简报|讲话稿?|发言稿?|提纲|综述|小结)[。!]*$"
)


def as_question(text: str) -> str:
    """A request for a text on a topic in, the question for what is done about it out."""
    found = _TO_WRITE.search(text)
    return f"{found['topic']}有哪些做法?" if found else text


def without_addenda(question: str) -> str:
    """A question over all cases without the clauses that add nothing to what they are to hold."""
    found = _ACROSS.search(question)
    if not found:
        return question
    clauses = re.findall(r"[^,，。;；:：?？!！]+[,，。;；:：?？!！]*", question)
    at, asking = 0, 0
    for i, clause in enumerate(clauses):
        if at < found.end() <= at + len(clause):
            asking = i
        at += len(clause)
    before = [c for c in clauses[:asking] if _words_of(_SAYS_NOTHING.sub("", c))]
    after = clauses[asking + 1 :]
    if before or len(_words_of(topic(_ACROSS.sub("", clauses[asking])))) > 1:
        after = [c for c in after if not _ADDENDUM.search(c.strip())]
    return "".join([*before, clauses[asking], *after]).rstrip(",，:：;；")


def _words_of(text: str) -> str:
    return re.sub(r"[\s,，。;；:：?？!！里中]", "", text)


def read_intent(question: str, places: Collection[str] = ()) -> Intent:
    """Tell what `question` asks for; `places` are the places of the documents."""
    question = unicodedata.normalize("NFKC", question)
    whole, question = question, without_addenda(question)
    wants: Wants = ""
    patterns: tuple[tuple[Wants, re.Pattern[str]], ...] = (
        ("date", _DATE),
        ("reason", _REASON),
        ("contact", _CONTACT),
        ("number", _NUMBER),
        ("person", _PERSON),
        ("place", _WHERE),
        ("name", _NAME),
    )
    asked = _asking(question)
    for name, pattern in patterns:
        if pattern.search(asked):
            wants = name
            break
    if whole != question and _NUMBER.search(_ACROSS.sub("", whole)):
        wants = "number"  # of every case
    named = named_places(question, places)
    kind = _kind(question, wants, len(named))
    defined = _DEFINITION.search(question) if kind == "fact" else None
    if defined and not wants:
        wants = "definition"
    cases = tuple(chinese_number(a or b) for a, b in CASE_REFERENCE.findall(question))
    years = tuple(dict.fromkeys(_YEAR.findall(question)))
    about = question if len(cases) != 1 else CASE_REFERENCE.sub(" ", question)
    if kind == "across":
        about = _SPEAKS.sub(" ", _ACROSS.sub(" ", about))
        for place in named:
            about = about.replace(place, " ").replace(short_place(place), " ")
    return Intent(
        kind=kind,
        wants=wants,
        asking=asked,
        places=named,
        years=years,
        cases=cases,
        mentions=(
            *mentioned_places(CASE_REFERENCE.sub(" ", question), named),
            *_SPECIFIC.findall(question),
        ),
        focus=focus(question) if kind == "fact" else "",
        measures=bool(_MEASURES.search(question)),
        topic=topic(about),
        subject=next(filter(None, defined.groups()), "") if defined else "",
        overview=_is_overview(about, named) and bool(named or cases or kind == "across"),
    )


def _is_overview(about: str, places: Collection[str]) -> bool:
    """Whether no content word is left beside the places and cases that a question names."""
    for place in places:
        about = about.replace(place, "").replace(short_place(place), "")
    rest = _GENERAL.sub("", topic(about)) if topic(about) != about else _GENERAL.sub("", about)
    rest = re.sub(r"[\s?,。、!“”\"]|[这哪]些?|什么|啥|几|多少|个|收录|一?共|了|的|有|是", "", rest)
    return not rest


def _kind(question: str, wants: Wants, n_places: int) -> Kind:
    if _ACROSS.search(question):
        return "across"
    if n_places > 1 or _COMPARE.search(question):
        return "compare"
    return _kind_alone(question, wants)


def _kind_alone(question: str, wants: Wants) -> Kind:
    """The kind of a question that is about one thing."""
    if _LIST.search(_EMBEDDED.sub("", question)):
        return "list"
    return "how" if _HOW.search(question) and wants not in ("number", "date") else "fact"


def about_both(question: str, intent: Intent) -> Intent:
    """The intent if the places that a question names are not compared: 广州和深圳签的协议."""
    return replace(intent, kind=_kind(question, intent.wants, 1))


def about_one(question: str, intent: Intent) -> Intent:
    """The intent if nothing that a question names is compared."""
    kind = _kind_alone(question, intent.wants)
    return replace(intent, kind=kind, focus=focus(question) if kind == "fact" else "")


_COPULA = frozenset({"是", "为", "有", "叫", "达", "达到", "共", "约", "大概", "能", "的"})
_ASKING = frozenset(
    {"多少", "几", "什么", "谁", "哪", "哪个", "哪家", "哪位", "哪里", "哪儿", "多大", "多长"}
    | {"多久", "多高", "啥", "怎样", "如何", "几个", "何时"}
)
_EMPTY_NOUNS = frozenset(
    {"名字", "名称", "时候", "时间", "地方", "情况", "内容", "意思", "全称", "数量", "单位"}
    | {"公司", "企业"}
)


def focus(question: str) -> str:
    """The noun that an interrogative asks about, "" if there is none to tell.

    Before the interrogative where a copula joins them (院长叫什么, 总投资是多少), else after it
    (多少预算, 哪家…生产).
    """
    words = [(word, tag) for word, tag in tagged(question) if word.strip()]
    for i, (word, _) in enumerate(words):
        if word not in _ASKING:
            continue
        before = i - 1
        while before >= 0 and words[before][0] in _COPULA:
            before -= 1
        joined = before < i - 1
        if joined and before >= 0 and _is_noun(words[before]):
            return words[before][0]
        for at in range(i + 1, min(i + 4, len(words))):
            if _is_noun(words[at]) and words[at][0] not in _EMPTY_NOUNS:
                # ATM机能用 may be cut as ATM + 机能.
                latin = words[at - 1][0] if words[at - 1][1] == "eng" else ""
                return latin + words[at][0]
        break
    return ""


def _is_noun(tagged: tuple[str, str]) -> bool:
    word, tag = tagged
    return len(word) > 1 and tag[0] in "nvl" and tag not in ("ns", "nr", "ul", "uj")


def topic(question: str) -> str:
    """The question without interrogatives and fillers; the question itself if nothing is left."""
    rest = _FILLER.sub(" ", question)
    rest = " ".join(re.sub(r"[?!。,、;:\"“”]", " ", rest).split())
    return rest or question
