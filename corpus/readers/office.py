"""Files of older office programs in, their text out: LibreOffice makes a .docx or .xlsx first.

.doc, .wps, .rtf and .odt, .xls, .et and .ods have no small reader of good quality; LibreOffice has,
and is on many desks. It runs once per file with a profile of its own that knows no macros and no
network.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from corpus.errors import CorpusError
from corpus.readers import word
from corpus.readers.building import Extracted

MAX_SECONDS = 45.0  # for one file; less than the sandbox allows, so that the profile is removed
# Nothing that a document links to is loaded, and no macro runs.
_PROFILE = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry">
<item oor:path="/org.openoffice.Office.Common/Security/Scripting">
<prop oor:name="MacroSecurityLevel" oor:op="fuse"><value>3</value></prop></item>
<item oor:path="/org.openoffice.Office.Common/Security/Scripting">
<prop oor:name="DisableMacrosExecution" oor:op="fuse"><value>true</value></prop></item>
<item oor:path="/org.openoffice.Office.Common/Security/Scripting">
<prop oor:name="BlockUntrustedRefererLinks" oor:op="fuse"><value>true</value></prop></item>
</oor:items>
"""


@dataclass(frozen=True, slots=True)
class Form:
    """What LibreOffice makes of a file."""

    source: str  # suffix of what it was; the content tells LibreOffice the kind
    suffix: str
    filter: str
    part: str  # of LibreOffice, which may not be installed
    program: str  # that saves as this form too


TEXT = Form(".doc", ".docx", "Office Open XML Text", "Writer", "Word")
WORKBOOK = Form(".xls", ".xlsx", "Calc MS Excel 2007 XML", "Calc", "Excel")


def read(name: str, data: bytes) -> Extracted:
    """Read a text that LibreOffice knows.

    Raises
    ------
    CorpusError
        If LibreOffice is not installed, or cannot read the file in time.
    """
    return word.read(name, converted(name, data, TEXT))


def converted(name: str, data: bytes, form: Form, *, kind: str = "") -> bytes:
    """A file in the form that its reader knows; `kind` is what LibreOffice calls what it is now.

    Raises
    ------
    CorpusError
        If LibreOffice is not installed, or cannot read the file in time.
    """
    program = _program()
    if program is None:
        raise CorpusError(
            f"无法读取 {name}：需要 LibreOffice，请安装它，"
            f"或用 {form.program}、WPS 另存为 {form.suffix}",
            f"cannot read {name}: LibreOffice is needed; install it, or save the file as "
            f"{form.suffix}",
        )
    told = [f"--infilter={kind}"] if kind else []
    with tempfile.TemporaryDirectory(prefix="zhengwen-", ignore_cleanup_errors=True) as folder:
        return _converted([program, *told], name, data, form, Path(folder))


def _program() -> str | None:
    """LibreOffice's own executable; the script before it would leave a child when it is killed."""
    found = shutil.which("soffice") or shutil.which("libreoffice")
    if found is None or sys.platform == "win32":
        return found
    own = Path(found).resolve().with_name("soffice.bin")
    return str(own) if own.exists() else found


def _converted(begun: list[str], name: str, data: bytes, form: Form, folder: Path) -> bytes:
    source, profile = folder / f"source{form.source}", folder / "profile"
    source.write_bytes(data)
    (profile / "user").mkdir(parents=True)
    (profile / "user" / "registrymodifications.xcu").write_text(_PROFILE, "utf-8")
    command = [
        *(*begun, f"-env:UserInstallation={profile.as_uri()}", "--headless", "--norestore"),
        *("--nolockcheck", "--convert-to", f"{form.suffix[1:]}:{form.filter}"),
        *("--outdir", str(folder), str(source)),
    ]
    try:
        # The first start makes the profile and ends with 81; a crash is worth one more.
        until = time.monotonic() + MAX_SECONDS
        for _ in range(3):
            left = max(0.0, until - time.monotonic())
            done = subprocess.run(
                command, capture_output=True, timeout=left, cwd=folder, check=False
            )
            if done.returncode == 0:
                break
        return source.with_suffix(form.suffix).read_bytes()
    except subprocess.TimeoutExpired as error:
        raise CorpusError(
            f"无法读取 {name}：LibreOffice 转换超过 {MAX_SECONDS:g} 秒，请另存为 {form.suffix}",
            f"cannot read {name}: LibreOffice took over {MAX_SECONDS:g} s; save as {form.suffix}",
        ) from error
    except OSError as error:
        raise CorpusError(
            f"无法读取 {name}：LibreOffice 无法打开，可能已加密、损坏，或未装 LibreOffice "
            f"{form.part}，请去除密码后另存为 {form.suffix}",
            f"cannot read {name}: LibreOffice cannot open it, or its {form.part} is not installed; "
            f"remove a password, save as {form.suffix}",
        ) from error
