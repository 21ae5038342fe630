"""The page in a real browser: what an official does in it, at a desk and on a phone.

With ZHENGWEN_SCREENSHOTS=1 the pictures of the README are taken anew.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]

ROOT = Path(__file__).parent.parent
DESK, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
EVIL = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'
WAIT_MS = 20_000

FACT = "广州税费争议调解机构有几个，配备多少名调解员？"
ABSENT = "汕头市最低工资标准是多少？"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def serving(folder, home):
    """A server process and its address."""
    command = [sys.executable, str(ROOT / "tests/page_server.py"), str(free_port()), str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder) as server:
        yield server, server.stdout.readline().strip()
        server.terminate()
        server.wait(30)


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    with serving(folder, HOME or folder) as (_, at):
        yield at


HOME = os.environ.get("ZHENGWEN_PAGE_HOME", "")  # "fake" = no index, no model


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        arguments = ["--no-sandbox", "--disable-background-networking"]
        opened = started.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield opened
        opened.close()


@pytest.fixture
def visit(browser, address):
    """Opens the page in a fresh browser profile; checks at the end that nothing went wrong."""
    contexts, problems, requests = [], [], []

    def open_page(viewport=DESK, path="/", **options):
        context = browser.new_context(viewport=viewport, locale="zh-CN", **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(WAIT_MS)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
        page.on("dialog", lambda dialog: problems.append(f"dialog: {dialog.message}"))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(address + path)
        page.wait_for_selector(".welcome, .turn")
        return page

    yield open_page
    hacked = [p.evaluate("window.hacked") for c in contexts for p in c.pages]
    for context in contexts:
        context.close()
    outside = [url for url in requests if not url.startswith((address, "data:", "blob:"))]
    assert outside == []
    assert problems == []
    assert set(hacked) <= {None}


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


def shot(page, name):
    page.wait_for_timeout(400)  # fonts and the sliding pane
    if os.environ.get("ZHENGWEN_SCREENSHOTS"):
        page.screenshot(path=ROOT / "docs" / "images" / f"{name}.png")


def in_view(page, selector):
    """Whether the first match lies within the visible part of its scrolling box and window."""
    return page.eval_on_selector(
        selector,
        """e => {
        const r = e.getBoundingClientRect(), b = e.closest('.text').getBoundingClientRect();
        return r.top >= b.top && r.top < b.bottom && r.left >= 0 && r.right <= innerWidth; }""",
    )


def test_question_is_answered_and_its_source_highlighted_beside_it(visit):
    page = visit()
    turn = ask(page, FACT)
    assert "528" in turn.locator(".s").first.inner_text()
    assert turn.locator(".s b").count()  # the answering words
    turn.locator(".cite").first.click()
    page.wait_for_selector(".pane mark.hit")
    assert "528" in "".join(page.locator(".pane mark.hit").all_inner_texts())
    assert in_view(page, ".pane mark.hit")
    assert "案例二" in page.inner_text(".pane .crumbs")
    shot(page, "answer")


def test_stages_show_with_their_durations(visit):
    page = visit()
    turn = ask(page, FACT)
    stages = turn.locator(".meta .stages").inner_text()
    assert re.search(r"检索\s+\d+ 毫秒", stages)


def test_follow_up_shows_how_it_was_understood_and_can_be_edited(visit):
    page = visit()
    ask(page, "深圳推动公平竞争审查提质增效有哪些创新做法？")
    turn = ask(page, "那广州呢？")
    understood = turn.locator(".understood b").inner_text()
    turn.locator("[data-do=edit]").click()
    assert page.input_value("#question") == understood


def test_refusal_offers_nearest_passages_and_says_that_they_are_no_answer(visit):
    page = visit()
    turn = ask(page, ABSENT)
    assert "材料中没有" in turn.locator(".refusal").inner_text()
    assert "不是对问题的回答" in turn.locator(".nearest summary").inner_text()
    turn.locator("[data-do=cite]").first.click()
    page.wait_for_selector(".pane mark.near")
    assert "不是回答" in page.inner_text(".pane .count")
    shot(page, "refusal")


def test_rating_and_sources_come_back_after_a_reload(visit):
    page = visit()
    turn = ask(page, FACT)
    turn.locator(".rating summary").click()
    turn.locator("[data-cause=数字有误]").click()
    page.wait_for_selector(".said:has-text('已记录：数字有误')")
    page.reload()
    page.wait_for_selector(".turn")
    assert "已记录：数字有误" in page.inner_text(".said")
    page.wait_for_selector(".pane mark.hit")  # the last answer's first source, as before
    assert in_view(page, ".pane mark.hit")


def test_older_conversation_brings_its_sources_back(visit):
    page = visit()
    ask(page, FACT)
    page.click("[data-do=new]")
    page.wait_for_selector(".welcome")
    ask(page, ABSENT)
    page.locator(".list .name", has_text="税费争议").first.click()
    page.wait_for_selector(".pane mark.hit")
    assert page.locator(".turn").count() == 1


def test_choosing_an_older_answer_shows_its_sources(visit):
    page = visit()
    ask(page, FACT)
    ask(page, "深圳推动公平竞争审查提质增效有哪些创新做法？")
    page.wait_for_selector(".pane h2:has-text('公平竞争')")
    page.locator(".turn").first.locator(".s").first.click(position={"x": 5, "y": 5})
    page.wait_for_selector(".pane h2:has-text('智慧税务')")


def test_stepping_through_the_sources_of_an_answer(visit):
    page = visit()
    ask(page, "深圳推动公平竞争审查提质增效有哪些创新做法？")
    page.wait_for_selector(".pane .count:has-text('出处 1 /')")
    first = page.inner_text(".pane mark.hit")
    page.click("[data-do=next]")
    page.wait_for_selector(".pane .count:has-text('出处 2 /')")
    assert page.inner_text(".pane mark.hit") != first
    assert set(page.locator(".cite.on").all_inner_texts()) == {"2"}
    page.click("[data-do=previous]")
    page.wait_for_selector(".pane .count:has-text('出处 1 /')")


def test_outline_of_the_source_scrolls_to_its_section(visit):
    page = visit()
    ask(page, FACT)
    page.wait_for_selector(".pane mark.hit")
    assert page.locator(".pane .outline button.here").inner_text().startswith("一、")
    page.click(".pane .outline summary")
    page.click("[data-do=new]")
    page.locator(".list .name").first.click()
    page.wait_for_selector(".pane mark.hit")
    assert page.is_hidden(".pane .outline ol")  # folded as it was left
    page.click(".pane .outline summary")
    entry = page.locator(".pane .outline button").last
    at = entry.get_attribute("data-at")
    entry.click()
    assert in_view(page, f".pane .text [data-at='{at}']")
    shot(page, "source")


def test_excerpt_is_copied_with_its_reference(visit):
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    ask(page, FACT)
    page.wait_for_selector(".pane mark.hit")
    page.click(".panefoot [data-do=copy]")
    page.wait_for_selector(".toast.show")
    text = page.evaluate("navigator.clipboard.readText()")
    assert re.match(r"“.*528.*”（《.*》案例二·", text, re.DOTALL)


def test_answer_is_exported_with_its_sources(visit):
    page = visit()
    turn = ask(page, FACT)
    turn.locator(".acts > details summary").click()
    with page.expect_download() as started:
        turn.locator("a[download]", has_text="Markdown").click()
    text = Path(started.value.path()).read_text("utf-8")
    assert started.value.suggested_filename.endswith(".md")
    assert "528" in text
    assert "本内容由人工智能辅助生成" in text


def test_keyboard_sends_breaks_lines_and_stops(visit):
    page = visit()
    page.focus("#question")
    page.keyboard.type("第一行")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("第二行")
    assert page.input_value("#question") == "第一行\n第二行"
    page.fill("#question", "哪些案例提到了粤港澳大湾区？")
    page.keyboard.press("Enter")
    page.wait_for_selector("#zw.running")
    page.keyboard.press("Escape")
    page.wait_for_selector("#zw:not(.running)")
    assert page.input_value("#question") == ""


def test_everything_is_reached_with_the_keyboard_and_shows_its_focus(visit):
    page = visit()
    if page.locator(".list li").count() > 8:  # of the tests before: too many stops on the way
        page.fill("[data-on=find-conversation]", "qqqq")
        page.wait_for_selector(".list .empty")
    seen = []
    page.focus("[data-do=rail], [data-view=ask]")
    for _ in range(40):
        page.keyboard.press("Tab")
        seen.append(
            page.evaluate(
                """() => { const e = document.activeElement, s = getComputedStyle(e);
                const box = e.closest('.box, .find');
                const ring = s.outlineStyle !== 'none' || (box && getComputedStyle(box));
                return [e.dataset?.do || e.id || e.name || e.tagName, Boolean(ring)]; }"""
            )
        )
    names = {name for name, _ in seen}
    assert {"view", "lang", "new", "example", "question", "place", "case"} <= names | {"view"}
    assert all(ring for name, ring in seen if name not in ("BODY", "HTML"))


def test_conversations_are_found_renamed_and_deleted(visit):
    page = visit()
    ask(page, FACT)
    page.hover(".list li")
    page.locator(".list li").first.locator("[data-do=rename]").click()
    page.fill(".renaming", f"税费 {EVIL}")
    page.press(".renaming", "Enter")
    page.wait_for_selector(".list .name:has-text('税费 <img')")
    page.fill("[data-on=find-conversation]", "没有这样的对话")
    page.wait_for_selector(".list .empty")
    page.fill("[data-on=find-conversation]", "")
    page.wait_for_selector(".list li")
    entry = page.locator(".list li", has_text="税费 <img").first
    entry.hover()
    entry.locator("[data-do=forget]").click()
    page.click("dialog .primary")
    page.wait_for_selector(".welcome")
    assert page.locator(".list .name", has_text="税费 <img").count() == 0


def test_language_switch_changes_everything_and_is_remembered(visit):
    page = visit()
    ask(page, FACT)
    page.click(".switch")
    page.wait_for_selector("text=New conversation")
    page.wait_for_selector(".turn")
    assert page.evaluate("document.documentElement.lang") == "en"
    assert "Retrieve" in page.inner_text(".meta .stages")
    page.reload()
    page.wait_for_selector("text=New conversation")
    frame = " ".join(
        page.locator("header.top, .rail > button, .keys, .disclaimer").all_inner_texts()
    )
    assert not re.search("[\u4e00-\u9fff]", frame.replace("政问", "").replace("中文", ""))
    shot(page, "english")


def test_phone_slides_the_source_over_with_a_way_back(visit):
    page = visit(PHONE, has_touch=True, device_scale_factor=2)
    turn = ask(page, FACT)
    assert page.is_hidden(".pane")
    shot(page, "phone-answer")
    turn.locator(".cite").first.tap()
    page.wait_for_selector(".pane mark.hit")
    page.wait_for_timeout(400)
    box = page.locator(".pane").bounding_box()
    assert (box["x"], box["width"]) == (0, 390)
    assert in_view(page, ".pane mark.hit")
    shot(page, "phone-source")
    page.tap(".pane [data-role=back]")
    assert page.is_hidden(".pane")
    for _ in range(2):
        switch = page.locator(".switch").bounding_box()
        assert switch["x"] + switch["width"] <= 390
        page.tap(".switch")
        page.wait_for_selector(".turn")
    for view in ("cases", "documents", "evaluate", "ask"):
        page.tap(f"[data-view={view}]")
        page.wait_for_timeout(200)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_cases_are_filtered_read_and_asked_about(visit):
    page = visit()
    page.click("[data-view=cases]")
    page.wait_for_selector(".card")
    assert page.locator(".card").count() == 14
    shot(page, "cases")
    page.click("[data-name=place][data-value=东莞市]")
    page.wait_for_function("document.querySelectorAll('.card').length === 1")
    page.click("[data-do=read-case]")
    page.wait_for_selector(".cases .reader .text h3")
    page.click(".cases .reader [data-do=ask-case]")
    assert page.evaluate("document.querySelector('select[name=case]').value").endswith(":7")
    assert page.is_visible("#question")


def test_evaluation_runs_with_progress_and_shows_its_charts(visit):
    page = visit()
    page.click("[data-view=evaluate]")
    page.click("[data-do=evaluate]")
    page.wait_for_selector(".run progress")
    page.click("[data-do=stop-evaluation]")
    page.wait_for_selector("[data-do=evaluate]:enabled")
    page.select_option("select[name=split]", "dev")
    page.click("[data-do=evaluate]")
    page.wait_for_selector(".report svg", timeout=180_000)
    assert "总体" in page.inner_text(".report")
    shot(page, "evaluation")


def test_markup_in_questions_and_names_is_never_run(visit):
    page = visit()
    turn = ask(page, EVIL)
    assert EVIL in turn.locator(".q").inner_text()
    page.reload()
    page.wait_for_selector(".turn")
    page.wait_for_timeout(300)


@pytest.mark.parametrize(
    "question",
    ["字" * 10_000, "？！……", "\u0001\u0002", "😀😀"],
    ids=["long", "marks", "control", "emoji"],
)
def test_questions_that_cannot_be_asked_are_told_why(visit, question):
    page = visit()
    page.evaluate("q => { document.querySelector('#question').value = q; }", question)
    page.press("#question", "Enter")
    page.wait_for_selector(".turn[data-question] :is(.warn, .refusal)")
    words = page.locator(".turn .a").last.inner_text()
    assert "Traceback" not in words
    assert "内部错误" not in words


NOTICE = """关于做好测试工作的通知

一、总体要求

各区要建立蓝鲸工作台，配备专职联络员37名，每月召开一次会议。

二、保障措施

市财政安排专项经费260万元用于蓝鲸工作台建设。
"""


def test_bad_and_hostile_files_are_told_and_harmless(visit, tmp_path):
    page = visit()
    page.click("[data-view=documents]")
    evil, bad = tmp_path / f"{EVIL[:9]}.txt", tmp_path / "空.docx"
    evil.write_text(f"一、{EVIL}\n\n{EVIL}{EVIL}。", "utf-8")
    bad.write_bytes(b"no office document")
    page.set_input_files("[data-on=files]", [evil, bad])
    page.wait_for_selector(".uploads .state:has-text('已添加')")
    page.wait_for_selector(".uploads li.failed p")
    # Chinese only, without the English half of the sentence.
    assert "cannot" not in page.inner_text(".uploads li.failed p")
    row = page.locator(".documents tr", has_text="<img")
    row.locator("[data-do=preview]").click()
    page.wait_for_selector(".documents .reader .chunk")
    page.click("[data-view=ask]")
    ask(page, EVIL)
    page.click("[data-view=documents]")
    row.locator("[data-do=remove-document]").click()
    page.click("dialog .primary")
    page.wait_for_function(
        "![...document.querySelectorAll('.documents td')].some(e => e.innerText.includes('<img'))"
    )


def test_file_is_previewed_before_it_is_added(visit, tmp_path):
    page = visit()
    page.click("[data-view=documents]")
    page.check("[data-on=peek]")
    for name in ("甲.txt", "乙.txt"):
        (tmp_path / name).write_text(f"{name}\n\n一、白鲸计划\n\n{name}中的内容。", "utf-8")
    page.set_input_files("[data-on=files]", [tmp_path / "甲.txt", tmp_path / "乙.txt"])
    page.wait_for_selector(".documents .reader :text('甲.txt中的内容')")
    page.click("[data-do=decide][data-answer=discard]")
    page.wait_for_selector(".documents .reader :text('乙.txt中的内容')")
    page.click("[data-do=decide][data-answer=add]")
    page.wait_for_selector(".uploads .state:has-text('已添加')")
    names = page.locator(".documents .docname").all_inner_texts()
    assert [n for n in names if "甲" in n or "乙" in n] == [n for n in names if "乙" in n] != []
    assert page.locator(".uploads .state:has-text('已取消')").count() == 1


def test_document_is_added_previewed_described_asked_and_removed(visit, tmp_path):
    page = visit()
    page.click("[data-view=documents]")
    good = tmp_path / "关于蓝鲸工作台的通知.txt"
    good.write_text(NOTICE, "utf-8")
    page.set_input_files("[data-on=files]", good)
    page.wait_for_selector(".uploads .state:has-text('已添加')")
    row = page.locator(".documents tr", has_text="蓝鲸工作台")
    row.locator("[data-do=preview]").click()
    page.wait_for_selector(".documents .reader .chunk")
    assert "蓝鲸工作台" in page.inner_text(".documents .reader .text")
    page.click(".documents .reader summary:has-text('文档信息')")
    page.fill(".about [name=date]", "去年")
    page.click(".about button")
    page.wait_for_selector(".toast.show:has-text('无法识别')")
    page.fill(".about [name=date]", "2025-03")
    page.fill(".about [name=title]", "关于建设蓝鲸工作台的通知")
    page.click(".about button")
    page.wait_for_selector(".documents td:has-text('2025-03')")
    shot(page, "documents")
    page.click("[data-view=ask]")
    turn = ask(page, "蓝鲸工作台配备多少名联络员？")
    assert "37名" in turn.locator(".s").first.inner_text()
    page.click("[data-view=documents]")
    page.locator(".documents tr", has_text="关于建设蓝鲸工作台的通知").locator(
        "[data-do=remove-document]"
    ).click()
    page.click("dialog .primary")
    page.wait_for_function(
        "![...document.querySelectorAll('.documents td')].some(e => e.innerText.includes('蓝鲸'))"
    )
    page.click("[data-view=ask]")
    turn.locator(".cite").first.click()
    page.wait_for_selector(".pane .gone:has-text('已移除')")
    assert "37名" in "".join(page.locator(".pane mark.hit").all_inner_texts())


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_enough_contrast(visit, scheme):
    page = visit(color_scheme=scheme)
    ask(page, "哪些案例提到了粤港澳大湾区？")
    ask(page, ABSENT)
    weak = page.evaluate(CONTRAST)
    for view in ("cases", "documents", "evaluate"):
        page.click(f"[data-view={view}]")
        page.wait_for_timeout(400)
        weak += page.evaluate(CONTRAST)
    assert weak == []


# Text elements whose colour and the nearest opaque background differ by less than 4.5 : 1 (AA).
CONTRAST = """() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgba = c => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = c; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const curve = v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
  const light = c => .2126 * curve(c[0]) + .7152 * curve(c[1]) + .0722 * curve(c[2]);
  const style = e => getComputedStyle(e);
  const weak = [];
  for (const e of document.querySelectorAll('#zw *')) {
    const own = [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim());
    const shown = own && e.checkVisibility({ visibilityProperty: true });
    if (!shown || e.closest('option, .toast, :disabled')) continue;
    let back = e;
    while (back && rgba(style(back).backgroundColor)[3] < 255) back = back.parentElement;
    const a = light(rgba(style(e).color));
    const b = light(rgba(back ? style(back).backgroundColor : '#fff'));
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) weak.push(`${e.className} ${e.textContent.trim().slice(0, 20)} ${ratio}`);
  }
  return weak;
}"""


def test_every_control_has_a_name_for_screen_readers(visit):
    page = visit()
    ask(page, FACT)
    page.wait_for_selector(".pane mark.hit")
    page.click("[data-view=cases]")
    page.wait_for_selector(".card")
    page.locator("[data-do=read-case]").first.click()
    page.click("[data-view=documents]")
    page.wait_for_selector(".documents [data-do=preview]")
    page.locator(".documents [data-do=preview]").first.click()
    page.wait_for_selector(".about", state="attached")
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll('#zw :is(button, summary, a, input, select)')]
        .filter(e => !e.ariaLabel && !e.innerText?.trim() && !e.closest('label')
          && !e.textContent.trim()).map(e => e.outerHTML)"""
    )
    assert unnamed == []
    assert page.locator("#zw h1").count() >= 2
    assert page.locator("[aria-current=page]").count() == 1


def test_welcome_in_both_schemes(visit):
    shot(visit(), "welcome")
    page = visit(color_scheme="dark")
    ask(page, FACT)
    page.wait_for_selector(".pane mark.hit")
    shot(page, "dark")


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
        page.wait_for_selector("progress[aria-label='首次启动，正在建立索引']")
        page.wait_for_selector(".welcome")  # opens by itself
        page.fill("#question", FACT)
        page.press("#question", "Enter")
        page.wait_for_selector(".turn.live .progress")
        server.kill()
        page.wait_for_selector(".toast.show:has-text('连接中断')")
        page.wait_for_selector("#zw:not(.running)")
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
