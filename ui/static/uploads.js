/* The queue of files that are being added: one after the other, each with its stage. */
((z) => {
  "use strict";

  const POLL_MS = 400;
  const REFRESH_MS = 2000; // between two looks at the table while files come in
  const { state, $, pause, call, words } = z;
  const make = (tag, fields) => Object.assign(document.createElement(tag), fields);

  // ---- What was dropped ----------------------------------------------------------------------

  /* Dropped folders are walked; a file keeps its path below them, hidden files are left out. */
  async function dropFiles(transfer) {
    // The entries are gone after the first wait.
    const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    if (!entries.some((entry) => entry.isDirectory)) {
      addFiles(transfer.files);
      return;
    }
    const found = [];
    for (const entry of entries) await walk(entry, found);
    addFiles(found);
  }

  async function walk(entry, found) {
    if (/^(\.|~\$)/.test(entry.name)) return;
    if (entry.isFile) {
      const file = await new Promise((done) => entry.file(done, () => done(null)));
      if (file) found.push({ file, name: entry.fullPath.replace(/^\//, "") });
      return;
    }
    const reader = entry.createReader();
    for (;;) {
      // A folder comes in parts of a hundred.
      const part = await new Promise((done) => reader.readEntries(done, () => done([])));
      if (!part.length) return;
      for (const below of part) await walk(below, found);
    }
  }

  function addFiles(list) {
    const limit = Number($("[data-on=files]").dataset.mb) * 1024 * 1024;
    for (const given of list) {
      const { file, name } = given.file ? given : { file: given, name: given.name };
      const entry = { file, name, stage: "waiting", row: make("li", {}) };
      entry.row.append(make("span", { textContent: name, title: name }));
      entry.row.append(make("span", { className: "state" }));
      rows().append(entry.row);
      state.queue.push(entry);
      if (file.size > limit) {
        settle(entry, "failed", words("upload_failed"));
        note(entry, words("too_big").replace("{name}", name));
        continue;
      }
      tell(entry, words("upload_waiting"));
      const cancel = make("button", { className: "link", type: "button", textContent: words("cancel") });
      cancel.setAttribute("aria-label", `${words("cancel")} ${name}`);
      cancel.addEventListener("click", () => cancelFile(entry));
      entry.row.append(cancel);
    }
    summarize();
    if (!state.sending) sendFiles();
  }

  // ---- The list ------------------------------------------------------------------------------

  function rows() {
    const box = $(".uploads");
    if (!box.firstElementChild) {
      const head = make("div", { className: "sum" });
      head.append(make("span", {}), make("button", { className: "link", type: "button" }));
      head.lastElementChild.addEventListener("click", () => (state.sending ? cancelAll() : clear()));
      box.append(head, make("progress", {}), make("ul", {}));
    }
    return box.querySelector("ul");
  }

  /* One line over the list: how many are done, and what can be done about all of them. */
  function summarize() {
    const box = $(".uploads");
    const count = (stage) => state.queue.filter((entry) => entry.stage === stage).length;
    const total = state.queue.length;
    const waiting = count("waiting") + count("sending");
    const cancelled = count("cancelled");
    const fill = { total, done: count("done"), failed: count("failed"), left: waiting, cancelled };
    const key = waiting ? "upload_sum" : "upload_sum_done";
    const said = words(key) + (cancelled ? words("upload_sum_cancelled") : "");
    const text = said.replace(/{(\w+)}/g, (_, name) => fill[name]);
    const head = box.querySelector(".sum");
    head.firstElementChild.textContent = text;
    head.lastElementChild.textContent = words(waiting ? "cancel_all" : "clear_list");
    const bar = box.querySelector(":scope > progress");
    Object.assign(bar, { max: total, value: total - waiting, hidden: !waiting });
    bar.setAttribute("aria-label", text);
  }

  const tell = (entry, text) => (entry.row.querySelector(".state").textContent = text);

  function settle(entry, stage, text) {
    entry.stage = stage;
    for (const part of entry.row.querySelectorAll("progress, button")) part.remove();
    tell(entry, text);
    entry.row.classList.add(stage);
    summarize();
  }

  /* What has failed is moved to the top, where it is seen. */
  function note(entry, text) {
    entry.row.append(make("p", { textContent: text }));
    if (entry.stage === "failed") entry.row.parentElement?.prepend(entry.row);
  }

  /* A waiting file leaves the queue; one that is being read stops before its next part. */
  function cancelFile(entry) {
    if (entry.stage === "waiting") settle(entry, "cancelled", words("upload_cancelled"));
    else if (state.decide) state.decide(false);
    else if (entry.upload) call("cancel", entry.upload);
    else entry.unwanted = true; // while it is still being sent
  }

  function cancelAll() {
    for (const entry of state.queue) if (entry.stage === "waiting") cancelFile(entry);
    const current = state.queue.find((entry) => entry.stage === "sending");
    if (current) cancelFile(current);
  }

  function clear() {
    state.queue = [];
    $(".uploads").replaceChildren();
  }

  // ---- One after the other -------------------------------------------------------------------

  async function sendFiles() {
    state.sending = true;
    let shown = Date.now();
    let entry;
    while ((entry = state.queue.find((other) => other.stage === "waiting"))) {
      entry.stage = "sending";
      try {
        await send(entry);
      } catch {
        settle(entry, "failed", words("upload_failed"));
        note(entry, words("offline"));
      }
      if (Date.now() - shown > REFRESH_MS) {
        await z.loadDocuments();
        shown = Date.now();
      }
    }
    state.sending = false;
    const list = $(".uploads ul");
    if (list?.querySelector(".failed")) list.scrollTop = 0;
    await z.loadDocuments();
    z.refreshScope();
  }

  async function send(entry) {
    const bar = make("progress", { max: 100 });
    bar.setAttribute("aria-label", entry.name);
    entry.row.append(bar);
    tell(entry, words("upload_sending"));
    const list = entry.row.parentElement; // its own scrolling only: the page stays where it is
    if (list) list.scrollTop = entry.row.offsetTop - list.offsetTop - list.clientHeight / 2;
    const { path } = await z.gradio.upload(entry.file);
    const upload = { path, name: entry.name, lang: state.lang };
    if (entry.unwanted) return leave(entry, upload);
    entry.upload = upload;
    tell(entry, words("upload_reading"));
    if ($("[data-on=peek]").checked && !(await approved(entry, upload))) return;
    const done = z.gradio.server.page_add(upload);
    await follow(done, entry, bar);
    const page = (await done) || { error: words("offline") };
    const notes = page.error ? [page.error] : page.notes;
    settle(entry, page.error ? "failed" : page.outcome, page.error ? words("upload_failed") : page.state);
    for (const text of notes) note(entry, text);
  }

  /* Whether the file is to be added, after its preview was looked at. */
  async function approved(entry, upload) {
    const page = await z.gradio.server.page_peek(upload);
    if (!page || page.error) {
      settle(entry, "failed", words("upload_failed"));
      note(entry, page ? page.error : words("offline"));
      return false;
    }
    const reader = $(".documents .reader");
    reader.innerHTML = page.html;
    reader.hidden = false;
    tell(entry, words("upload_deciding"));
    const answer = await new Promise((decided) => (state.decide = decided));
    state.decide = null;
    reader.hidden = true;
    tell(entry, words("upload_reading"));
    if (answer) return true;
    await leave(entry, upload);
    return false;
  }

  async function leave(entry, upload) {
    await call("discard", upload);
    settle(entry, "cancelled", words("upload_cancelled"));
  }

  /* The stage of the file that is being read, until `done` settles. */
  async function follow(done, entry, bar) {
    let over = false;
    const ended = done.then(() => (over = true), () => (over = true));
    while (!over) {
      await Promise.race([ended, pause(POLL_MS)]);
      if (over) return;
      const page = await call("adding", entry.upload);
      if (!page || over) continue;
      tell(entry, page.stage);
      if (page.total > 1) bar.value = (100 * page.done) / page.total;
    }
  }

  Object.assign(z, { addFiles, dropFiles });
})(window.zhengwen);
