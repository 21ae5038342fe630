/* The page's behaviour. The server sends finished, escaped markup; this script puts it in place,
 * keeps track of what is open, and asks for more. Nothing here builds markup out of text: what a
 * person typed is only ever set as textContent.
 */
(() => {
  "use strict";

  const WIDE = 1181; // px from which the source pane opens by itself
  const POLL_MS = 400;
  const WATCH_MS = 3000;

  let root, gradio;
  const state = {
    lang: "zh",
    conversation: 0, // 0 = not kept yet
    run: "", // the question being answered
    turn: null, // the message whose sources are in the pane
    position: 0,
    opener: null, // what to focus again when the pane closes
    cases: { place: "", theme: "", words: "" },
    files: [],
  };

  const $ = (selector) => root.querySelector(selector);
  const $$ = (selector) => [...root.querySelectorAll(selector)];
  const wide = () => window.innerWidth >= WIDE;

  // ---- Talking to the server ---------------------------------------------------------------

  async function call(name, payload = {}) {
    try {
      const answer = await gradio.server[`page_${name}`]({ ...payload, lang: state.lang });
      // Gradio's client swallows a failed request and gives undefined.
      const problem = answer ? answer.error : words("offline");
      if (!problem) return answer;
      toast(problem);
      return null;
    } catch {
      toast(words("offline"));
      return null;
    }
  }

  const words = (key) => gradio.props.value.words[state.lang][key];

  let toastTimer;
  function toast(text) {
    const box = $(".toast");
    box.textContent = text;
    box.classList.add("show");
    clearTimeout(toastTimer);
    toastTimer = setTimeout(() => box.classList.remove("show"), 4200);
  }

  // ---- Start, language, views --------------------------------------------------------------

  function mount(element, parts) {
    gradio = parts;
    root = element.querySelector("#zw");
    state.lang = remembered("lang") === "en" ? "en" : "zh";
    state.conversation = Number(new URLSearchParams(location.search).get("c")) || 0;
    root.addEventListener("click", onClick);
    root.addEventListener("submit", onSubmit);
    root.addEventListener("keydown", onKey);
    root.addEventListener("input", onInput);
    root.addEventListener("change", onChange);
    for (const kind of ["dragover", "dragleave", "drop"]) root.addEventListener(kind, onDrag);
    document.addEventListener("keydown", (event) => event.key === "Escape" && onEscape(event));
    window.addEventListener("hashchange", () => show(location.hash.slice(1)));
    draw();
  }

  async function draw() {
    document.documentElement.lang = state.lang === "en" ? "en" : "zh-CN";
    root.lang = document.documentElement.lang;
    document.title = words("name");
    root.innerHTML = gradio.props.value.shells[state.lang];
    state.turn = null;
    show(location.hash.slice(1));
    await open();
    $("#question")?.focus({ preventScroll: true });
  }

  async function open() {
    const page = await call("start", { conversation: state.conversation });
    if (!page) return;
    if (!page.ready) {
      $(".thread").innerHTML = page.html;
      if (!page.failed) setTimeout(open, POLL_MS);
      return;
    }
    $("select[name=place]").innerHTML = page.places;
    $("select[name=case]").innerHTML = page.cases;
    $(".list").innerHTML = page.conversations;
    setConversation(page.conversation, page.html);
    load(root.dataset.view);
  }

  function show(view) {
    const known = $$("[data-do=view]").map((tab) => tab.dataset.view);
    root.dataset.view = known.includes(view) ? view : "ask";
    for (const tab of $$("[data-do=view]")) {
      if (tab.dataset.view === root.dataset.view) tab.setAttribute("aria-current", "page");
      else tab.removeAttribute("aria-current");
    }
    root.classList.remove("rail-open");
    load(root.dataset.view);
  }

  function load(view) {
    if (view === "cases" && !$(".cases .sheet").childElementCount) loadCases();
    if (view === "documents") loadDocuments();
    if (view === "evaluate") followEvaluation();
  }

  function remembered(key, value) {
    try {
      if (value !== undefined) localStorage.setItem(`zhengwen.${key}`, value);
      return localStorage.getItem(`zhengwen.${key}`);
    } catch {
      return null; // storage may be switched off; the page then forgets between visits
    }
  }

  // ---- Conversations -----------------------------------------------------------------------

  function setConversation(id, html) {
    state.conversation = id;
    const url = new URL(location.href);
    if (id) url.searchParams.set("c", id);
    else url.searchParams.delete("c");
    history.replaceState(null, "", url);
    if (html !== undefined) {
      $(".thread").innerHTML = html;
      const turns = $$(".turn");
      const last = turns[turns.length - 1];
      closePane();
      last?.scrollIntoView({ block: "start" });
      if (last) openFirst(last);
    }
    for (const entry of $$(".list li")) {
      entry.setAttribute("aria-current", String(Number(entry.dataset.id) === id));
    }
  }

  async function choose(id) {
    if (state.run) {
      stop();
      finish(state.run);
    }
    const page = await call("conversation", { conversation: id });
    if (!page) return;
    setConversation(page.conversation, page.html);
    root.classList.remove("rail-open");
  }

  async function startNew() {
    await choose(0);
    $("#question").focus();
  }

  async function listConversations() {
    const query = $("[data-on=find-conversation]").value;
    const page = await call("conversations", { query, conversation: state.conversation });
    if (page) $(".list").innerHTML = page.html;
  }

  function rename(entry) {
    const name = entry.querySelector(".name");
    const input = document.createElement("input");
    input.className = "renaming";
    input.value = name.textContent;
    input.maxLength = 80;
    input.setAttribute("aria-label", words("rename"));
    name.replaceWith(input);
    input.focus();
    input.select();
    let left = false;
    const leave = async (keep) => {
      if (left) return;
      left = true;
      if (keep && input.value.trim()) {
        await call("rename", { conversation: Number(entry.dataset.id), title: input.value });
      }
      listConversations();
    };
    input.addEventListener("blur", () => leave(true));
    input.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.isComposing) leave(true);
      if (event.key === "Escape") leave(false);
      event.stopPropagation();
    });
  }

  async function forget(entry) {
    if (!(await confirmed(words("delete_conversation"), words("delete")))) return;
    const id = Number(entry.dataset.id);
    if (!(await call("forget", { conversation: id }))) return;
    await listConversations();
    if (id === state.conversation) await choose(0);
  }

  function confirmed(text, yes) {
    const dialog = document.createElement("dialog");
    const question = document.createElement("p");
    question.textContent = text;
    dialog.setAttribute("aria-label", text);
    const acts = document.createElement("div");
    acts.className = "acts";
    for (const [label, value, look] of [[words("cancel"), "", "tb"], [yes, "yes", "primary"]]) {
      const button = document.createElement("button");
      button.textContent = label;
      button.className = look;
      button.addEventListener("click", () => dialog.close(value));
      acts.append(button);
    }
    dialog.append(question, acts);
    root.append(dialog);
    dialog.showModal();
    return new Promise((resolve) => {
      dialog.addEventListener("close", () => {
        dialog.remove();
        resolve(dialog.returnValue === "yes");
      });
    });
  }

  // ---- Asking ------------------------------------------------------------------------------

  function ask(question, retry = 0) {
    question = question.trim();
    if (!question || state.run) return;
    const thread = $(".thread");
    thread.querySelector(".welcome")?.remove();
    const live = document.createElement("article");
    live.className = "turn live";
    const heading = document.createElement("h2");
    heading.className = "q";
    heading.append(Object.assign(document.createElement("span"), { textContent: question }));
    live.append(heading);
    thread.append(live);
    live.scrollIntoView({ block: "start" });
    state.run = `${Date.now()}-${Math.random().toString(36).slice(2)}`;
    root.classList.add("running");
    gradio.trigger("ask", {
      run: state.run,
      question,
      retry,
      lang: state.lang,
      conversation: state.conversation,
      place: $("select[name=place]").value,
      case: $("select[name=case]").value,
    });
    watch(state.run);
  }

  /* If the service dies in the middle of an answer no update will ever come: ask it now and then. */
  async function watch(run) {
    let silent = 0;
    while (state.run === run) {
      await new Promise((done) => setTimeout(done, WATCH_MS));
      if (state.run !== run) return;
      const page = await call("alive", { run });
      silent = page && page.alive ? 0 : silent + 1;
      if (silent < 2 || state.run !== run) continue;
      const waiting = $(".turn.live .progress");
      if (waiting) {
        waiting.className = "warn";
        waiting.textContent = words("offline");
      }
      finish(run);
    }
  }

  function finish(run) {
    if (state.run !== run) return;
    state.run = "";
    root.classList.remove("running");
    $(".turn.live")?.classList.remove("live");
  }

  function onAnswer(update) {
    if (!update || update.run !== state.run) return;
    const live = $(".turn.live");
    if (live) live.outerHTML = update.html;
    if (!update.done) return;
    finish(update.run);
    const box = $("#question");
    if (update.failed && !box.value) {
      box.value = update.question; // to be mended, not typed again
      grow(box);
    }
    const turns = $$(".turn");
    const last = turns[turns.length - 1];
    if (update.conversation) setConversation(update.conversation);
    if (update.conversations) $(".list").innerHTML = update.conversations;
    setConversation(state.conversation);
    last.scrollIntoView({ block: "nearest" });
    openFirst(last);
  }

  function stop() {
    if (state.run) call("stop", { run: state.run });
  }

  // ---- Sources -----------------------------------------------------------------------------

  const citationsOf = (turn) => JSON.parse(turn.dataset.citations || "[]");

  function openFirst(turn) {
    // A refusal has no source; its nearest passages are opened only when asked for.
    if (wide() && turn.querySelector(".cite")) cite(turn, 0);
    else if (wide()) closePane();
  }

  /* A click on an older answer shows its sources in the pane that shows another's. */
  function choosesAnswer(target) {
    const turn = target.closest(".turn[data-citations] .body")?.closest(".turn");
    const other = turn && turn !== state.turn && !$(".pane").hidden;
    if (wide() && other && !getSelection().toString()) cite(turn, 0);
  }

  async function cite(turn, position, opener = null) {
    const citations = citationsOf(turn);
    if (!citations.length) return;
    position = (position + citations.length) % citations.length;
    const nearest = turn.classList.contains("refused");
    const page = await call("source", { citations, position, nearest });
    if (!page) return;
    Object.assign(state, { turn, position });
    if (opener) state.opener = opener;
    const pane = $(".pane");
    const wasOpen = !pane.hidden;
    pane.innerHTML = page.html;
    pane.hidden = false;
    for (const mark of $$("[data-do=cite]")) {
      const on = mark.closest(".turn") === turn && Number(mark.dataset.c) === position;
      mark.classList.toggle("on", on);
    }
    settle(pane);
    if (!wide() && !wasOpen) pane.querySelector("[data-role=back]")?.focus();
  }

  function settle(pane) {
    const box = pane.querySelector(".text");
    const hit = box?.querySelector("mark");
    if (!hit) return;
    box.scrollTop += hit.getBoundingClientRect().top - box.getBoundingClientRect().top - box.clientHeight / 4;
    const at = [...box.querySelectorAll("[data-at]")].filter((b) => b.compareDocumentPosition(hit) & 20).pop();
    const here = [...pane.querySelectorAll(".outline [data-at]")]
      .filter((entry) => at && Number(entry.dataset.at) <= Number(at.dataset.at))
      .pop();
    here?.classList.add("here");
  }

  function closePane() {
    const pane = $(".pane");
    if (!pane || pane.hidden) return;
    pane.hidden = true;
    for (const mark of $$("[data-do=cite].on")) mark.classList.remove("on");
    state.opener?.focus?.({ preventScroll: true });
    state.opener = null;
  }

  function jump(button) {
    const box = button.closest(".pane, .reader").querySelector(".text");
    const block = box.querySelector(`[data-at="${Number(button.dataset.at)}"]`);
    if (!block) return;
    box.scrollTop += block.getBoundingClientRect().top - box.getBoundingClientRect().top - 16;
    for (const entry of button.closest("ol").querySelectorAll("button")) {
      entry.classList.toggle("here", entry === button);
    }
    if (!wide()) button.closest("details").open = false;
  }

  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // The clipboard needs https or localhost; elsewhere the old way still works.
      const area = document.createElement("textarea");
      area.value = text;
      root.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    toast(words("copied"));
  }

  async function rate(button) {
    const turn = button.closest(".turn");
    const page = await call("rate", {
      message: Number(turn.dataset.message),
      verdict: button.dataset.verdict,
      cause: button.dataset.cause || "",
    });
    if (!page) return;
    turn.querySelector(".rating").outerHTML = page.html;
  }

  // ---- Cases -------------------------------------------------------------------------------

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
    show("ask");
    history.replaceState(null, "", `${location.pathname}${location.search}#ask`);
    const select = $("select[name=case]");
    select.value = `${button.dataset.document}:${button.dataset.case}`;
    $("select[name=place]").value = "";
    markScope();
    $("#question").focus();
  }

  function markScope() {
    for (const select of $$(".scope select")) select.classList.toggle("set", Boolean(select.value));
  }

  // ---- Documents ---------------------------------------------------------------------------

  async function loadDocuments() {
    const page = await call("documents");
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
      call("cancel");
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

  async function sendFiles() {
    state.sending = true;
    while (state.files.length) {
      const entry = state.files.shift();
      const bar = Object.assign(document.createElement("progress"), { max: 100 });
      entry.row.append(bar);
      stateOf(entry, words("upload_sending"));
      try {
        const sent = await gradio.upload(entry.file);
        stateOf(entry, words("upload_reading"));
        const done = gradio.server.page_add({ path: sent.path, name: entry.file.name, lang: state.lang });
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
      await new Promise((tick) => setTimeout(tick, POLL_MS));
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
    const page = await call("remove", { document: Number(button.dataset.document) });
    if (page) $(".documents .table").innerHTML = page.html;
    refreshScope();
  }

  // ---- Evaluation --------------------------------------------------------------------------

  let following = false;
  async function followEvaluation(begin = false) {
    if (following) return;
    following = true;
    let page = await call("evaluation", { begin });
    while (page) {
      $(".run").innerHTML = page.progress;
      if (page.html) $(".result").innerHTML = page.html;
      if (!page.running) break;
      await new Promise((tick) => setTimeout(tick, POLL_MS));
      page = await call("evaluation", { begin: false });
    }
    following = false;
  }

  // ---- Events ------------------------------------------------------------------------------

  const actions = {
    view: (b) => {
      location.hash = b.dataset.view;
      show(b.dataset.view);
    },
    lang: () => {
      state.lang = state.lang === "zh" ? "en" : "zh";
      remembered("lang", state.lang);
      draw();
    },
    rail: () => root.classList.toggle("rail-open"),
    "rail-close": () => root.classList.remove("rail-open"),
    new: startNew,
    choose: (b) => choose(Number(b.closest("li").dataset.id)),
    rename: (b) => rename(b.closest("li")),
    forget: (b) => forget(b.closest("li")),
    example: (b) => ask(b.dataset.text),
    edit: (b) => {
      const box = $("#question");
      box.value = b.dataset.text;
      grow(box);
      box.focus();
    },
    retry: (b) => {
      const turn = b.closest(".turn");
      ask(turn.dataset.question, Number(turn.dataset.message) || 0);
    },
    stop,
    cite: (b) => cite(b.closest(".turn"), Number(b.dataset.c), b),
    previous: () => cite(state.turn, state.position - 1),
    next: () => cite(state.turn, state.position + 1),
    "close-pane": closePane,
    jump,
    copy: (b) => copy(b.dataset.text),
    rate,
    filter: (b) => {
      state.cases[b.dataset.name] = b.dataset.value;
      loadCases();
    },
    "read-case": (b) =>
      readInto("cases", "case", { document: Number(b.dataset.document), case: Number(b.dataset.case) }),
    "ask-case": askCase,
    "close-reader": (b) => (b.closest(".reader").hidden = true),
    preview: (b) => readInto("documents", "preview", { document: Number(b.dataset.document) }),
    "remove-document": removeDocument,
    evaluate: () => followEvaluation(true),
  };

  function onClick(event) {
    for (const menu of $$("details.menu[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
    const button = event.target.closest("[data-do]");
    if (!button) choosesAnswer(event.target);
    if (!button || !root.contains(button) || button.disabled) return;
    event.preventDefault();
    const menu = button.closest("details.menu");
    if (menu) menu.open = false;
    actions[button.dataset.do]?.(button);
  }

  async function describe(form) {
    const typed = Object.fromEntries(new FormData(form));
    const page = await call("describe", { ...typed, document: Number(form.dataset.document) });
    if (!page) return;
    $(".documents .table").innerHTML = page.html;
    toast(words("saved"));
    refreshScope();
  }

  function onSubmit(event) {
    event.preventDefault();
    if (event.target.matches(".about")) {
      describe(event.target);
      return;
    }
    const box = $("#question");
    if (state.run || !box.value.trim()) return;
    const question = box.value;
    box.value = "";
    grow(box);
    ask(question);
  }

  function onKey(event) {
    // Enter also confirms a word in a Chinese input method: isComposing (229 in old browsers).
    if (event.target.id !== "question" || event.isComposing || event.keyCode === 229) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      event.target.form.requestSubmit();
    }
  }

  function onEscape() {
    if ($("dialog[open]")) return;
    const menu = $("details.menu[open]");
    if (menu) {
      menu.open = false;
      menu.querySelector("summary").focus();
    } else if (state.run) stop();
    else if (root.classList.contains("rail-open")) root.classList.remove("rail-open");
    else {
      const reader = $$(".reader").find((r) => !r.hidden && r.offsetParent);
      if (reader) reader.hidden = true;
      else if (root.dataset.view === "ask") closePane();
    }
  }

  let typing;
  function onInput(event) {
    const box = event.target;
    if (box.id === "question") grow(box);
    const later = { "find-conversation": listConversations, "find-case": findCase }[box.dataset.on];
    if (!later) return;
    clearTimeout(typing);
    typing = setTimeout(() => later(box), 200);
  }

  async function findCase(box) {
    state.cases.words = box.value;
    await loadCases();
    const again = $("[data-on=find-case]");
    again.focus();
    again.setSelectionRange(again.value.length, again.value.length);
  }

  function onChange(event) {
    if (event.target.dataset.on === "files") {
      addFiles(event.target.files);
      event.target.value = "";
    } else if (event.target.tagName === "SELECT") markScope();
  }

  function onDrag(event) {
    if (root.dataset.view !== "documents") return;
    event.preventDefault();
    const over = event.type === "dragover";
    $(".drop").classList.toggle("over", over);
    if (event.type === "drop") addFiles(event.dataTransfer.files);
  }

  function grow(box) {
    box.style.height = "auto";
    box.style.height = `${Math.min(box.scrollHeight, 200)}px`;
  }

  window.zhengwen = { mount, onAnswer };
})();
