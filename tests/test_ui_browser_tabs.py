"""Cases, documents and evaluation in a real browser; how everything looks and reads."""

import pytest
from page_helpers import ABSENT, EVIL, FACT, ask

pytestmark = pytest.mark.browser


def test_cases_are_filtered_read_and_asked_about(visit):
    page = visit()
    page.click("[data-view=cases]")
    page.wait_for_selector(".card")
    assert page.locator(".card").count() == 14
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


def test_files_are_dragged_in_and_too_large_ones_refused(visit):
    page = visit()
    page.click("[data-view=documents]")
    carried = page.evaluate_handle(
        """() => {
          const carried = new DataTransfer();
          carried.items.add(new File(["座头鲸工作组有九名成员。"], "座头鲸.txt"));
          const large = new File(["x"], "太大.txt");
          Object.defineProperty(large, "size", { value: 1e9 });
          window.large = large;
          return carried;
        }"""
    )
    page.dispatch_event(".drop", "dragover", {"dataTransfer": carried})
    assert "over" in page.get_attribute(".drop", "class")
    page.dispatch_event(".drop", "drop", {"dataTransfer": carried})
    page.wait_for_selector(".uploads li:has-text('座头鲸.txt') .state:has-text('已添加')")
    page.evaluate("zhengwen.addFiles([window.large])")
    page.wait_for_selector(".uploads li.failed p:has-text('太大.txt 超过 100 MB')")
    page.fill("[data-on=find-document]", "座头鲸")
    page.wait_for_function("document.querySelectorAll('.documents tbody tr').length === 1")
    page.locator(".documents tbody [data-do=ask-case]").click()
    assert page.is_visible("#question")
    assert "有九名成员" in ask(page, "座头鲸工作组有几名成员？").locator(".s").first.inner_text()


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
