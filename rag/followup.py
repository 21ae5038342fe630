"""A question and the question before it in, a self-contained question out. No model is needed.

A question with next to no content of its own depends on the one before it: if it only names
another place or year, that takes the place of the old one; otherwise the old question is put in
front of it. A question with some content may go on from the one before it or change the topic:
`rag.conversation` tells which.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from rag.places import mentioned_places, named_places, short_place
from rag.questions import read_intent, topic

Form = Literal["", "detail", "table"]  # how an answer is wanted once more

_OPENING = re.compile(
    r"^\s*(?:那么?|然后|还有|另外|此外|再(?!生)|具体|其中|其它|其他|同样|接着|继续|换成|改成|只看|只要|"
    r"and |what about|how about)",
    re.IGNORECASE,
)
_IT = r"它们?|他们|该(?:市|省|区|案例|平台|机制|项目|院|系统|改革|制度|模式|做法)"
_BACKWARD = re.compile(
    rf"{_IT}|其(?=[\u4e00-\u9fff])(?!他|它|实|中|余)|"
    r"上述|前面|刚才|上面|前者|后者|这(?:个|些|项|种|家|里|一|几|两|套|样)?|那(?:个|些|项|种|家|里|几|两|套|边)|此(?:案|举|项)|\b(?:it|its|they|that|this)\b",
    re.IGNORECASE,
)
# A question that opens with what it is about in a pronoun has nothing else to be about.
_ITS_SUBJECT = re.compile(rf"^\s*(?:那么?|请问|然后)?(?:{_IT})")
_TAIL = re.compile(r"呢\s*[?？。!！]*\s*$")
_STRIP = re.compile(
    r"^\s*(?:那么?|还有|另外|换成|改成|只看|只要|再看看?|and|what about|how about)\s*|"
    r"呢?\s*[?？。!！]*\s*$",
    re.IGNORECASE,
)
_OTHER = re.compile(
    r"^(?:另外?一个|另外?的?|其他|其它|别的)(?:一个)?(?:的?(?:市|城市|地方|案例|省))?$"
)
_FORMS: tuple[tuple[Form, re.Pattern[str]], ...] = (
    (
        "detail",
        re.compile(
            r"^(?:请|能不能|可以)?再?(?:说|讲|写|答)?[得的]?(?:详细|具体|细|完整|全面)"
            r"(?:一?点|一?些|说说|讲讲|展开)?[说讲]?$|^展开(?:说说|讲讲|一下)?$"
        ),
    ),
    ("table", re.compile(r"^(?:请|能不能|可以)?(?:做成|列成|用)?表格?(?:列出|展示|形式)?$|^列表$")),
    (
        "",
        re.compile(r"^(?:请|能不能|可以)?再?(?:说|讲|写|答)?[得的]?(?:简单|简短)(?:一?点|一?些)?$"),
    ),
)
_YEAR = re.compile(r"(?:19|20)\d\d年?")
_LONG_TOPIC = 18  # characters: a longer question stands for itself
_MIN_TOPIC = 5  # characters: a shorter question has no content of its own
_MIN_ELSEWHERE = 2  # ... where it names a place that the one before it did not


@dataclass(frozen=True, slots=True)
class Completed:
    """What a question asks for, seen after the one before it.

    `context` is the question before it, where this one may go on from that; `follows` tells that
    it cannot be understood without. `excluded` are places that the question turned away from
    (那另一个市呢?), `form` is how it wants to have the answer once more (再详细点).
    """

    question: str
    follows: bool = False
    excluded: tuple[str, ...] = ()
    context: str = ""
    form: Form = ""

    @property
    def text(self) -> str:
        """The question, self-contained unless it goes on from its context."""
        return joined(self.context, self.question) if self.follows else self.question


@dataclass(frozen=True, slots=True)
class Talk:
    """What a conversation is about: a question that stands alone, and the last that went on."""

    root: str
    last: str = ""

    @property
    def text(self) -> str:
        """Both as one question."""
        return joined(self.root, self.last) if self.last else self.root


def joined(previous: str, question: str) -> str:
    """Two questions as one."""
    return f"{previous.rstrip('?？。!！ ')},{question}"


def complete(question: str, previous: str, places: Collection[str] = ()) -> Completed:
    """Complete `question` from the self-contained question before it.

    `places` are the places of the documents, by which a change of place is recognised.
    """
    rest = _STRIP.sub("", _STRIP.sub("", question).strip()).strip()
    for form, pattern in _FORMS:
        if pattern.match(rest):
            return Completed(previous, form=form)
    if _OTHER.match(rest):
        turned_from = named_places(previous, places)
        bare = previous.rstrip("?？。!！ ")
        return Completed(_without(bare, turned_from), excluded=turned_from)
    if substituted := _substitute(previous, rest, places):
        return Completed(substituted)
    if _ITS_SUBJECT.search(question) or _has_no_topic(question, previous, places):
        return Completed(question, follows=True, context=previous)
    # Places that the documents may know nothing of, and that were not spoken of.
    elsewhere = {*mentioned_places(question)} - {*mentioned_places(previous, places)}
    if stands_alone(question, places) or (elsewhere and not continues(question)):
        return Completed(question)
    # What was asked about all cases is no one thing to go on about, unless it is pointed at.
    if read_intent(previous, places).kind == "across" and not _points_into(question):
        return Completed(question)
    return Completed(question, context=previous)


def continues(question: str) -> bool:
    """Tell whether a question opens like a continuation, points back or ends in a short …呢."""
    if _TAIL.search(question) and len(own_topic(question)) <= 2 * _MIN_TOPIC:
        return True
    return bool(_OPENING.search(question) or _BACKWARD.search(question))


def _points_into(question: str) -> bool:
    return "其中" in question or bool(_BACKWARD.search(question))


def own_topic(question: str) -> str:
    """What a question is about, in its own words and without blanks."""
    return topic(question).replace(" ", "")


def _has_no_topic(question: str, previous: str, places: Collection[str]) -> bool:
    """Tell whether a question cannot be understood without the one before it."""
    own = own_topic(question)
    named = named_places(question, places)
    for place in named:
        own = own.replace(place, "").replace(place[:-1], "")
    elsewhere = set(named) - set(named_places(previous, places))
    least = _MIN_ELSEWHERE if elsewhere else _MIN_TOPIC
    return len(own) < least and not re.search(r"[A-Za-z]{3,}", own)


def stands_alone(question: str, places: Collection[str] = ()) -> bool:
    """Tell whether a question says enough, or asks about all cases, without pointing back."""
    if continues(question):
        return False
    return len(own_topic(question)) > _LONG_TOPIC or read_intent(question, places).kind == "across"


def _substitute(previous: str, rest: str, places: Collection[str]) -> str:
    """The previous question with its place or year replaced by the one that `rest` names."""
    named = named_places(rest, places)
    if year := _YEAR.fullmatch(rest):
        old_year = _YEAR.search(previous)
        if old_year:
            return previous.replace(old_year[0], year[0])
        return f"{year[0]}{previous}"
    is_place = bool(named) and len(rest) <= len(named[0]) + 1
    is_unknown_place = bool(re.fullmatch(r"[\u4e00-\u9fff]{2,5}[省市区县州]", rest))
    if not is_place and not is_unknown_place:
        return ""
    old = named_places(previous, places)
    if not old:
        return f"{rest}{previous}"
    for written in (old[0], short_place(old[0])):
        if written in previous:
            return previous.replace(written, rest)
    return ""


def _without(question: str, places: Sequence[str]) -> str:
    for place in places:
        question = question.replace(place, "").replace(short_place(place), "")
    return question.strip()
