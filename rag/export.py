"""An answer in, a file for officials out: Markdown, or .docx in the layout of official documents.

The layout follows GB/T 9704-2012: margins 37/35/28/26 mm, title 小标宋 二号, body 仿宋 三号 with
lines of 28.9 points, headings 黑体, page numbers with dashes. Fonts are named, not embedded. That
the text was generated stands in the text and in the file's properties.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from typing import TYPE_CHECKING, Any

from corpus.outline import chinese_numeral
from rag.english import is_english
from rag.types import UNSUPPORTED, Answer, Citation, Sentence

if TYPE_CHECKING:
    from docx.document import Document

LABEL = "本内容由人工智能辅助生成，重要事项请核对原文。"

TITLE_FONT, HEADING_FONT, BODY_FONT = "方正小标宋简体", "黑体", "仿宋_GB2312"
LATIN_FONT = "Times New Roman"
TITLE_PT, BODY_PT, NOTE_PT, PAGE_PT = 22.0, 16.0, 14.0, 14.0  # 二号, 三号, 四号
LINE_PT = 28.9
MARGINS_MM = (37, 35, 28, 26)  # top, bottom, left, right
WIDTH_MM, ROW_NAME_MM = 156, 24  # of the text; of the names of a table's rows

# Characters that XML 1.0 does not allow; python-docx raises on them.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_MARKDOWN = re.compile(r"([\\`*_\[\]<>#|~])")
_LINE_START = re.compile(r"^(\s*\d*)([-+.)=])", re.MULTILINE)  # lists, underlines


def to_markdown(answer: Answer, *more: Answer, title: str = "") -> str:
    """Answers with their sources as Markdown; what they quote is escaped.

    Several answers are a conversation: each has its question as a heading, and the sources of all
    are numbered through and stand at the end.
    """
    answers = _numbered(answer, *more)
    lines = [f"# {_escaped(title or self_contained(answer))}", ""]
    for answer in answers:
        if more:
            lines += [f"## {_escaped(self_contained(answer))}", ""]
        for kind, text, numbers in _blocks(answer):
            marks = "".join(f"[{n}]" for n in numbers)
            lines += [f"**{_escaped(text)}**" if kind == "group" else _escaped(text) + marks, ""]
        if answer.table:
            lines += [*_markdown_table(answer), ""]
        for note in _notes(answer):
            lines += [_escaped(note), ""]
    if sources := _sources(answers):
        lines += [f"## {_source_title(answers)}", ""]
        for citation in sources:
            lines += [f"[{citation.n}] {_escaped(place(citation))}", ""]
            lines += [*(f"> {_escaped(line)}" for line in citation.quote.splitlines()), ""]
    return "\n".join([*lines, "---", "", f"*{LABEL}*", ""])


def to_docx(answer: Answer, *more: Answer, title: str = "", made: datetime | None = None) -> bytes:
    """The same as a Word file in the layout of official documents."""
    import docx

    answers = _numbered(answer, *more)
    title = title or self_contained(answer)
    document = docx.Document()
    _lay_out(document)
    _describe(document, title, answer.answerer, made or datetime.now(UTC))
    _paragraph(document, title, TITLE_FONT, TITLE_PT, centred=True)
    _paragraph(document, "", BODY_FONT, BODY_PT)
    for number, part in enumerate(answers, 1):
        if more:
            heading = f"{chinese_numeral(number)}、{self_contained(part)}"
            _paragraph(document, heading, HEADING_FONT, BODY_PT, indent=2)
        _write(document, part)
    if sources := _sources(answers):
        _paragraph(document, _source_title(answers), HEADING_FONT, BODY_PT, indent=2)
        for citation in sources:
            text = f"[{citation.n}] {place(citation)}：“{' '.join(citation.quote.split())}”"
            _paragraph(document, text, BODY_FONT, NOTE_PT, indent=2)
    _paragraph(document, "", BODY_FONT, NOTE_PT)
    _paragraph(document, LABEL, BODY_FONT, NOTE_PT, indent=2)
    out = BytesIO()
    document.save(out)
    return out.getvalue()


def _write(document: "Document", answer: Answer) -> None:
    for kind, text, numbers in _blocks(answer):
        if kind == "group":
            _paragraph(document, text, HEADING_FONT, BODY_PT, indent=2)
        else:
            _paragraph(document, text, BODY_FONT, BODY_PT, indent=2, numbers=numbers)
    if answer.table:
        _table(document, answer)
    for note in _notes(answer):
        _paragraph(document, note, BODY_FONT, BODY_PT, indent=2)


def _numbered(*answers: Answer) -> tuple[Answer, ...]:
    """The answers with their citations numbered through."""
    shifted, before = [], 0
    for answer in answers:
        sentences = tuple(
            replace(s, citations=tuple(n + before for n in s.citations)) for s in answer.sentences
        )
        citations = tuple(replace(c, n=c.n + before) for c in answer.citations)
        shifted.append(replace(answer, sentences=sentences, citations=citations))
        before += 0 if answer.refused else len(citations)
    return tuple(shifted)


def place(citation: Citation) -> str:
    """Where a quote stands: document, case, section, page."""
    parts = [f"《{citation.document}》"]
    if citation.case is not None:
        parts.append(f"案例{chinese_numeral(citation.case)} {citation.case_title}".strip())
    if citation.section:
        parts.append(citation.section)
    if citation.page is not None:
        parts.append(f"第{citation.page}页")
    return "，".join(parts)


def self_contained(answer: Answer) -> str:
    """The question as it stands by itself; an English one was completed to mere keywords."""
    completed = "" if is_english(answer.question) else answer.completed_question
    return " ".join((completed or answer.question).split())


_Block = tuple[str, str, tuple[int, ...]]  # "group" or "text", words, citations


def _blocks(answer: Answer) -> Iterator[_Block]:
    """The text of the answer in order; sentences that stand in the table stay there."""
    if answer.refused or not answer.sentences:
        yield "text", answer.answer, ()
        return
    if answer.lead:
        yield "text", answer.lead, ()
    tabled = _tabled(answer)
    group = ""
    for i, sentence in enumerate(answer.sentences):
        if i in tabled:
            continue
        if sentence.group != group:
            group = sentence.group
            yield "group", group, ()
        yield "text", _words(sentence), sentence.citations


def _notes(answer: Answer) -> list[str]:
    """What follows the answer; a refusal says it itself."""
    return [] if answer.refused else [text for text in (answer.note, answer.notice) if text]


def _words(sentence: Sentence) -> str:
    failed = sentence.support is not None and not sentence.support.supported
    return " ".join(sentence.text.split()) + (UNSUPPORTED if failed else "")


def _tabled(answer: Answer) -> set[int]:
    if answer.table is None:
        return set()
    return {i for row in answer.table.cells for cell in row for i in cell}


def _sources(answers: Sequence[Answer]) -> tuple[Citation, ...]:
    """What the answers cite; what is nearest to the question of a single one that is refused."""
    if len(answers) == 1 and answers[0].refused:
        return answers[0].nearest
    return tuple(c for answer in answers if not answer.refused for c in answer.citations)


def _source_title(answers: Sequence[Answer]) -> str:
    only_near = len(answers) == 1 and answers[0].refused
    return "最接近的段落（不是对问题的回答）" if only_near else "资料来源"


def _escaped(text: str) -> str:
    text = _MARKDOWN.sub(r"\\\1", _UNPRINTABLE.sub("", text))
    return _LINE_START.sub(r"\1\\\2", text)


def _rows(answer: Answer, form: Callable[[str], str] = str) -> list[list[str]]:
    """The table's cells as text, headings first; `form` is applied to all but the citations."""
    table = answer.table
    assert table is not None

    def cell(indexes: tuple[int, ...]) -> str:
        sentences = [answer.sentences[i] for i in indexes]
        return "".join(form(_words(s)) + "".join(f"[{n}]" for n in s.citations) for s in sentences)

    rows = [["", *map(form, table.columns)]]
    return rows + [
        [form(name), *map(cell, row)] for name, row in zip(table.rows, table.cells, strict=True)
    ]


def _markdown_table(answer: Answer) -> list[str]:
    rows = _rows(answer, _escaped)
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return [lines[0], "|" + " --- |" * len(rows[0]), *lines[1:]]


def _lay_out(document: "Document") -> None:
    """Language, page, margins, page number."""
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.oxml.ns import qn
    from docx.shared import Mm

    # Without it, programs that lack the fonts choose glyphs of other regions.
    for language in document.styles.element.iter(qn("w:lang")):
        language.set(qn("w:eastAsia"), "zh-CN")
    section = document.sections[0]
    section.page_width, section.page_height = Mm(210), Mm(297)
    top, bottom, left, right = (Mm(mm) for mm in MARGINS_MM)
    section.top_margin, section.bottom_margin = top, bottom
    section.left_margin, section.right_margin = left, right
    section.footer_distance = Mm(28)
    footer = section.footer.paragraphs[0]
    footer.alignment = WD_ALIGN_PARAGRAPH.CENTER
    for text in ("— ", None, " —"):
        run = footer.add_run(text or "")
        _font(run, "宋体", PAGE_PT)
        if text is None:
            _page_field(run)


def _describe(document: "Document", title: str, answerer: str, made: datetime) -> None:
    """The file's own properties; Word shows them under 信息."""
    properties = document.core_properties
    properties.title = _UNPRINTABLE.sub("", title)[:255]
    properties.author = "政问"
    properties.subject = "案例问答"
    properties.keywords = "人工智能辅助生成"
    properties.category = "人工智能辅助生成"
    properties.comments = f"{LABEL}生成方式：{answerer}"[:255]
    properties.language = "zh-CN"
    properties.created = properties.modified = made.astimezone(UTC).replace(tzinfo=None)


def _paragraph(
    document: Any,  # noqa: ANN401  a document or a cell of python-docx, which has no types
    text: str,
    font: str,
    size: float,
    *,
    centred: bool = False,
    indent: int = 0,
    numbers: tuple[int, ...] = (),
) -> None:
    """Add one paragraph; `indent` counts characters, citations are set high."""
    from docx.enum.text import WD_ALIGN_PARAGRAPH, WD_LINE_SPACING
    from docx.oxml.ns import qn
    from docx.shared import Pt

    paragraph = document.add_paragraph()
    form = paragraph.paragraph_format
    form.space_before = form.space_after = Pt(0)
    form.line_spacing_rule, form.line_spacing = WD_LINE_SPACING.EXACTLY, Pt(LINE_PT)
    form.alignment = WD_ALIGN_PARAGRAPH.CENTER if centred else WD_ALIGN_PARAGRAPH.JUSTIFY
    if indent:
        # In characters as Word counts them, and in points for programs that do not know these.
        form.first_line_indent = Pt(indent * size)
        paragraph._p.get_or_add_pPr().get_or_add_ind().set(
            qn("w:firstLineChars"), str(indent * 100)
        )
    _font(paragraph.add_run(_UNPRINTABLE.sub("", text)), font, size)
    if numbers:
        run = paragraph.add_run("".join(f"[{n}]" for n in numbers))
        _font(run, font, size)
        run.font.superscript = True


def _font(run: Any, name: str, size: float) -> None:  # noqa: ANN401
    """Both fonts of a run: `font.name` alone leaves Chinese characters as they were."""
    from docx.oxml.ns import qn
    from docx.shared import Pt

    run.font.name = LATIN_FONT
    run.font.size = Pt(size)
    run._r.get_or_add_rPr().get_or_add_rFonts().set(qn("w:eastAsia"), name)


def _page_field(run: Any) -> None:  # noqa: ANN401
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    for kind in ("begin", None, "end"):
        element = OxmlElement("w:fldChar" if kind else "w:instrText")
        if kind:
            element.set(qn("w:fldCharType"), kind)
        else:
            element.text = "PAGE"
        run._r.append(element)


def _table(document: "Document", answer: Answer) -> None:
    """The comparison: narrow names of rows, headings again on every page."""
    from docx.oxml import OxmlElement
    from docx.shared import Mm

    rows = _rows(answer)
    table = document.add_table(len(rows), len(rows[0]))
    table.style, table.autofit = "Table Grid", False
    head = table.rows[0]._tr.get_or_add_trPr()
    head.append(OxmlElement("w:tblHeader"))
    width = (WIDTH_MM - ROW_NAME_MM) / max(1, len(rows[0]) - 1)
    for j, column in enumerate(table.columns):  # the grid, and every cell: programs differ
        column.width = Mm(width if j else ROW_NAME_MM)
    for i, row in enumerate(rows):
        for j, text in enumerate(row):
            cell = table.cell(i, j)
            font = HEADING_FONT if i == 0 or j == 0 else BODY_FONT
            _paragraph(cell, text, font, NOTE_PT)
            # A cell begins with an empty paragraph of its own.
            cell._tc.remove(cell.paragraphs[0]._p)
