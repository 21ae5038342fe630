"""Takes the pictures of the README anew: ZHENGWEN_SCREENSHOTS=1 pytest tests/test_ui_pictures.py."""

import os

import pytest
from page_helpers import ABSENT, DESK, FACT, PHONE, ROOT, ask

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not os.environ.get("ZHENGWEN_SCREENSHOTS"), reason="on request only"),
]

LIST = "深圳推动公平竞争审查提质增效有哪些创新做法？"
ACROSS = "哪些案例提到了粤港澳大湾区？"
COMPARE = "东莞市和深圳市在审批提速方面有何异同？"


def shot(page, name):
    page.wait_for_timeout(500)  # fonts and the sliding pane
    page.screenshot(path=ROOT / "docs" / "images" / f"{name}.png")


def test_pictures_at_a_desk(visit):
    page = visit(DESK)
    shot(page, "welcome")
    for question in (COMPARE, ACROSS, FACT, LIST):
        page.click("[data-do=new]")
        page.wait_for_selector(".welcome")
        ask(page, question)
    ask(page, "具体有哪几项？")
    page.wait_for_selector(".pane mark.hit")
    shot(page, "follow-up")
    for question, name in ((FACT, "source"), (COMPARE, "table"), (ACROSS, "across")):
        page.locator(".list .name", has_text=question[:12]).click()
        page.wait_for_function(
            "q => document.querySelector('.q')?.innerText === q"
            " && document.querySelector('.pane mark.hit')",
            arg=question,
        )
        shot(page, name)
    page.click("[data-do=new]")
    page.wait_for_selector(".welcome")
    ask(page, ABSENT)
    shot(page, "refusal")


def test_pictures_of_the_tabs(visit):
    page = visit(DESK)
    page.click("[data-view=cases]")
    page.wait_for_selector(".card")
    shot(page, "cases")
    page.click("[data-view=documents]")
    page.locator("[data-do=preview]").first.click()
    page.wait_for_selector(".chunk")
    shot(page, "documents")
    page.click("[data-view=evaluate]")
    page.click("[data-do=evaluate]")
    page.wait_for_selector(".report svg", timeout=180_000)
    shot(page, "evaluation")


def test_pictures_in_the_dark_and_in_english(visit):
    page = visit(DESK, color_scheme="dark")
    page.locator(".list .name", has_text=FACT[:12]).click()
    page.wait_for_selector(".pane mark.hit")
    shot(page, "dark")
    page = visit(DESK)
    page.click(".switch")
    page.wait_for_selector("text=New conversation")
    page.click("[data-do=new]")
    page.wait_for_selector(".welcome")
    ask(page, "How many tax dispute mediation bodies does Guangzhou have?")
    shot(page, "english")


def test_pictures_on_a_phone(visit):
    page = visit(PHONE, has_touch=True, device_scale_factor=2)
    turn = ask(page, FACT)
    shot(page, "phone-answer")
    turn.locator(".cite").first.tap()
    page.wait_for_selector(".pane mark.hit")
    shot(page, "phone-source")
