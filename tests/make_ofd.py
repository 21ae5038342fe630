"""Makes small OFD files (GB/T 33190) for the tests: paragraphs are set on A4 as a printer would."""

import io
import zipfile
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

LEFT, TOP, EM, PITCH = 28.0, 45.0, 5.6, 10.2  # mm; 三号 characters
PER_LINE, PER_PAGE = 27, 21
URI = "http://www.ofdspec.org/2016"
NO_START = "，。、；：！？）”》"


@dataclass(frozen=True)
class Text:
    """A line of text at a place, in mm."""

    text: str
    x: float
    y: float
    size: float = EM


def width(char: str) -> float:
    return 0.5 if char.isascii() else 1.0


def set_lines(text: str, first: float, limit: float) -> list[str]:
    """Break a paragraph into lines of `limit` em, the first one shorter by `first`."""
    lines, used = [""], first
    for char in text:
        if used + width(char) > limit and char not in NO_START:
            lines.append("")
            used = 0.0
        lines[-1] += char
        used += width(char)
    return lines


def notice_pages(
    title: str, paragraphs: list[str], right: tuple[str, ...] = ()
) -> list[list[Text]]:
    """A title in the middle, indented paragraphs, `right` lines at the right edge."""
    texts: list[Text] = []
    row = 0

    def put(text: str, x: float, size: float = EM) -> None:
        nonlocal row
        texts.append(Text(text, x, TOP + PITCH * row, size))
        row += 1

    for line in set_lines(title, 0, 19):
        em = 7.76
        middle = LEFT + PER_LINE * EM / 2
        put(line, middle - sum(map(width, line)) * em / 2, em)
    for text in paragraphs:
        if text in right:
            put(text, LEFT + (PER_LINE - 2 - sum(map(width, text))) * EM)
            continue
        first = 0.0 if text.endswith("：") and len(text) < 30 else 2.0
        for i, line in enumerate(set_lines(text, first, PER_LINE)):
            put(line, LEFT + (first * EM if i == 0 else 0))
    pages: list[list[Text]] = []
    for i, text in enumerate(texts):
        if i % PER_PAGE == 0:
            pages.append([])
        y = TOP + PITCH * (i % PER_PAGE)
        pages[-1].append(Text(text.text, text.x, y, text.size))
    return pages


def text_object(text: Text, number: int, prefix: str) -> str:
    steps = " ".join(f"{width(char) * text.size:g}" for char in text.text[:-1])
    if len(set(text.text)) > 1 and not any(char.isascii() for char in text.text):
        steps = f"g {len(text.text) - 1} {text.size:g}"
    deltas = f" DeltaX={quoteattr(steps)}" if steps else ""
    box = f"{text.x:g} {text.y - text.size:g} {len(text.text) * text.size:g} {text.size * 1.3:g}"
    return (
        f'<{prefix}TextObject ID="{number}" Boundary="{box}" Font="3" Size="{text.size:g}">'
        f'<{prefix}TextCode X="0" Y="{text.size:g}"{deltas}>{escape(text.text)}</{prefix}TextCode>'
        f"</{prefix}TextObject>"
    )


def pieces(text: Text, n: int) -> list[Text]:
    """One line as several texts of `n` characters, as writers that change fonts leave them."""
    found, x = [], text.x
    for start in range(0, len(text.text), n):
        piece = text.text[start : start + n]
        found.append(Text(piece, x, text.y, text.size))
        x += sum(map(width, piece)) * text.size
    return found


def rule_object(x0: float, y0: float, x1: float, y1: float, number: int, prefix: str) -> str:
    return (
        f'<{prefix}PathObject ID="{number}" Boundary="{x0:g} {y0:g} {x1 - x0:g} {y1 - y0:g}" '
        f'LineWidth="0.35"><{prefix}AbbreviatedData>M 0 0 L {x1 - x0:g} {y1 - y0:g}'
        f"</{prefix}AbbreviatedData></{prefix}PathObject>"
    )


def make_ofd(
    pages: list[list[Text]],
    *,
    prefix: str = "ofd:",
    split: int = 0,
    shuffled: bool = False,
    template: list[Text] | None = None,
    rules: list[tuple[float, float, float, float]] | None = None,
    title: str = "",
    author: str = "",
    parts: dict[str, bytes] | None = None,
) -> bytes:
    """The bytes of an OFD; `parts` replaces or adds files of the package."""
    space = f'xmlns{":" + prefix[:-1] if prefix else ""}="{URI}"'
    p = prefix

    def body(texts: list[Text], lines: list[tuple[float, float, float, float]]) -> str:
        texts = [piece for text in texts for piece in (pieces(text, split) if split else [text])]
        if shuffled:
            texts = texts[1::2] + texts[::2]
        drawn = [text_object(text, i + 10, p) for i, text in enumerate(texts)]
        drawn += [rule_object(*line, i + 5000, p) for i, line in enumerate(lines)]
        return f'<{p}Content><{p}Layer ID="5">{"".join(drawn)}</{p}Layer></{p}Content>'

    listed = "".join(
        f'<{p}Page ID="{i + 100}" BaseLoc="Pages/Page_{i}/Content.xml"/>' for i in range(len(pages))
    )
    used = f'<{p}Template TemplateID="2" ZOrder="Background"/>' if template else ""
    tpl = f'<{p}TemplatePage ID="2" BaseLoc="Tpls/Tpl_0/Content.xml"/>' if template else ""
    files = {
        "OFD.xml": f'<{p}OFD {space} DocType="OFD" Version="1.1"><{p}DocBody><{p}DocInfo>'
        f"<{p}DocID>0123456789abcdef0123456789abcdef</{p}DocID><{p}Title>{escape(title)}</{p}Title>"
        f"<{p}Author>{escape(author)}</{p}Author><{p}CreationDate>2024-05-20</{p}CreationDate>"
        f"</{p}DocInfo><{p}DocRoot>Doc_0/Document.xml</{p}DocRoot></{p}DocBody></{p}OFD>",
        "Doc_0/Document.xml": f"<{p}Document {space}><{p}CommonData><{p}MaxUnitID>9999</{p}MaxUnitID>"
        f"<{p}PageArea><{p}PhysicalBox>0 0 210 297</{p}PhysicalBox></{p}PageArea>{tpl}</{p}CommonData>"
        f"<{p}Pages>{listed}</{p}Pages></{p}Document>",
    }
    for i, texts in enumerate(pages):
        files[f"Doc_0/Pages/Page_{i}/Content.xml"] = (
            f"<{p}Page {space}>{used}{body(texts, rules or [])}</{p}Page>"
        )
    if template:
        files["Doc_0/Tpls/Tpl_0/Content.xml"] = f"<{p}Page {space}>{body(template, [])}</{p}Page>"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        head = '<?xml version="1.0" encoding="UTF-8"?>'
        for name, data in (
            {k: (head + v).encode() for k, v in files.items()} | (parts or {})
        ).items():
            archive.writestr(name, data)
    return packed.getvalue()


def partly_scanned_ofd(start: str = "") -> bytes:
    """Two pages, of which the second is a picture."""
    picture = b'<Page xmlns="x"><Content><Layer><ImageObject ID="7"/></Layer></Content></Page>'
    pages = [[Text(f"{start}各区要按照要求抓好落实。", LEFT, TOP)], []]
    return make_ofd(pages, parts={"Doc_0/Pages/Page_1/Content.xml": picture})
