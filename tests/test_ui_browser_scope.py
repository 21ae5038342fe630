"""The selectors under the question box in a real browser: what is offered, and what it restricts."""

import pytest
from page_helpers import DESK, PHONE, ask, serving

pytestmark = pytest.mark.browser

SELECTORS = ("place", "case", "department", "theme", "date")


def shown(page):
    return [n for n in SELECTORS if page.is_visible(f".scope select[name={n}]")]


def add(page, file, **about):
    """Add a file in the page and fill in what is known about it."""
    page.click("[data-view=documents]")
    page.set_input_files("[data-on=files]", [file])
    page.wait_for_selector(f".uploads li:has-text('{file.name}') .state:has-text('已添加')")
    row = page.locator(".documents tr", has_text=file.stem)
    row.locator("[data-do=preview]").click()
    page.wait_for_selector(f".documents .reader h2:has-text('{file.stem}')")
    page.locator(".documents details:has(.about) summary").click()
    for name, value in about.items():
        page.fill(f".about [name={name}]", value)
    page.click(".about button")
    page.wait_for_selector(f".documents td:has-text('{about['department']}')")
    page.click("[data-view=ask]")


def test_departments_and_themes_are_offered_once_known_and_restrict(visit, tmp_path):
    page = visit()
    assert shown(page) == ["place", "case"]
    notices = [tmp_path / "蓝鲸通知.txt", tmp_path / "座头鲸通知.txt"]
    for file, n in zip(notices, (37, 52), strict=True):
        file.write_text(f"各区要建立联络工作台，配备专职联络员{n}名。", "utf-8")
    add(page, notices[0], department="省发展改革委、省财政厅", theme="用地")
    add(page, notices[1], department="省财政厅", theme="")
    page.wait_for_selector(".scope select[name=department] option >> nth=2", state="attached")
    assert shown(page) == ["place", "case", "department", "theme"]
    offered = page.locator(".scope select[name=department] option").all_inner_texts()
    assert offered == ["全部部门", "省财政厅", "省发展改革委"]
    page.select_option(".scope select[name=department]", "省发展改革委")
    turn = ask(page, "工作台配备多少名联络员？")
    assert "37名" in turn.inner_text()
    assert "52名" not in turn.inner_text()
    page.select_option(".scope select[name=department]", "省财政厅")
    assert "52名" in ask(page, "工作台配备多少名联络员？").inner_text()
    page.select_option(".scope select[name=theme]", "用地")
    assert "52名" not in ask(page, "工作台配备多少名联络员？").inner_text()


@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_five_selectors_stand_whole_within_the_box(browser, office, viewport, lang):
    page = browser.new_page(viewport=viewport, locale="zh-CN")
    page.goto(office)
    page.wait_for_selector(".welcome")
    if lang == "en":
        page.click(".switch")
        page.wait_for_selector("h1:has-text('Ask a question')")
    page.wait_for_selector(".scope select[name=theme]")
    assert shown(page) == list(SELECTORS)
    page.select_option(".scope select[name=department]", index=1)
    outside = page.evaluate(
        """() => {
          const box = document.querySelector('.box').getBoundingClientRect();
          const send = document.querySelector('.send').getBoundingClientRect();
          return [...document.querySelectorAll('.scope select')].filter(e => {
            const r = e.getBoundingClientRect();
            const over = r.right > send.left && r.bottom > send.top;
            return over || r.width < 70 || r.left < box.left || r.bottom > box.bottom;
          }).map(e => e.name); }"""
    )
    assert outside == []
    page.close()


@pytest.fixture(scope="module")
def office(tmp_path_factory):
    """A page whose documents have everything that can be selected by."""
    from rag.assistant import Assistant
    from rag.intake import File
    from rag.manifest import metadata_from

    folder = tmp_path_factory.mktemp("office")
    about = {"place": "深圳市", "date": "2024-03", "theme": "社会保险"}
    about |= {"department": "深圳市人力资源和社会保障局"}
    with Assistant.open(folder / "home") as assistant:
        text = "各区要配备专职联络员37名。".encode()
        assistant.library.add([File("通知.txt", lambda: text, metadata_from(about))])
    with serving(folder, folder / "home") as (_, at):
        yield at
