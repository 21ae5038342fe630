"""Helpers of the browser tests: a server process, what is done in the page again and again."""

import os
import shutil
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)

ROOT = Path(__file__).parent.parent
DESK, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
EVIL = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'
WAIT_MS = 45_000
HOME = os.environ.get("ZHENGWEN_PAGE_HOME", "")  # "fake" = no index, no model

FACT = "广州税费争议调解机构有几个，配备多少名调解员？"
ABSENT = "汕头市最低工资标准是多少？"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def serving(folder, home, watch=None):
    """A server process and its address."""
    command = [sys.executable, str(ROOT / "tests/page_server.py"), str(free_port()), str(home)]
    command += [str(watch)] if watch else []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder) as server:
        try:
            yield server, server.stdout.readline().strip()
        finally:
            server.terminate()
            server.wait(30)


def ask(page, question):
    before = page.locator(".turn[data-question]").count()
    page.fill("#question", question)
    page.press("#question", "Enter")
    page.wait_for_function(
        "n => document.querySelectorAll('.turn[data-question]').length > n"
        " && !document.querySelector('#zw.running')",
        arg=before,
    )
    return page.locator(".turn").last


def in_view(page, selector):
    """Whether the first match lies within the visible part of its scrolling box and window."""
    return page.eval_on_selector(
        selector,
        """e => {
        const r = e.getBoundingClientRect(), b = e.closest('.text').getBoundingClientRect();
        return r.top >= b.top && r.top < b.bottom && r.left >= 0 && r.right <= innerWidth; }""",
    )
