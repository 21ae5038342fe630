"""What the browser sees of the service: its start, its end, its queue, its headers."""

import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import closing

import pytest
from model_folders import turned_model
from page_helpers import DESK, FACT, ROOT, WAIT_MS, ask, serving

from corpus.store import FILE_NAME, Store
from embeddings.encoder import load_encoder

pytestmark = pytest.mark.browser


def test_responses_carry_the_policy_and_other_sites_are_refused(address):
    with urllib.request.urlopen(address) as response:
        assert "default-src 'self'" in response.headers["content-security-policy"]
        assert response.headers["x-content-type-options"] == "nosniff"
    for path in ("/openapi.json", "/docs", "/redoc"):
        assert status(address + path) == 404
    assert status(address + "/gradio_api/upload", b"x", {"Sec-Fetch-Site": "cross-site"}) == 403
    assert status(address, None, {"Host": "evil.example"}) == 403


def status(url, data=None, headers=None):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers or {})) as response:
            return response.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_first_start_shows_progress_and_a_dead_service_is_told(browser, tmp_path):
    with serving(tmp_path, "slow") as (server, at):
        page = browser.new_page(locale="zh-CN")
        page.set_default_timeout(WAIT_MS)
        page.goto(at)
        page.wait_for_selector("progress[aria-label='正在打开']")
        page.wait_for_selector(".welcome")  # opens by itself
        page.fill("#question", FACT)
        page.press("#question", "Enter")
        page.wait_for_selector(".turn.live .progress")
        server.kill()
        page.wait_for_selector(".toast.show:has-text('连接中断')")
        page.wait_for_selector("#zw:not(.running)")
        page.close()


def test_a_running_page_takes_up_the_model_of_a_rebuild(browser, tmp_path):
    home, turned = tmp_path / "home", turned_model(tmp_path / "turned")
    with serving(tmp_path, home) as (_, at):
        page = browser.new_page(viewport=DESK, locale="zh-CN")
        page.set_default_timeout(WAIT_MS)
        page.goto(at)
        page.wait_for_selector(".welcome")
        before = ask(page, FACT).locator(".s").all_inner_texts()
        command = [sys.executable, "-m", "ui.cli", "--home", str(home), "rebuild", "--model"]
        with subprocess.Popen([*command, str(turned)], cwd=ROOT) as rebuild:
            while rebuild.poll() is None:
                assert ask(page, FACT).locator(".s").all_inner_texts() == before
        assert rebuild.returncode == 0
        with closing(Store(home / FILE_NAME)) as store:  # the page drops what it used last
            until = time.monotonic() + 60
            while len(store.vectors(load_encoder().fingerprint)[0]):
                assert time.monotonic() < until
                time.sleep(0.1)
        assert ask(page, FACT).locator(".s").all_inner_texts() == before
        page.close()


def test_questions_in_line_are_told_how_many_are_ahead(browser, tmp_path):
    with serving(tmp_path, "slow") as (_, at):
        pages = [browser.new_page(locale="zh-CN") for _ in range(4)]
        for page in pages:
            page.set_default_timeout(WAIT_MS)
            page.goto(at)
        for page in pages:
            page.wait_for_selector(".welcome")
            page.fill("#question", FACT)
            page.press("#question", "Enter")
        pages[-1].wait_for_selector(".progress:has-text('前面还有')")
        for page in pages:
            page.keyboard.press("Escape")
            page.wait_for_selector("text=已停止")
            page.close()


def test_an_answer_comes_although_the_language_changes_meanwhile(browser, tmp_path):
    with serving(tmp_path, "slow") as (_, at):
        page = browser.new_page(viewport=DESK, locale="zh-CN")
        page.set_default_timeout(WAIT_MS)
        errors = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(at)
        page.wait_for_selector(".welcome")
        page.fill("#question", FACT)
        page.press("#question", "Enter")
        page.wait_for_selector(".turn.live .progress")
        page.click(".switch")
        page.wait_for_selector("text=New conversation")
        page.wait_for_selector(".turn[data-question]")
        assert page.locator(".list li").count() == 1
        assert not errors
        page.close()
