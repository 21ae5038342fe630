/* The tabs beside the conversation: cases, documents, evaluation. */
((z) => {
  "use strict";

  const POLL_MS = 400;
  const WATCH_MS = 2000;
  const { state, $, $$, wide, pause, call, words, toast, confirmed } = z;

  // ---- Cases ---------------------------------------------------------------------------------

  async function loadCases() {
    const page = await call("cases", state.cases);
    if (page) $(".cases .sheet").innerHTML = page.html;
  }

  async function readInto(view, name, payload) {
    const page = await call(name, payload);
    if (!page) return;
    const reader = $(`.${view} .reader`);
    reader.innerHTML = page.html;
    reader.hidden = false;
    reader.querySelector(wide() ? ".text" : "[data-role=back]")?.focus({ preventScroll: true });
  }

  function askCase(button) {
    z.show("ask");
    history.replaceState(null, "", `${location.pathname}${location.search}#ask`);
    const select = $("select[name=case]");
    const wanted = `${button.dataset.document}:${button.dataset.case}`;
    select.value = wanted;
    if (select.selectedIndex < 0) {
      // Not all documents of a large library are among the options.
      select.append(new Option(button.dataset.title, wanted, false, true));
    }
    for (const other of $$(".scope select")) if (other !== select) other.value = "";
    markScope();
    $("#question").focus();
  }

  /* New options; what was chosen stays chosen where it still is one. A selector without any hides. */
  function fillScope(page) {
    for (const [name, options] of Object.entries(page.scope)) {
      const select = $(`.scope select[name=${name}]`);
      const kept = select.value;
      select.innerHTML = options;
      select.hidden = !options;
      select.value = kept;
      if (select.selectedIndex < 0) select.value = "";
    }
    markScope();
  }

  function markScope() {
    for (const select of $$(".scope select")) select.classList.toggle("set", Boolean(select.value));
  }

  async function findCase(box) {
    state.cases.words = box.value;
    await loadCases();
    const again = $("[data-on=find-case]");
    again.focus();
    again.setSelectionRange(again.value.length, again.value.length);
  }

  // ---- Documents -----------------------------------------------------------------------------

  async function loadDocuments(limit = 0) {
    const query = $("[data-on=find-document]").value;
    const page = await call("documents", { query, limit });
    if (page) $(".documents .table").innerHTML = page.html;
  }

  /* How things stand with the watched folder, while its tab is looked at. */
  let watching = false;
  async function followWatched() {
    if (watching) return;
    watching = true;
    let changed;
    while (z.root.dataset.view === "documents") {
      const page = await call("watched");
      if (!page?.watches) break;
      const box = $(".watched");
      const open = [...box.querySelectorAll("details[open]")].map((list) => list.dataset.of);
      box.innerHTML = page.html;
      for (const list of box.querySelectorAll("details")) list.open = open.includes(list.dataset.of);
      if (changed !== undefined && page.changed !== changed) {
        await loadDocuments();
        refreshScope();
      }
      changed = page.changed;
      await pause(WATCH_MS);
    }
    watching = false;
  }

  async function refreshScope() {
    const page = await call("scope");
    if (!page) return;
    fillScope(page);
    $(".cases .sheet").replaceChildren();
    if (z.root.dataset.view === "cases") loadCases();
  }

  async function removeDocument(button) {
    if (!(await confirmed(button.dataset.ask, words("remove")))) return;
    await call("remove", { document: Number(button.dataset.document) });
    loadDocuments();
    refreshScope();
  }

  async function describe(form) {
    const typed = Object.fromEntries(new FormData(form));
    const page = await call("describe", { ...typed, document: Number(form.dataset.document) });
    if (!page) return;
    loadDocuments();
    if (typed.title.trim()) $(".documents .reader h2").textContent = typed.title;
    toast(words("saved"));
    refreshScope();
  }

  // ---- Evaluation ----------------------------------------------------------------------------

  /* Only what has changed: an opened question of the report stays open while another run goes on. */
  const shown = new WeakMap();
  function put(selector, html) {
    const box = $(selector);
    if (shown.get(box) === html) return;
    shown.set(box, html);
    box.innerHTML = html;
  }

  let following = false;
  async function followEvaluation(begin = false) {
    if (following) return;
    following = true;
    const split = $("select[name=split]").value;
    let page = await call("evaluation", { begin, split });
    $("[data-do=evaluate]").disabled = Boolean(page?.running);
    while (page) {
      put(".run", page.progress);
      put(".ratings", page.ratings);
      if (page.html) put(".scores", page.html);
      if (!page.running) break;
      await pause(POLL_MS);
      page = await call("evaluation", { begin: false });
    }
    following = false;
    $("[data-do=evaluate]").disabled = false;
  }

  Object.assign(z, { loadCases, findCase, readInto, askCase, fillScope, markScope });
  Object.assign(z, { loadDocuments, removeDocument, describe, followEvaluation });
  Object.assign(z, { refreshScope, followWatched });
})(window.zhengwen);
