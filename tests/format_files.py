"""Files of other formats for the tests, made by the programs that officials use."""

import shutil
import subprocess
from html import escape
from pathlib import Path

import docx
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.shared import Mm, Pt
from page_helpers import CHROMIUM

from corpus.outline import parse_outline

SOFFICE = shutil.which("soffice")

TITLE = "某某市人民政府办公室关于进一步加强城市内涝治理工作的通知"
NOTICE = [
    "某政办发〔2024〕15号",
    "各区人民政府，市政府各部门、各直属机构：",
    "为深入贯彻落实国务院办公厅关于加强城市内涝治理的实施意见，切实保障人民群众生命财产安全，经市政府同意，现就有关事项通知如下：",
    "一、总体要求",
    "坚持人民至上、生命至上，统筹城市防洪和内涝治理，到2025年基本形成“源头减排、管网排放、蓄排并举、超标应急”的城市排水防涝工程体系，历史上严重影响生产生活秩序的326处易涝积水点全面消除。",
    "二、重点任务",
    "（一）完善排水管网",
    "加快推进雨污分流改造，新建改造雨水管网1280.5公里，老旧小区改造时同步实施。各区要在2024年6月30日前完成排查，建立台账，逐项销号。",
    "1.开展管网普查。利用CCTV检测、GIS平台等技术手段，摸清管网底数，形成“一张图”。",
    "2.实施清淤疏浚。汛前完成一遍全面清淤，汛期每半月巡查一次。",
    "（二）提升应急能力",
    "健全预警、响应、处置联动机制。一是强化监测预警，提前12小时发布信息；二是强化物资储备，按照每万人不少于3台的标准配备移动泵车；三是强化值班值守，严格执行24小时值班制度。",
    "三、保障措施",
    "（一）加强组织领导",
    "市政府成立城市内涝治理工作领导小组，由分管副市长任组长，统筹协调解决重大问题。各区人民政府是责任主体，主要负责同志要亲自抓、负总责，确保各项任务落到实处、见到实效。",
    "（二）强化资金保障",
    "市财政每年安排专项资金5.2亿元，鼓励社会资本参与投资建设和运营管理。",
    "附件：1.重点任务分工表",
    "2.易涝积水点清单",
    "某某市人民政府办公室",
    "2024年5月20日",
]
RIGHT = NOTICE[-2:]


def notice_text() -> str:
    return "\n".join([TITLE, *NOTICE])


def page_html(body: str, css: str = "") -> str:
    return (
        "<meta charset=utf-8><style>@page{size:A4;margin:37mm 26mm 35mm 28mm}"
        "body{font:16pt/28.9pt 'Noto Serif CJK SC';margin:0}p{margin:0;text-indent:2em;text-align:justify}"
        f"h1{{font-size:22pt;line-height:1.5;text-align:center;font-weight:normal}}{css}</style>{body}"
    )


def notice_html(css: str = "", paragraphs: list[str] = NOTICE) -> str:
    lines = [f"<h1>{TITLE}</h1>"]
    for i, text in enumerate(paragraphs):
        style = "text-align:center;text-indent:0" if i == 0 else ""
        style = "text-indent:0" if i == 1 else style
        style = "text-align:right;padding-right:4em" if text in RIGHT else style
        lines.append(f'<p style="{style}">{escape(text)}</p>')
    return page_html("".join(lines), css)


def chromium_pdf(html: str, folder: Path, options: str = "--no-pdf-header-footer") -> bytes:
    source, target = folder / "page.html", folder / "page.pdf"
    source.write_text(html, "utf-8")
    subprocess.run(
        [
            *(str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
            *("--disable-background-networking", f"--user-data-dir={folder / 'profile'}", options),
            *(f"--print-to-pdf={target}", source.as_uri()),
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )
    return target.read_bytes()


def office_pdf(source: Path, filter_options: str = "") -> bytes:
    kind = f"pdf:writer_pdf_Export:{filter_options}" if filter_options else "pdf"
    subprocess.run(
        [
            *(str(SOFFICE), f"-env:UserInstallation={(source.parent / 'office').as_uri()}"),
            *("--headless", "--convert-to", kind, "--outdir", str(source.parent), str(source)),
        ],
        check=True,
        capture_output=True,
        timeout=180,
    )
    return source.with_suffix(".pdf").read_bytes()


def headings(found) -> list[tuple[str, str]]:
    """Labels and titles of the headings and items that the outline finds in an extracted text."""
    outline = parse_outline(found.text, found.headings, found.tables)
    kinds = ("chapter", "section", "subsection", "item")
    return [(node.label, node.title) for node in outline if node.kind in kinds]


def notice_docx(path: Path) -> Path:
    """The notice as a Word document of the usual shape, page numbers included."""
    document = docx.Document()
    section = document.sections[0]
    section.page_width, section.page_height = Mm(210), Mm(297)
    section.left_margin, section.right_margin = Mm(28), Mm(26)
    section.top_margin, section.bottom_margin = Mm(37), Mm(35)
    section.footer.paragraphs[0].text = "某某市人民政府办公室"
    section.footer.paragraphs[0].alignment = WD_ALIGN_PARAGRAPH.CENTER
    for i, text in enumerate([TITLE, *NOTICE]):
        paragraph = document.add_paragraph()
        run = paragraph.add_run(text)
        run.font.size = Pt(22 if i == 0 else 16)
        shape = paragraph.paragraph_format
        shape.space_after, shape.line_spacing = Pt(0), Pt(33 if i == 0 else 28.9)
        if i < 2:
            paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER
        elif text in RIGHT:
            paragraph.alignment = WD_ALIGN_PARAGRAPH.RIGHT
        else:
            paragraph.alignment = WD_ALIGN_PARAGRAPH.JUSTIFY
            shape.first_line_indent = Pt(0 if i == 2 else 32)
    document.save(str(path))
    return path
