"""The conversation in a real browser, at a desk and on a phone."""

import re
from pathlib import Path

import pytest
from docx import Document
from page_helpers import ABSENT, EVIL, FACT, PHONE, ask, in_view

pytestmark = pytest.mark.browser


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
    turn.locator(".understood [data-do=edit]").click()
    assert page.input_value("#question") == understood


def test_refusal_offers_nearest_passages_and_says_that_they_are_no_answer(visit):
    page = visit()
    turn = ask(page, ABSENT)
    assert "材料中没有" in turn.locator(".refusal").inner_text()
    assert "不是对问题的回答" in turn.locator(".nearest summary").inner_text()
    turn.locator("[data-do=cite]").first.click()
    page.wait_for_selector(".pane mark.near")
    assert "不是回答" in page.inner_text(".pane .count")


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
    turn.locator(".acts > details summary").click()
    with page.expect_download() as started:
        turn.locator("a[download]", has_text="Word").click()
    assert started.value.suggested_filename == "广州税费争议调解机构有几个，配备多少名调解员.docx"
    words = Document(started.value.path()).paragraphs
    assert any("528" in paragraph.text for paragraph in words)


def test_a_whole_conversation_is_exported(visit):
    page = visit()
    ask(page, FACT)
    ask(page, ABSENT)
    entry = page.locator(".list li").first
    entry.hover()
    with page.expect_download() as started:
        entry.locator("a[download]").click()
    words = [p.text for p in Document(started.value.path()).paragraphs]
    assert words[0] == FACT
    assert words[2] == f"一、{FACT}"
    assert any(w.startswith("二、") for w in words)
    assert any("人工智能辅助生成" in w for w in words)


def test_question_put_the_moment_an_answer_ends_is_answered(visit):
    page = visit()
    page.evaluate(
        """question => {
        const root = document.querySelector('#zw');
        new MutationObserver((_, watcher) => {
          if (root.classList.contains('running') || !root.querySelector('.turn')) return;
          watcher.disconnect();
          zhengwen.ask(question);
        }).observe(root, { attributes: true, attributeFilter: ['class'] }); }""",
        ABSENT,
    )
    ask(page, FACT)
    page.wait_for_selector(".turn.refused")


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
                const box = e.closest('.box, .find'), look = box && getComputedStyle(box);
                const seen = () => look.outlineStyle + look.borderColor + look.boxShadow;
                const focused = box && seen();
                let ring = s.outlineStyle !== 'none';
                if (box && !ring) { e.blur(); ring = focused !== seen(); e.focus(); }
                return [e.dataset?.do || e.id || e.name || e.tagName, ring]; }"""
            )
        )
    names = {name for name, _ in seen}
    assert {"view", "lang", "new", "example", "question", "place", "case"} <= names
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


def test_phone_slides_the_source_over_with_a_way_back(visit):
    page = visit(PHONE, has_touch=True, device_scale_factor=2)
    turn = ask(page, FACT)
    assert page.is_hidden(".pane")
    turn.locator(".cite").first.tap()
    page.wait_for_selector(".pane mark.hit")
    page.wait_for_timeout(400)
    box = page.locator(".pane").bounding_box()
    assert (box["x"], box["width"]) == (0, 390)
    assert in_view(page, ".pane mark.hit")
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


def test_phone_stacks_what_is_compared(visit):
    page = visit(PHONE, has_touch=True, device_scale_factor=2)
    turn = ask(page, "广州税务的“税宝”和东莞的“小莞”有什么不同?")
    table = turn.locator("table.compare")
    cells = [cell.bounding_box() for cell in table.locator("td:visible").all()]
    assert len({cell["x"] for cell in cells}) == 1  # below each other
    assert all(cell["x"] + cell["width"] <= 390 for cell in cells)
    named = table.locator("td:visible").first.evaluate(
        "td => getComputedStyle(td, '::before').content"
    )
    assert "广州市" in named


def test_names_of_cases_beside_their_figures_have_room(visit):
    names = ask(visit(), "各案例中企业节省了多少成本?").locator("table.compare tbody th")
    assert names.count() > 1
    boxes = [name.bounding_box() for name in names.all()]
    assert all(box["width"] >= 120 for box in boxes)  # eight characters, not one or two


def test_markup_in_questions_and_names_is_never_run(visit):
    page = visit()
    turn = ask(page, EVIL)
    assert EVIL in turn.locator(".q").inner_text()
    page.wait_for_timeout(300)  # what a reload breaks off, the page reports as an error
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
