"""Text in, its outline out: cases, chapters, sections, items, paragraphs, with exact offsets.

The text is read line by line into *blocks*, each of which opens a heading or is a leaf; a stack of
open headings then turns the blocks into a tree. The leaves tile the text: put together in order
they are the text, blanks included.

Official documents are regular but never clean, so every rule is about shape, not about wording:
a numbered heading may lack its 、 when its number is the one that must come next; `一是 …` items
are found inside a line as well as at its start; what stands before the first case belongs to none.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from corpus.sentences import sentence_spans
from corpus.types import Node, NodeKind

MAX_HEADING = 80  # characters; a longer numbered line is a paragraph that opens with its title

_NUMERAL = "一二三四五六七八九十百零〇两"
_CASE = re.compile(rf"[\s#]*(案\s?例\s?([{_NUMERAL}]+|\d{{1,4}}(?!\d)))\s*[:：、.．]?\s*")
_DIVISION = re.compile(
    rf"[\s#]*(第\s?(?:[{_NUMERAL}]+|\d{{1,6}})\s?([编篇章节条]|部分))(?=[\s:：、]|$)[\s:：、]*"
)
_SECTION = re.compile(rf"[\s#]*(([{_NUMERAL}]+)[、．.])\s*")
_BARE_SECTION = re.compile(rf"\s*(([{_NUMERAL}]+))(?=[^{_NUMERAL}是、\s])")
_SUBSECTION = re.compile(rf"[\s#]*([(（][{_NUMERAL}]+[)）])[、.．]?\s*")
_NUMBERED = re.compile(r"[\s#]*(\d{1,2}(?:[、．]|\.(?!\d)))\s*")
_BULLET = re.compile(r"\s*([(（]\d{1,2}[)）]|[①-⑳]|[-*•·●■◆]\s)\s*")
_ITEM = re.compile(rf"(?:(?<![^\n])|(?<=[。；;：:！!？?”]))\s*(([{_NUMERAL}]+)是)(?=\S)")
_MARKDOWN = re.compile(r"\s{0,3}(#{1,6})\s+")
_ANNEX = re.compile(r"[\s#]*(附\s?[件录表]\s?\d{0,2})\s*[:：]?\s*$")  # alone on its line
_ANSWER = re.compile(r"\s*(?:答|A)\s*[:：]")
_TRAILER = re.compile(r"\s*(?:责任编辑|责编|编辑|审核|校对|信息来源|文章来源|来源)\s*[:：]")
_CLOSING = re.compile(r"\s*(?:下一步|今后|未来|总之|总的来看|综上)")
_PLACE = re.compile(r"\s*([\u4e00-\u9fff]{2,6}?(?:自治区|自治州|省|市|县|区))")
_TERMINATED = re.compile(r"[。！？!?；;，,：:]\s*$")

_SENTENCE = re.compile(r"[。；]\s*$")
_TELLS = re.compile(r"[，；,;\d]")
_ENTRY = re.compile(r"[；;]\s*$|^.{30,}。\s*$")

# Ranks order headings from outer to inner; a heading closes all open ones of its rank or deeper.
_ANNEX_RANK = 18
_CASE_RANK, _SECTION_RANK, _SUBSECTION_RANK, _NUMBERED_RANK = 10, 40, 50, 60
_DIVISION_RANKS = {"编": 20, "篇": 20, "部分": 20, "章": 22, "节": 24, "条": 42}
_LEVEL_RANKS = (19, 26, 38, 48, 58, 62)  # Word, HTML and Markdown headings of level 1 to 6
_KINDS: tuple[tuple[int, NodeKind], ...] = (
    (_CASE_RANK, "case"),
    (29, "chapter"),
    (45, "section"),
    (99, "subsection"),
)


@dataclass(frozen=True, slots=True)
class _Block:
    """A stretch of text up to the next block: a leaf, and the heading that it opens, if any."""

    start: int
    leaf: NodeKind
    rank: int = 0  # of the heading it opens; 0 = none
    label: str = ""
    title: str = ""
    case: int | None = None


def parse_outline(
    text: str,
    headings: Sequence[tuple[int, int, int]] = (),
    rows: Sequence[tuple[int, int]] = (),
) -> tuple[Node, ...]:
    """Find the outline of `text`.

    Parameters
    ----------
    headings
        `(start, end, level)` of lines known to be headings of level 1 to 6 (Word, HTML); level 0 is
        the document's title, which opens nothing.
    rows
        `(start, end)` of lines that are rows of a table.

    Returns
    -------
    tuple of Node
        In document order, the root first; nodes without children tile `text`.
    """
    blocks = list(_blocks(text, {start: level for start, _, level in headings}, dict(rows)))
    return _tree(text, _closings(text, blocks))


def chinese_number(numeral: str) -> int:
    """`十四` → 14, `一百二十` → 120, `14` → 14; for labels, so up to 999."""
    if numeral.isdigit():
        return int(numeral)
    digits = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
    total, digit = 0, 0
    for char in numeral:
        if char in digits:
            digit = digits[char]
        else:
            total += (digit or 1) * {"十": 10, "百": 100}[char]
            digit = 0
    return total + digit


def chinese_numeral(number: int) -> str:
    """14 → `十四`, 20 → `二十`, 105 → `一百零五`; larger than 999 as digits."""
    if not 0 < number < 1000:
        return str(number)
    digits = "零一二三四五六七八九"
    hundreds, rest = divmod(number, 100)
    tens, ones = divmod(rest, 10)
    head = f"{digits[hundreds]}百" if hundreds else ""
    if tens:
        head += "十" if tens == 1 and not hundreds else f"{digits[tens]}十"
    elif hundreds and ones:
        head += "零"
    return head + (digits[ones] if ones else "")


def case_place(title: str, text: str) -> str:
    """The place a case is about: `广东省` for `广东省:…`, or for `广东…` if `text` has 广东省.

    Returns "" when the title opens with no place.
    """
    if found := _PLACE.match(title):
        return found[1]
    for length in (2, 3):
        for suffix in ("省", "市"):
            if len(title) > length and title[:length] + suffix in text:
                return title[:length] + suffix
    return ""


def _lines(text: str) -> Iterator[tuple[int, int]]:
    """Offsets of the lines that are not blank, without their line breaks."""
    start = 0
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        if not text[start:end].isspace() and start < end:
            yield start, end
        start = end + 1


def _blocks(text: str, levels: dict[int, int], rows: dict[int, int]) -> Iterator[_Block]:
    lines = list(_lines(text))
    has_cases = any(_case_heading(text[a:b]) for a, b in lines)
    trailer = _trailer_start(text, lines)
    case: int | None = None
    awaits_title = False
    section = 0  # number of the last section, to know a bare "二…" as the next one
    known: list[tuple[int, int]] = []  # (level, rank) of the open headings whose level is known
    for a, b in lines:
        line = text[a:b]
        if a >= trailer:
            yield _Block(a, "trailer")
        elif awaits_title:
            # The title line belongs to the heading that the line 案例N has opened.
            awaits_title = False
            yield _Block(a, "heading", case=case, title=_squeeze(line))
        elif found := _case_heading(line):
            case, section = chinese_number(found[2]), 0
            known.clear()
            title = _squeeze(line[found.end() :])
            awaits_title = not title
            yield _Block(a, "heading", _CASE_RANK, found[1], title, case)
        elif has_cases and case is None:
            yield _Block(a, "preface")
        elif a in rows or levels.get(a) == 0:  # 0: the document's title
            yield _Block(a, "row" if a in rows else "heading")
        else:
            level = levels.get(a, 0) or _shown_level(line, text[b : b + MAX_HEADING])
            for block in _line_blocks(text, a, b, level, section):
                block = _ranked(block, level, known)
                if block.rank == _SECTION_RANK:
                    section = chinese_number(block.label.rstrip("、．."))
                elif 0 < block.rank < _SECTION_RANK:
                    section = 0
                yield block


def _shown_level(line: str, following: str) -> int:
    """The level that Markdown marks show, or that a question has above its answer; 0 = none."""
    if found := _MARKDOWN.match(line):
        return len(found[1])
    return 6 if _ANSWER.match(following) and not _ANSWER.match(line) else 0


def _ranked(block: _Block, level: int, known: list[tuple[int, int]]) -> _Block:
    """A heading of a known level, ranked below those of lesser and beside those of the same level.

    A label ranks by its kind, so that headings of known and of unknown level fit together; but
    an unlabelled heading 2 after "一、" of level 1 must not close that section.
    """
    if not level or not block.rank:
        return block
    rank = block.rank
    while known and known[-1][0] >= level:
        beside = known.pop()
        rank = min(rank, beside[1]) if beside[0] == level else rank
    rank = max(rank, known[-1][1] + 1) if known else rank
    known.append((level, rank))
    return replace(block, rank=rank)


def _case_heading(line: str) -> re.Match[str] | None:
    found = _CASE.match(line)
    rest = line[found.end() :] if found else ""
    if not found or len(rest) > MAX_HEADING or rest.rstrip().endswith(("。", "；", ";")):
        return None
    return found


def _trailer_start(text: str, lines: list[tuple[int, int]]) -> int:
    start = len(text)
    for a, b in reversed(lines):
        if not _TRAILER.match(text[a:b]) or b - a > MAX_HEADING:
            break
        start = a
    return start


def _line_blocks(text: str, a: int, b: int, level: int, section: int) -> Iterator[_Block]:
    """The blocks of one line: perhaps a heading, then items or a paragraph."""
    line = text[a:b]
    label, content, rank = _heading_label(line, section)
    if not rank and level:
        rank = _LEVEL_RANKS[min(level, 6) - 1]
        content = found.end() if (found := _MARKDOWN.match(line)) else 0
    if not rank:
        yield from _content_blocks(text, a, a, b)
        return
    if label.endswith("条"):  # 第X条 stands before its text on the same line and has no title
        yield _Block(a, "paragraph", rank, label)
        return
    body = a + content
    first_end = sentence_spans(text, body, b)[0][1] if text[body:b].strip() else b
    one_sentence = not text[first_end:b].strip()
    entry = rank >= _NUMBERED_RANK and _TERMINATED.search(line)
    entry = entry or (rank >= _SUBSECTION_RANK and _ENTRY.search(line))
    if one_sentence and entry and not level:
        # "1.…。" or "(一)…;" is an entry of a list with its own text, not a heading above others.
        yield _Block(a, "item", 0, label, _item_title(text, body, b))
        return
    if one_sentence and first_end - body > MAX_HEADING:
        yield _Block(a, "item", 0, label, _item_title(text, body, b))
        return
    title = _squeeze(text[body:first_end]).rstrip("。:：")
    rest = [] if one_sentence else list(_content_blocks(text, first_end, first_end, b))
    told = _SENTENCE.search(text[body:first_end])
    if told and (one_sentence or _TELLS.search(title)):
        # "一、禁火期为10月1日至次年4月30日。" says something, so it is text as well as a heading.
        yield _Block(a, "paragraph", rank, label, title)
        rest = rest[1:] if rest and rest[0].leaf == "paragraph" else rest
    else:
        yield _Block(a, "heading", rank, label, title)
    yield from rest


def _heading_label(line: str, section: int) -> tuple[str, int, int]:
    """`(label, where the text after it begins, rank)` of a numbered line; rank 0 = none."""
    if found := _DIVISION.match(line):
        return found[1], found.end(), _DIVISION_RANKS[found[2]]
    if found := _ANNEX.match(line):
        return found[1], found.end(), _ANNEX_RANK
    if found := _SECTION.match(line):
        return found[1], found.end(), _SECTION_RANK
    if found := _SUBSECTION.match(line):
        return found[1], found.end(), _SUBSECTION_RANK
    if found := _NUMBERED.match(line):
        return found[1], found.end(), _NUMBERED_RANK
    found = _BARE_SECTION.match(line)
    if (
        found
        and chinese_number(found[2]) == section + 1
        and len(line.strip()) <= MAX_HEADING // 2
        and not _TERMINATED.search(line)
    ):
        return found[1], found.end(), _SECTION_RANK
    return "", 0, 0


def _content_blocks(text: str, start: int, a: int, b: int) -> Iterator[_Block]:
    """The items of `text[a:b]`, or one paragraph; the first block begins at `start`."""
    if found := _BULLET.match(text, a, b):
        label = found[1].strip()
        yield _Block(start, "item", 0, label, _item_title(text, found.end(), b))
        return
    expected = 0
    marks: list[re.Match[str]] = []
    for found in _ITEM.finditer(text, a, b):
        number = chinese_number(found[2])
        # At the start of a line any number may open (its series began on an earlier line).
        if number == expected + 1 or (not marks and not text[a : found.start()].strip()):
            marks.append(found)
            expected = number
    opens_line = bool(marks) and not text[a : marks[0].start()].strip()
    if len(marks) == 1 and not opens_line:
        marks = []  # a single "一是" in running text is no list
    if not opens_line:
        yield _Block(start, "paragraph")
    for i, mark in enumerate(marks):
        block_start = start if opens_line and i == 0 else mark.start(1)
        yield _Block(block_start, "item", 0, mark[1], _mark_title(text, marks, i, b))


def _mark_title(text: str, marks: list[re.Match[str]], i: int, end: int) -> str:
    return _item_title(text, marks[i].end(), marks[i + 1].start() if i + 1 < len(marks) else end)


def _item_title(text: str, start: int, end: int) -> str:
    spans = sentence_spans(text, start, end)
    return _squeeze(text[spans[0][0] : spans[0][1]]).rstrip("。") if spans else ""


def _squeeze(text: str) -> str:
    """One line without surrounding or doubled blanks (NBSP and full-width blanks included)."""
    return " ".join(text.replace("#", " ").split())


def _closings(text: str, blocks: list[_Block]) -> list[_Block]:
    """Give the closing paragraph of every case to the case instead of to its last section.

    A closing stands last in its case, after other text of the section, and either looks ahead
    (下一步, …) or opens again with the place that the case's title opens with.
    """
    out = list(blocks)
    ends = [
        i for i, block in enumerate(blocks) if block.rank == _CASE_RANK or block.leaf == "trailer"
    ]
    for start, end in pairwise([*ends, len(blocks)]):
        last = end - 1
        if blocks[start].rank != _CASE_RANK or blocks[last].leaf != "paragraph":
            continue
        if last <= start or blocks[last].rank or blocks[last - 1].leaf == "heading":
            continue
        a = blocks[last].start
        title = blocks[start].title or (blocks[start + 1].title if start + 1 < end else "")
        place = case_place(title, "")
        opening = text[a : a + 40]
        if _CLOSING.match(opening) or (place and opening.strip().startswith(place)):
            # rank -1: closes everything below the case, opens nothing.
            out[last] = _Block(a, "paragraph", -1)
    return out


@dataclass(slots=True)
class _Open:
    id: int
    rank: int


def _tree(text: str, blocks: list[_Block]) -> tuple[Node, ...]:
    drafts: list[list[object]] = []  # [parent, kind, label, title, start, end, case]

    def add(parent: int | None, kind: NodeKind, block: _Block, case: int | None) -> int:
        drafts.append([parent, kind, block.label, block.title, block.start, block.start, case])
        return len(drafts) - 1

    root = _Block(0, "paragraph")
    stack = [_Open(add(None, "document", root, None), 0)]
    case: int | None = None
    for i, block in enumerate(blocks):
        if i == 0:
            block = _Block(0, block.leaf, block.rank, block.label, block.title, block.case)
        closes_to = {-1: _CASE_RANK + 1}.get(block.rank, block.rank or 99)
        if block.leaf == "trailer":
            closes_to, case = 1, None
        while stack[-1].rank >= closes_to:
            stack.pop()
        if block.case is not None and block.rank:
            case = block.case
        if block.rank > 0:
            kind = next(kind for top, kind in _KINDS if block.rank <= top)
            stack.append(_Open(add(stack[-1].id, kind, block, case), block.rank))
        elif block.case is not None and not drafts[stack[-1].id][3]:
            drafts[stack[-1].id][3] = block.title  # the title on the line after 案例N
        leaf = add(stack[-1].id, block.leaf, block, case)
        end = blocks[i + 1].start if i + 1 < len(blocks) else len(text)
        drafts[leaf][5] = end
        for open_node in stack:
            drafts[open_node.id][5] = end
    drafts[0][5] = len(text)
    return tuple(Node(i, *draft) for i, draft in enumerate(drafts))  # type: ignore[arg-type]


def leaves(outline: Sequence[Node]) -> list[Node]:
    """The nodes without children, in document order; their spans tile the text."""
    parents = {node.parent for node in outline}
    return [node for node in outline if node.id not in parents]


def path(outline: Sequence[Node], node: Node) -> list[Node]:
    """The nodes from below the root down to `node`, itself included."""
    found: list[Node] = []
    current: Node | None = node
    while current is not None and current.parent is not None:
        found.append(current)
        current = outline[current.parent]
    return found[::-1]
