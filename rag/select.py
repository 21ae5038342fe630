"""Hits in, the sentences that may answer out, scored.

A sentence is judged by what of the question it covers, word for word and by the nearest word
(rare words count more), by how near it is as a whole in the embedding space, by whether it holds
the kind of answer asked for (a number with the unit, a date, a name), and by how well its chunk
was found. The weights were fitted to the dev split of the question set (`python -m eval.fit`).
"""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from corpus.outline import chinese_number
from corpus.sentences import sentence_spans
from embeddings.encoder import Encoder
from rag.followup import joined
from rag.instructions import orders
from rag.linear import fitted
from rag.match import CONTEXT_SHARE, Matcher, term_and_word_sets, titled
from rag.questions import Intent, Names, names_in
from rag.reader import Place, Reader
from rag.types import Hit

MAX_CANDIDATES = 400  # sentences that are looked at
REACH = 2.5  # score by which a sentence with the wanted kind of answer may trail

Scope = Callable[[Hit], str]  # the text of the case, or document, that a hit lies in

FEATURES = (
    "chunk",  # score of the hit
    "rank",  # 1 / rank of the hit
    "own",  # weighted share of the question's terms in the sentence
    "context",  # the same in sentence, chunk and titles
    "cosine",  # of question and sentence
    "cosine_context",  # of question and titles + sentence
    "wanted",  # 1: holds the kind of answer asked for, -1: does not, 0: none asked for
    "unit",  # 1: a number of the kind that the question measures, -1: none of it
    "overlap",  # longest common substring, share of the question
    "title",  # 1: the bare title of an item rather than what it says
    "length",  # log of its length
    "soft",  # share of the question's words that have a near word in the sentence
    "soft_context",  # the same in sentence, chunk and titles
    "place",  # -1: the question names a place or year of which the case does not speak
    "missing",  # weight of the one word of the question that is farthest from chunk and titles
    "focus",  # how near the noun asked about is to a word of the sentence or its section
    "year",  # -1: the chunk speaks of other years than the question
    "reader",  # what `rag.reader` says of the sentence
)
# What the fitted weights of `rag/weights.json` are pulled to.
PRIOR = np.array(
    [1.0, 0.3, 1.0, 0.6, 0.5, 0.5, 0.25, 0.35, 0.5, -0.45, 0.02, 0.6, 0.4, 0.3, -0.1, 0.5, 0.3, 0.5]
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sentence of a hit with the features that tell whether it answers."""

    hit: Hit
    start: int  # in the document
    end: int
    text: str
    score: float
    features: npt.NDArray[np.float64]  # in the order of FEATURES

    @property
    def fits(self) -> bool:
        """Whether it holds the kind of answer that is asked for, where one is."""
        return self.feature("wanted") >= 0 and self.feature("unit") >= 0

    @property
    def place(self) -> Place:
        """What `rag.reader` is given of it."""
        return Place(self.text, titled(self.hit.chunk))

    def feature(self, name: str) -> float:
        """One feature by its name."""
        return float(self.features[FEATURES.index(name)])


@dataclass(frozen=True, slots=True)
class Asked:
    """What of a question is looked for in the sentences."""

    intent: Intent
    question: str
    encoder: Encoder
    matcher: Matcher
    reader: Reader
    scope: Scope
    context: str = ""  # the question before it, which it goes on from

    @property
    def whole(self) -> str:
        """The question with what it goes on from."""
        return joined(self.context, self.question) if self.context else self.question

    def vector(self) -> npt.NDArray[np.float32]:
        """The question in the embedding space, with something of what it goes on from."""
        texts = [self.question, self.context] if self.context else [self.question]
        rows = self.encoder.encode_query(texts)
        mixed = rows[0] + CONTEXT_SHARE * rows[1:].sum(axis=0)
        return np.asarray(mixed / max(float(np.linalg.norm(mixed)), 1e-12), np.float32)


def candidates(asked: Asked, hits: Sequence[Hit]) -> list[Candidate]:
    """Score the sentences of `hits`, best first."""
    found = [
        (hit, hit.chunk.start + a, hit.chunk.start + b, hit.chunk.text[a:b])
        for hit in hits
        for a, b in _statements(hit.chunk.text)
    ][:MAX_CANDIDATES]
    if not found:
        return []
    rows = _features(asked, found)
    scores = fitted("sentence", FEATURES).totals(rows)
    scored = [
        Candidate(*place, float(score) + _defines(asked.intent, place), row)
        for place, score, row in zip(found, scores, rows, strict=True)
    ]
    scored.sort(key=lambda c: -c.score)
    # A sentence that cannot hold the answer gives way to one that can, if that is nearly as good.
    fit = next((c for c in scored if c.fits and scored[0].score - c.score < REACH), None)
    return [fit, *(c for c in scored if c is not fit)] if fit else scored


def _statements(text: str) -> list[tuple[int, int]]:
    """The sentences of a passage but those that address the machine: a passage is data."""
    spans = orders(text)
    return [(a, b) for a, b in sentence_spans(text) if not any(s < b and a < e for s, e in spans)]


# What introduces a thing: it is pushed, set up, launched, or said to be something.
_INTRODUCES = re.compile(
    r"推出|引入|建立|实施|推行|打造|构建|设立|成立|是指|开发|上线|简称|下称|即"
)


def _defines(intent: Intent, place: "_Found") -> float:
    """What a sentence gains when a definition is asked for: it opens the section of that name."""
    hit, start, _, text = place
    if intent.wants != "definition" or not intent.subject:
        return 0.0
    headed = intent.subject in hit.chunk.section
    bonus = 2.0 if headed and start == hit.chunk.start and hit.chunk.text[1:2] != "是" else 0.0
    if intent.subject in text and _INTRODUCES.search(text):
        bonus += 2.0
    return bonus


_Found = tuple[Hit, int, int, str]


def _features(asked: Asked, found: Sequence[_Found]) -> npt.NDArray[np.float64]:
    """`(n_sentences, n_features)`, columns in the order of FEATURES."""
    query = asked.vector()
    alone = asked.encoder.encode_document([text for *_, text in found]) @ query
    headed = [f"{hit.chunk.heading} {text}" for hit, _, _, text in found]
    context = asked.encoder.encode_document(headed) @ query
    # What is told of a chunk holds for all its sentences.
    row_of = {hit.rank: i for i, hit in enumerate({hit.rank: hit for hit, *_ in found}.values())}
    hits = list({hit.rank: hit for hit, *_ in found}.values())
    own = [term_and_word_sets(text) for *_, text in found]
    wholes = [term_and_word_sets(titled(h.chunk)) for h in hits]
    nearness = asked.matcher.nearness([words for _, words in (*own, *wholes)])
    soft = asked.matcher.soft_coverage(nearness)
    missing = asked.matcher.missing(nearness[len(found) :])
    covered = [asked.matcher.coverage(terms) for terms, _ in wholes]
    places = [_place_fits(asked, hit) for hit in hits]
    sections = [term_and_word_sets(h.chunk.section)[1] for h in hits]
    read = asked.reader.read(
        asked.whole, [Place(text, titled(hit.chunk)) for hit, _, _, text in found]
    )
    rows = []
    for i, (hit, start, _, text) in enumerate(found):
        wanted, unit = answer_kind(asked.intent, asked.question, text)
        last = start + len(text) >= hit.chunk.end
        chunk = row_of[hit.rank]
        rows.append(
            [
                hit.score,
                1 / hit.rank,
                asked.matcher.coverage(own[i][0]),
                covered[chunk],
                alone[i],
                context[i],
                wanted,
                unit,
                asked.matcher.overlap(text),
                float(start == hit.chunk.start and len(text) < 40 and not last),
                math.log(len(text)),
                soft[i],
                soft[len(found) + chunk],
                places[chunk],
                missing[chunk],
                asked.matcher.word_nearness(asked.intent.focus, own[i][1] | sections[chunk]),
                _year_fits(asked.intent, hit),
                read[i],
            ]
        )
    return np.array(rows, float)


# -- the kind of answer ------------------------------------------------------------------------

_ASKED_UNIT = re.compile(r"(?:多少|几)(?:个(?=工作日|月|小时|百分点))?([\u4e00-\u9fff]{1,3})")
# What the number must measure; a count may be put in any measure word (11个 for 多少家).
_SHARE = re.compile(r"[%％成折倍]|百分")  # of money or time: costs are halved
_UNIT_CLASSES: tuple[tuple[str, re.Pattern[str], re.Pattern[str]], ...] = (
    ("clock", re.compile(r"几点|几时"), re.compile(r"[点时]")),
    ("price", re.compile(r"价格|售价|房价|租金"), re.compile(r"元|[成折]|[%％]")),
    (
        "money",
        re.compile(
            r"多少(?:亿|万)*(?:钱|元|费用|成本|资金|预算|金额|投资|税)|投资(?=[^,。?]{0,6}多少)|金额|费用|预算|产值|收费|赔偿|"
            r"营收|收入|票房|利润|GDP|生产总值|标的额|贷款额"
        ),
        re.compile(r"元"),
    ),
    (
        "percent",
        re.compile(r"百分之|比例|占比|[^税效]率(?!先)|同比|几成"),
        re.compile(r"[%％成倍]|百分|减"),
    ),
    (
        "change",
        re.compile(r"(?:增长|下降|[降减缩省]|提升|提高|降低|减少|节约)了?多少"),
        re.compile(r"[%％成倍元天日月年]|百分|小时|分钟"),
    ),
    (
        "time",
        re.compile(
            r"多久|多长时间|多快|几(?:天|个?月|小时|年)|多少(?:个?工作日|天|个?月|个?小时|年)|"
            r"时限|周期|how long"
        ),
        re.compile(r"[天日月年周]|小时|分钟|工作日|季度"),
    ),
    ("area", re.compile(r"面积"), re.compile(r"㎡|平方|亩|公顷")),
)
_NUMBER = re.compile(
    r"[0-9０-９][0-9０-９.,]*|[一二两三四五六七八九十百千]+"
    r"(?=[个项条件家年月日天周次名人倍成大类种级]|小时|分钟|点[半钟整至到])|"
    r"(?<=[近超逾约上])[百千万亿](?=[余多]?[个项条件家年天次名人元笔户份宗])|"
    r"每(?=[日天周月年]|季度)"  # how often
)
_SUFFIX = re.compile(
    r"(?:[—~～-][0-9.]+)?(?:万|亿|千|百)*[多余]?(?:点[半钟整]?|个?工作日|季度|个?百分点|个?月|分钟|小时|美元|港元|"
    r"[%％‰元个项条件家年月日天周次名人倍笔户份宗篇站台款张场所位期批步层㎡部种类]|"
    r"(?<=\d)成|(?<=[一二两三四五六七八九])成(?![员立果为长绩]))*"
)
_DATE = re.compile(
    r"(?:19|20)\d\d\s*年(?:\s*\d{1,2}\s*月(?:\s*\d{1,2}\s*日)?)?|"
    r"(?<!\d)\d{1,2}\s*月(?:\s*\d{1,2}\s*日|[初中底末份])|(?:19|20)\d\d[-./]\d{1,2}[-./]\d{1,2}"
)
_GIVES_REASON = re.compile(
    r"为(?:了|破解|解决|适应|贯彻|落实|进一步|深入|推动|加快|满足|避免)|针对|由于|因此|因为|旨在|着力解决|短板"
)
_CONTACT = re.compile(r"\d{5,}|\d-\d{4,}|www\.|https?:|@|[路街道]\d+号")
_NAME = re.compile(
    r"《[^》]{2,60}》|“[^”]{2,30}”|[\u4e00-\u9fffA-Za-z()（）]{2,20}"
    r"(?:平台|系统|中心|公司|机制|委员会|法院|仲裁院|局|署|集团|协会|分署)"
)
_OFFICE = re.compile(
    r"部门|机关|单位|机构|领导|主体|团队|小组|大厅|窗口|网站|网点|渠道|场所|站[、,。]|厅[、,。]"
)

# What a sentence holds that gives what is wanted, and what it is worth where it holds none.
_HELD = {
    "date": (_DATE, -1.0),
    "contact": (_CONTACT, -1.0),
    "name": (_NAME, 0.0),
    "reason": (_GIVES_REASON, 0.0),
}


def answer_kind(intent: Intent, question: str, text: str) -> tuple[float, float]:
    """`(wanted, unit)` of a sentence: see FEATURES."""
    if intent.wants == "number":
        numbers = [text[a:b] for a, b in number_spans(text)]
        if not numbers:
            return -1.0, -1.0
        for _, asked, measured in _UNIT_CLASSES:
            if asked.search(question):
                if any(measured.search(number) for number in numbers):
                    return 1.0, 1.0
                return 1.0, 0.0 if any(_SHARE.search(number) for number in numbers) else -1.0
        unit = _asked_unit(question)
        return 1.0, float(bool(unit) and any(unit in number for number in numbers))
    if _only_counted(question, text):
        return -1.0, 0.0
    if intent.wants in ("person", "place"):
        return _names_one(intent, question, text), 0.0
    if intent.wants in ("name", "") and (called := _named(question, text)):
        return called, 0.0
    if intent.wants in _HELD:
        pattern, otherwise = _HELD[intent.wants]
        return (1.0, 0.0) if pattern.search(text) else (otherwise, 0.0)
    return 0.0, 0.0


_COUNTED = r"(\d+|[一二三四五六七八九十百]+)(?:余|多)?([个家项条种件类名位款])"
_ASKS_COUNTED = re.compile(
    rf"{_COUNTED}[^,。?]{{0,12}}(?:(?:分别|具体|都|各)(?:是|有|指|为|包括)?)?(?:哪些|什么|啥|谁|哪几)|"
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
    counted = re.search(rf"(?<!\d){number}(?:余|多)?{unit}", text)
    return n >= _MANY and bool(counted) and len(re.findall("[、;]|”“", text)) < n // 2


# 哪些企业 may mean a kind of them.
_ASKS_FIRM = re.compile(
    r"哪(?:[个一几]|[两二三四五六七八九十]|\d+)?[家个][^,。?]{0,4}(?:公司|企业|厂商|厂家|供应商|开发商)|"
    r"哪(?:些|几家|个)?(?:厂商|厂家|供应商|开发商)"
)
_ASKS_PERSON = re.compile(
    r"(?:[长任记官师员士人席裁]|负责人|联系人)(?:是|叫|都?有)?(?:谁|哪位)|谁(?:是|任|当)|"
    r"叫什么|叫啥|姓|名字|哪位|\bwho is\b",
    re.IGNORECASE,
)
_ASKS_NAMES = re.compile(
    r"叫什么|叫啥|什么名|名单(?:有|是|[?]?$)|(?:名称|名字)(?:是|叫)|分别(?:是|叫|有)(?:哪几[家个]|谁|哪些(?:公司|企业|银行|城市|国家))"
)
_FIRM = re.compile(r"公司|集团|厂商")


def _named(question: str, text: str) -> float:
    """Whether a sentence names something where names are asked for: 1 or -1; else 0.

    A person, place or firm must be new to the question; any title or office will do.
    """
    firm = _ASKS_FIRM.search(question)
    if not firm and not _ASKS_NAMES.search(question):
        return 0.0
    new = _new_names(question, text)
    if firm:
        return 1.0 if new.others or _FIRM.search(text) else -1.0
    named = new.others or new.persons or new.places or _NAME.search(text)
    return 1.0 if named else -1.0


def _names_one(intent: Intent, question: str, text: str) -> float:
    """Whether a sentence names a person or place: 1; -1 if not, and 0 if others may be meant."""
    new = _new_names(question, text)
    if new.persons if intent.wants == "person" else new.places:
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


def _asked_unit(question: str) -> str:
    """The measure word after 多少 or 几: 件 for 多少件, "" where a thing follows (多少案件)."""
    found = _ASKED_UNIT.search(question)
    for length in (3, 2, 1) if found else ():
        unit = found[1][:length] if found else ""
        if len(unit) == length and _SUFFIX.fullmatch(unit):
            return unit
    return ""


def _fits_unit(question: str, number: str) -> bool:
    for _, asked, measured in _UNIT_CLASSES:
        if asked.search(question):
            return bool(measured.search(number))
    unit = _asked_unit(question)
    return bool(unit) and unit in number


def number_spans(text: str) -> list[tuple[int, int]]:
    """Offsets of the numbers in `text` with their measure words."""
    spans = []
    for match in _NUMBER.finditer(text):
        suffix = _SUFFIX.match(text, match.end())
        spans.append((match.start(), suffix.end() if suffix else match.end()))
    return spans


def marks(intent: Intent, question: str, text: str) -> tuple[tuple[int, int], ...]:
    """Offsets in `text` of the words that answer: numbers with units, dates, names."""
    if intent.wants == "number":
        spans = number_spans(text)
        return tuple([s for s in spans if _fits_unit(question, text[s[0] : s[1]])] or spans)
    pattern = {"date": _DATE, "name": _NAME, "person": _NAME}.get(intent.wants)
    return tuple(m.span() for m in pattern.finditer(text)) if pattern else ()


def _place_fits(asked: Asked, hit: Hit) -> float:
    text = asked.scope(hit)
    named = (*asked.intent.mentions, *asked.intent.years)
    absent = [name for name in named if name not in text]
    if asked.intent.kind in ("compare", "across"):  # each case answers for one of the places
        return -1.0 if absent and len(absent) == len(named) else 0.0
    if absent:
        return -1.0
    # A figure of another city: 深圳呢? must not be answered from 广州 because both come up there.
    here = f"{hit.chunk.heading} {hit.chunk.text}"
    cities = [place for place in asked.intent.places if place.endswith("市")]
    other = hit.chunk.place.endswith("市") and hit.chunk.place not in cities
    if not cities or not other or any(city[:-1] in here for city in cities):
        return 0.0
    return -1.0 if asked.intent.wants in ("number", "date") else -0.5  # what is done may be shared


def _year_fits(intent: Intent, hit: Hit) -> float:
    text = hit.chunk.text
    if not intent.years or any(year in text for year in intent.years):
        return 0.0
    return -1.0 if re.search(r"(?:19|20)\d\d", text) else -0.5
