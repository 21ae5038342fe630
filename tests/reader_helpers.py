"""Files in the shapes that offices send: the same notice in four formats, forms, annexes."""

import io
import shutil
import subprocess
import zipfile
from pathlib import Path

import docx
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls

W = nsdecls("w")
SENTENCE = "关于进一步优化营商环境的通知，自2023年起施行。"
NOTICE = [
    ("letterhead", "南江市人民政府办公室文件"),
    ("number", "南府办〔2023〕5号"),
    ("title", "南江市人民政府办公室关于印发优化营商环境行动方案的通知"),
    ("text", "各县（市、区）人民政府，市政府各部门："),
    ("text", "《行动方案》已经市政府同意，现印发给你们，请认真贯彻执行。"),
    ("1", "一、总体要求"),
    ("text", "坚持问题导向，全面提升服务水平。"),
    ("1", "二、主要任务"),
    ("2", "（一）压缩办理时限"),
    ("text", "企业开办时间压缩至1个工作日以内。"),
    ("2", "（二）减少申请材料"),
    ("text", "一是免提交身份证。二是免提交营业执照。"),
    ("1", "三、保障措施"),
    ("text", "市发展改革局要加强统筹协调。"),
    ("text", "南江市人民政府办公室"),
    ("text", "2023年5月6日"),
]


def as_text() -> bytes:
    return "\r\n".join(f"  {line}" for _, line in NOTICE).encode("gb18030")


def as_markdown() -> bytes:
    marks = {"title": "# ", "1": "## ", "2": "### "}
    return "\n\n".join(marks.get(kind, "") + line for kind, line in NOTICE).encode()


def as_html(charset: str = "utf-8") -> bytes:
    tags = {"title": "h1", "1": "h2", "2": "h3"}
    body = "".join(
        f"<{tags.get(kind, 'p')}>{line}</{tags.get(kind, 'p')}>" for kind, line in NOTICE
    )
    page = (
        f'<!DOCTYPE html><html><head><meta charset="{charset}"><title>{NOTICE[2][1]}_南江市政府网'
        f"</title><script>var a='一、脚本'</script></head><body><nav><a>首页</a></nav>{body}</body></html>"
    )
    return page.encode(charset)


def as_docx() -> bytes:
    document = docx.Document()
    for kind, line in NOTICE:
        if kind == "title":
            document.add_paragraph(line, style="Title")
        elif kind.isdigit():
            document.add_heading(line, int(kind))
        else:
            document.add_paragraph(line)
    document.sections[0].header.paragraphs[0].text = "页眉不算正文"
    return saved(document)


def saved(document) -> bytes:
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def word(*body: str) -> bytes:
    """A .docx whose body is the given XML."""
    document = docx.Document()
    for xml in body:
        element = parse_xml(xml.replace(" W>", f" {W}>", 1).replace("<w:p>", f"<w:p {W}>", 1))
        document.element.body.insert(len(document.element.body) - 1, element)
    return saved(document)


def changed_part(data: bytes, part: str, change) -> bytes:
    """The package with one part changed or added."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        names = old.namelist()
        for name in [*names, *([] if part in names else [part])]:
            content = old.read(name) if name in names else b""
            new.writestr(name, change(content) if name == part else content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def numbered(levels: list[tuple[str, str]], paragraphs: list[tuple[int, str]], extra="") -> bytes:
    """A .docx with a list: `(numFmt, lvlText)` of each level, `(level, text)` of each paragraph."""
    document = docx.Document()
    root = document.part.numbering_part.element
    shown = "".join(
        f'<w:lvl w:ilvl="{i}"><w:start w:val="1"/><w:numFmt w:val="{kind}"/>{extra}'
        f'<w:lvlText w:val="{text}"/></w:lvl>'
        for i, (kind, text) in enumerate(levels)
    )
    root.insert(0, parse_xml(f'<w:abstractNum {W} w:abstractNumId="90">{shown}</w:abstractNum>'))
    root.append(parse_xml(f'<w:num {W} w:numId="90"><w:abstractNumId w:val="90"/></w:num>'))
    for level, text in paragraphs:
        paragraph = document.add_paragraph(text)
        paragraph._p.get_or_add_pPr().append(
            parse_xml(f'<w:numPr {W}><w:ilvl w:val="{level}"/><w:numId w:val="90"/></w:numPr>')
        )
    return saved(document)


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def converted(data: bytes, suffix: str, folder: Path, *, of: str = "docx") -> bytes:
    """A .docx, or what `of` says, as LibreOffice writes it in another format."""
    (folder / f"a.{of}").write_bytes(data)
    profile = (folder / "profile").as_uri()
    subprocess.run(
        [shutil.which("soffice"), f"-env:UserInstallation={profile}", "--headless",
         "--convert-to", suffix, "--outdir", str(folder), str(folder / f"a.{of}")],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    return (folder / f"a.{suffix}").read_bytes()
