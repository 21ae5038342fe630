"""Cases, documents and evaluation in a real browser; how everything looks and reads."""

import pytest
from make_ofd import partly_scanned_ofd
from page_helpers import ABSENT, EVIL, FACT, WAIT_MS, ask, serving

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
    bad.write_bytes(b"PK\x03\x04no office document")
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
    page.wait_for_selector(".uploads .sum:has-text('共 2 个文件，已完成 1，失败 1')")
    page.wait_for_selector(".uploads li.failed p:has-text('太大.txt 超过 100 MB')")
    page.fill("[data-on=find-document]", "座头鲸")
    page.wait_for_function("document.querySelectorAll('.documents tbody tr').length === 1")
    page.locator(".documents tbody [data-do=ask-case]").click()
    assert page.is_visible("#question")
    assert "有九名成员" in ask(page, "座头鲸工作组有几名成员？").locator(".s").last.inner_text()


def test_many_files_stand_in_a_queue_that_can_be_cancelled(visit, tmp_path):
    page = visit()
    page.click("[data-view=documents]")
    files = [tmp_path / f"{name}.txt" for name in ("戊", "己", "庚", "辛")]
    for file in files:
        file.write_text("" if file.stem == "己" else f"{file.stem}港有一台起重机。", "utf-8")
    page.check("[data-on=peek]")  # so that the first one waits for us
    page.set_input_files("[data-on=files]", files)
    page.wait_for_selector(".uploads .state:has-text('等待确认')")
    assert page.locator(".uploads .state:text-is('等待')").count() == 3
    page.locator(".uploads li", has_text="辛.txt").locator("button").click()
    page.uncheck("[data-on=peek]")
    page.click("[data-do=decide][data-answer=add]")
    page.click("[data-view=ask]")  # and questions go on
    ask(page, FACT)
    page.click("[data-view=documents]")
    page.wait_for_selector(".uploads .sum:has-text('共 4 个文件，已完成 2，失败 1，取消 1')")
    rows = page.locator(".uploads li").all_inner_texts()
    assert "己.txt" in rows[0]  # what failed is seen first
    assert "文件是空的" in rows[0]
    assert "已取消" in rows[3]
    page.click(".switch")  # the list outlives a change of language
    page.wait_for_selector(".documents :text('Length')")
    assert page.locator(".uploads li").count() == 4
    page.click(".uploads .sum button")
    assert page.locator(".uploads li").count() == 0


def test_watched_folder_is_told_and_its_files_appear(browser, tmp_path):
    folder = tmp_path / "材料"
    folder.mkdir()
    with serving(tmp_path, tmp_path / "home", watch=folder) as (_, at):
        page = browser.new_page(locale="zh-CN")
        page.set_default_timeout(WAIT_MS)
        page.goto(f"{at}#documents")
        page.wait_for_selector(".watched:has-text('正在监视文件夹')")
        (folder / "灯塔.txt").write_text("灯塔每夜亮灯九小时。", "utf-8")
        (folder / "空.txt").write_text("", "utf-8")
        (folder / "扫描.ofd").write_bytes(partly_scanned_ofd())
        page.wait_for_selector(".documents td:has-text('灯塔')")
        page.wait_for_selector(".watched summary:has-text('1 个文件未能添加')")
        page.click("[data-of=watch_notices] summary")
        page.wait_for_selector(".watched li:has-text('扫描.ofd: 第2页是扫描件')")
        looked = page.locator(".watched li").nth(1).element_handle()
        page.wait_for_function("li => !li.isConnected", arg=looked)  # the list was made anew
        assert page.is_visible("[data-of=watch_notices] li")
        assert page.is_hidden("[data-of=watch_failed] li")
        (folder / "灯塔.txt").unlink()
        page.wait_for_selector(".watched:has-text('移除 1')")
        page.wait_for_selector(".documents td:has-text('灯塔')", state="detached")
        page.close()


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
    page.wait_for_selector(".documents .docname:has-text('乙')")
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


def test_a_question_is_labelled_below_its_answer_and_asked_in_the_evaluation(visit):
    page = visit()
    turn = ask(page, FACT)
    turn.locator("[data-do=label]").click()
    assert page.input_value(".label textarea[name=question]") == FACT
    page.fill(".label textarea[name=pasted]", "这句话哪里都没有。")
    page.click(".label .primary")
    page.wait_for_selector(".label .warn:not([hidden])")
    assert "与材料原文不一致" in page.inner_text(".label .warn")
    page.fill(".label textarea[name=pasted]", "")
    page.fill(".label textarea[name=facts]", "11个")
    page.click(".label .primary")
    page.wait_for_selector(".label", state="detached")
    page.click("[data-view=evaluate]")
    page.wait_for_selector(".labels li")
    assert FACT in page.inner_text(".labels")
    page.select_option("select[name=split]", "office")
    page.click("[data-do=evaluate]")
    reads = "words => document.querySelector('.report')?.innerText.includes(words)"
    page.wait_for_function(reads, arg="1 个问题（本单位题目）")
    page.click("[data-do=lang]")
    page.wait_for_function(reads, arg="1 questions (questions of this office)")
    page.click(".labels [data-do=unlabel]")
    page.click("dialog .primary")
    page.wait_for_selector(".labels", state="detached")
