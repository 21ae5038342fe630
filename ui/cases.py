"""The documents' cases in, the cases tab out: cards by place and theme, a reader.

A theme is the matter of the national business-environment evaluation (纳税, 招标投标, …) whose
words a case uses most, its title counting more than its text.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from corpus.outline import case_place
from corpus.types import Document, Node
from ui.chat import case_name
from ui.markup import escape, icon, icon_button
from ui.source import render_outline, render_text
from ui.text import Lang, say

TITLE_WEIGHT = 20  # a word in the title is worth this many in the text

# The matters of the national evaluation of the business environment, with the words officials use.
THEMES: Final[tuple[tuple[dict[Lang, str], tuple[str, ...]], ...]] = (
    ({"zh": "纳税服务", "en": "Taxation"}, ("税务", "纳税", "税费", "税收")),
    ({"zh": "破产办理", "en": "Insolvency"}, ("破产", "重整", "清算", "管理人")),
    ({"zh": "公平竞争", "en": "Competition"}, ("公平竞争", "反垄断", "竞争审查")),
    ({"zh": "知识产权", "en": "Intellectual property"}, ("知识产权", "专利", "商标", "海外维权")),
    ({"zh": "信用建设", "en": "Credit"}, ("信用", "失信", "信用修复")),
    (
        {"zh": "投资建设", "en": "Construction"},
        ("投资项目", "施工许可", "工程建设", "开工", "规划许可"),
    ),
    ({"zh": "土地要素", "en": "Land"}, ("土地", "用地", "宗地", "产业空间")),
    ({"zh": "执法规范", "en": "Law enforcement"}, ("执法", "异地执法", "协作")),
    ({"zh": "金融支付", "en": "Finance"}, ("支付", "外卡", "移动支付", "融资", "信贷")),
    ({"zh": "通关贸易", "en": "Trade"}, ("通关", "口岸", "海关", "跨境贸易", "报关")),
    ({"zh": "招标投标", "en": "Tendering"}, ("招投标", "招标", "投标", "数字证书", "政府采购")),
    (
        {"zh": "区域协同", "en": "Regional cooperation"},
        ("帮扶", "对口", "协同发展", "区域协调", "均衡"),
    ),
    ({"zh": "法治保障", "en": "Rule of law"}, ("司法", "仲裁", "法院", "审判", "调解")),
    ({"zh": "政务服务", "en": "Government services"}, ("政务服务", "一网通办", "一件事", "审批")),
)


@dataclass(frozen=True, slots=True)
class CaseCard:
    """What the list of cases shows of one."""

    document_id: int
    document: str
    case: int
    title: str
    place: str
    theme: int  # index into THEMES, -1 = none
    opening: str  # its first paragraph
    n_chars: int


def case_cards(documents: Iterable[Document]) -> list[CaseCard]:
    """All cases of all documents, in order."""
    return [
        _card(document, node)
        for document in documents
        for node in document.outline
        if node.kind == "case" and node.case is not None
    ]


def theme_of(title: str, text: str) -> int:
    """The index in `THEMES` that fits best; -1 when no word of any theme occurs."""
    scores = [
        sum(TITLE_WEIGHT * title.count(word) + text.count(word) for word in words)
        for _, words in THEMES
    ]
    best = max(range(len(scores)), key=scores.__getitem__)
    return best if scores[best] else -1


def select_cards(
    cards: Sequence[CaseCard], *, place: str = "", theme: int | None = None, words: str = ""
) -> list[CaseCard]:
    """The cards of a place and a theme whose title or opening holds every word."""
    wanted = words.lower().split()
    return [
        card
        for card in cards
        if place in ("", card.place)
        and theme in (None, card.theme)
        and all(w in f"{card.title} {card.opening} {card.place}".lower() for w in wanted)
    ]


def render_cases(
    cards: Sequence[CaseCard],
    lang: Lang,
    *,
    place: str = "",
    theme: int | None = None,
    words: str = "",
) -> str:
    """The filters and the cards that pass them."""
    shown = select_cards(cards, place=place, theme=theme, words=words)
    places = list(dict.fromkeys(card.place for card in cards if card.place))
    themes = sorted({card.theme for card in cards if card.theme >= 0})
    find = escape(say("find_case", lang))
    listed = "".join(_render_card(card, lang) for card in shown)
    return (
        f'<div class="title"><h1>{escape(say("cases_title", lang))}</h1>'
        f"<p>{escape(say('cases_count', lang, n=len(shown)))}</p>"
        f'<label class="find">{icon("search")}<input type="search" value="{escape(words)}" '
        f'placeholder="{find}" aria-label="{find}" maxlength="100" data-on="find-case">'
        "</label></div>"
        f"{_chips('place', say('place', lang), [(p, p) for p in places], place, lang)}"
        f"{_chips('theme', say('theme', lang), _theme_names(themes, lang), _value(theme), lang)}"
        + (f'<ul class="cards">{listed}</ul>' if listed else _empty(say("no_cases", lang)))
    )


def render_case(document: Document, node: Node, lang: Lang) -> str:
    """One case in full with its outline."""
    name = case_name(node.case, lang)
    body = render_text(document, node.start, node.end, (), lang)
    return (
        f'<header class="panehead"><div class="row">'
        f"{icon_button('back', say('back', lang), 'close-reader', extra='data-role=back')}"
        f'<span class="count">{escape(name)}</span>'
        f"{icon_button('close', say('close', lang), 'close-reader', extra='data-role=close')}</div>"
        f"<h2>{escape(node.title)}</h2><p class=crumbs><span>《{escape(document.title)}》</span>"
        f"</p></header>{render_outline(document, node.start, node.end, lang)}"
        f'<div class="text" tabindex="0">{body}</div><footer class="panefoot">'
        f"{_ask_button(document.id, node.case or 0, lang)}</footer>"
    )


def find_case(document: Document, case: int) -> Node | None:
    """The outline node of a case by its number."""
    return next((n for n in document.outline if n.kind == "case" and n.case == case), None)


def render_scope(cards: Sequence[CaseCard], others: Sequence[tuple[int, str]], lang: Lang) -> str:
    """The options of the case selector: `others` are documents without cases, `(id, title)`."""
    groups: dict[tuple[int, str], list[CaseCard]] = {}
    for card in cards:
        groups.setdefault((card.document_id, card.document), []).append(card)
    out = [f'<option value="">{escape(say("all_cases", lang))}</option>']
    for (number, title), members in groups.items():
        options = "".join(
            f'<option value="{number}:{card.case}">{escape(case_name(card.case, lang))} '
            f"{escape(card.title)}</option>"
            for card in members
        )
        whole = f'<option value="{number}:">{escape(say("whole_document", lang))}</option>'
        out.append(f'<optgroup label="{escape(title)}">{whole}{options}</optgroup>')
    out += [f'<option value="{number}:">{escape(title)}</option>' for number, title in others]
    return "".join(out)


def render_names(every: str, names: Sequence[str], lang: Lang) -> str:
    """The options of a selector of places, departments or themes; empty if there are none.

    `every` is the key of the words that restrict nothing.
    """
    if not names:
        return ""
    options = "".join(f'<option value="{escape(n)}">{escape(n)}</option>' for n in names)
    return f'<option value="">{escape(say(every, lang))}</option>{options}'


def render_years(dates: Iterable[str], lang: Lang) -> str:
    """The options of the date selector, from the dates of documents; empty if none has any."""
    years = sorted({date[:4] for date in dates if date}, reverse=True)
    out = [f'<option value="">{escape(say("all_dates", lang))}</option>'] if years else []
    for year in years:
        if year != years[0]:
            since = escape(say("since_year", lang, year=year))
            out.append(f'<option value="{escape(year)}:">{since}</option>')
        only = escape(say("only_year", lang, year=year))
        out.append(f'<option value="{escape(year)}:{escape(year)}">{only}</option>')
    return "".join(out)


def _card(document: Document, node: Node) -> CaseCard:
    text = document.text[node.start : node.end]
    opening = next(
        (
            document.text[leaf.start : leaf.end].strip()
            for leaf in document.outline
            if leaf.kind in ("paragraph", "item") and node.start <= leaf.start < node.end
        ),
        "",
    )
    return CaseCard(
        document.id,
        document.title,
        node.case or 0,
        node.title,
        case_place(node.title, text) or document.metadata.place,
        theme_of(node.title, text),
        opening,
        len("".join(text.split())),
    )


def _render_card(card: CaseCard, lang: Lang) -> str:
    tags = [card.place] if card.place else []
    if card.theme >= 0:
        tags.append(THEMES[card.theme][0][lang])
    shown = "".join(f"<span>{escape(tag)}</span>" for tag in tags)
    where = f'data-document="{card.document_id}" data-case="{card.case}"'
    return (
        f'<li class="card"><p class="tags"><b>{escape(case_name(card.case, lang))}</b>{shown}</p>'
        f"<h2>{escape(card.title)}</h2>"
        f'<p class="opening">{escape(card.opening[:160])}</p>'
        f'<p class="acts"><button type="button" class="tb" data-do="read-case" {where}>'
        f"<span>{escape(say('read_case', lang))}</span></button>"
        f"{_ask_button(card.document_id, card.case, lang)}"
        f"<small>{escape(say('characters', lang, n=f'{card.n_chars:,}'))}</small></p></li>"
    )


def _ask_button(document: int, case: int, lang: Lang) -> str:
    return (
        f'<button type="button" class="tb" data-do="ask-case" data-document="{document}" '
        f'data-case="{case}">{icon("ask")}<span>{escape(say("ask_case", lang))}</span></button>'
    )


def _chips(
    name: str, label: str, options: Sequence[tuple[str, str]], chosen: str, lang: Lang
) -> str:
    every = [("", say("all", lang)), *options]
    buttons = "".join(
        f'<button type="button" data-do="filter" data-name="{name}" data-value="{escape(value)}" '
        f'aria-pressed="{"true" if value == chosen else "false"}">{escape(words)}</button>'
        for value, words in every
    )
    return (
        f'<div class="chips" role="group" aria-label="{escape(label)}"><span>{escape(label)}'
        f"</span><div>{buttons}</div></div>"
    )


def _theme_names(themes: Sequence[int], lang: Lang) -> list[tuple[str, str]]:
    return [(str(i), THEMES[i][0][lang]) for i in themes]


def _value(theme: int | None) -> str:
    return "" if theme is None else str(theme)


def _empty(words: str) -> str:
    return f'<p class="empty">{escape(words)}</p>'
