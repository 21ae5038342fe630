/* The tabs beside the conversation: cases, documents, evaluation. */
((z) => {
  "use strict";

  const POLL_MS = 400;
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
    $("select[name=place]").value = "";
    markScope();
    $("#question").focus();
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

  function addFiles(list) {
    const limit = Number($("[data-on=files]").dataset.mb) * 1024 * 1024;
    for (const file of list) {
      const row = document.createElement("li");
      row.append(
        Object.assign(document.createElement("span"), { textContent: file.name }),
        Object.assign(document.createElement("span"), { className: "state" }),
      );
      const box = $(".uploads");
      if (!box.firstElementChild) box.append(document.createElement("ul"));
      box.firstElementChild.prepend(row);
      const entry = { file, row };
      if (file.size > limit) {
        settleFile(entry, "upload_failed", words("too_big").replace("{name}", file.name));
      } else {
        stateOf(entry, words("upload_waiting"));
        const cancel = Object.assign(document.createElement("button"), {
          className: "link",
          textContent: words("cancel"),
        });
        cancel.addEventListener("click", () => cancelFile(entry));
        row.append(cancel);
        state.files.push(entry);
      }
    }
    if (!state.sending) sendFiles();
  }

  /* A waiting file leaves the queue; one that is being read stops before its next part. */
  function cancelFile(entry) {
    entry.row.querySelector("button").remove();
    if (!state.files.includes(entry)) {
      if (state.decide) state.decide(false);
      else call("cancel");
      return;
    }
    state.files = state.files.filter((other) => other !== entry);
    stateOf(entry, words("upload_cancelled"));
  }

  const stateOf = (entry, text) => (entry.row.querySelector(".state").textContent = text);

  function settleFile(entry, key, reason) {
    for (const part of entry.row.querySelectorAll("progress, button")) part.remove();
    stateOf(entry, words(key));
    noteOn(entry, reason);
  }

  function noteOn(entry, reason) {
    entry.row.classList.add("failed");
    entry.row.append(Object.assign(document.createElement("p"), { textContent: reason }));
  }

  /* Whether the file is to be added, after its preview was looked at. */
  async function approved(entry, upload) {
    const page = await z.gradio.server.page_peek(upload);
    if (!page || page.error) {
      settleFile(entry, "upload_failed", page ? page.error : words("offline"));
      return false;
    }
    const reader = $(".documents .reader");
    reader.innerHTML = page.html;
    reader.hidden = false;
    stateOf(entry, words("upload_deciding"));
    const answer = await new Promise((decided) => (state.decide = decided));
    state.decide = null;
    reader.hidden = true;
    stateOf(entry, words("upload_reading"));
    if (answer) return true;
    await call("discard", upload);
    for (const part of entry.row.querySelectorAll("progress, button")) part.remove();
    stateOf(entry, words("upload_cancelled"));
    return false;
  }

  async function sendFiles() {
    state.sending = true;
    while (state.files.length) {
      const entry = state.files.shift();
      const bar = Object.assign(document.createElement("progress"), { max: 100 });
      entry.row.append(bar);
      stateOf(entry, words("upload_sending"));
      try {
        const { path } = await z.gradio.upload(entry.file);
        const upload = { path, name: entry.file.name, lang: state.lang };
        stateOf(entry, words("upload_reading"));
        if ($("[data-on=peek]").checked && !(await approved(entry, upload))) continue;
        const done = z.gradio.server.page_add(upload);
        await follow(done, bar);
        const page = (await done) || { error: words("offline") };
        bar.remove();
        entry.row.querySelector("button")?.remove();
        stateOf(entry, page.error ? words("upload_failed") : page.state);
        for (const note of page.error ? [page.error] : page.notes) noteOn(entry, note);
      } catch {
        settleFile(entry, "upload_failed", words("offline"));
      }
      await loadDocuments();
    }
    state.sending = false;
    refreshScope();
  }

  /* Progress of the file that is being read, until `done` settles. */
  async function follow(done, bar) {
    let over = false;
    done.then(() => (over = true), () => (over = true));
    while (!over) {
      await pause(POLL_MS);
      if (over) return;
      const page = await call("adding");
      if (page && page.total > 1) bar.value = (100 * page.done) / page.total;
    }
  }

  async function refreshScope() {
    const page = await call("scope");
    if (!page) return;
    const select = $("select[name=case]");
    const kept = select.value;
    select.innerHTML = page.cases;
    select.value = kept;
    if (select.selectedIndex < 0) select.value = "";
    $("select[name=place]").innerHTML = page.places;
    $(".cases .sheet").replaceChildren();
    markScope();
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

  let following = false;
  async function followEvaluation(begin = false) {
    if (following) return;
    following = true;
    const split = $("select[name=split]").value;
    let page = await call("evaluation", { begin, split });
    $("[data-do=evaluate]").disabled = Boolean(page?.running);
    while (page) {
      $(".run").innerHTML = page.progress;
      $(".ratings").innerHTML = page.ratings;
      if (page.html) $(".scores").innerHTML = page.html;
      if (!page.running) break;
      await pause(POLL_MS);
      page = await call("evaluation", { begin: false });
    }
    following = false;
    $("[data-do=evaluate]").disabled = false;
  }

  Object.assign(z, { loadCases, findCase, readInto, askCase, markScope });
  Object.assign(z, { loadDocuments, addFiles, removeDocument, describe, followEvaluation });
})(window.zhengwen);
