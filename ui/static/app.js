/* Puts the page up and hands its events to the parts. */
((z) => {
  "use strict";

  const POLL_MS = 400;
  const { state, $, $$, call, words, toast, remembered, grow } = z;
  const { setConversation, choose, startNew, listConversations, rename, forget, ask, stop } = z;
  const { cite, choosesAnswer, closePane, jump, copy, rate, loadCases, findCase, readInto } = z;
  const { askCase, fillScope, markScope, loadDocuments, addFiles, dropFiles, removeDocument } = z;
  const { describe, followEvaluation, followWatched } = z;
  const { loadLabels, openLabel, keepLabel, removeLabel } = z;
  let root;

  // ---- Start, language, views ----------------------------------------------------------------

  function mount(element, parts) {
    z.gradio = parts;
    root = z.root = element.querySelector("#zw");
    state.lang = remembered("lang") === "en" ? "en" : "zh";
    state.conversation = Number(new URLSearchParams(location.search).get("c")) || 0;
    root.addEventListener("click", onClick);
    root.addEventListener("submit", onSubmit);
    root.addEventListener("keydown", onKey);
    root.addEventListener("input", onInput);
    root.addEventListener("change", onChange);
    for (const kind of ["dragover", "dragleave", "drop"]) root.addEventListener(kind, onDrag);
    document.addEventListener("keydown", (event) => event.key === "Escape" && onEscape(event));
    window.addEventListener("beforeunload", (event) => state.sending && event.preventDefault());
    window.addEventListener("hashchange", () => show(location.hash.slice(1)));
    draw();
  }

  async function draw() {
    document.documentElement.lang = state.lang === "en" ? "en" : "zh-CN";
    root.lang = document.documentElement.lang;
    document.title = words("name");
    const uploads = $(".uploads"); // goes on while the language changes
    root.innerHTML = z.gradio.props.value.shells[state.lang];
    if (uploads) $(".uploads").replaceWith(uploads);
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
    fillScope(page);
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
    if (view === "documents") {
      loadDocuments();
      followWatched();
    }
    if (view === "evaluate") {
      loadLabels();
      followEvaluation();
    }
  }

  // ---- Events --------------------------------------------------------------------------------

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
    whole: () => cite(state.turn, state.position, null, true),
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
    "close-reader": (b) => {
      b.closest(".reader").hidden = true;
      if (b.closest(".documents")) state.decide?.(false);
    },
    decide: (b) => state.decide?.(b.dataset.answer === "add"),
    preview: (b) => !state.decide && readInto("documents", "preview", { document: Number(b.dataset.document) }),
    "more-documents": (b) => loadDocuments(Number(b.dataset.limit)),
    "remove-document": removeDocument,
    evaluate: () => followEvaluation(true),
    label: openLabel,
    unlabel: removeLabel,
    "close-dialog": (b) => b.closest("dialog").close(),
    "stop-evaluation": () => call("evaluation", { stop: true }),
  };

  function onClick(event) {
    for (const menu of $$("details.menu[open]")) {
      const chosen = event.target.closest("a");
      if (chosen || !menu.contains(event.target)) menu.open = false;
    }
    const button = event.target.closest("[data-do]");
    if (!button) choosesAnswer(event.target);
    if (!button || !root.contains(button) || button.disabled) return;
    event.preventDefault();
    const menu = button.closest("details.menu");
    if (menu) menu.open = false;
    actions[button.dataset.do]?.(button);
  }

  function onSubmit(event) {
    event.preventDefault();
    if (event.target.matches(".about")) {
      describe(event.target);
      return;
    }
    if (event.target.matches(".label")) {
      keepLabel(event.target);
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
      if (reader) reader.querySelector("[data-do=close-reader]").click();
      else if (root.dataset.view === "ask") closePane();
    }
  }

  let typing;
  function onInput(event) {
    const box = event.target;
    if (box.id === "question") grow(box);
    const searches = {
      "find-conversation": listConversations,
      "find-case": findCase,
      "find-document": () => loadDocuments(),
    };
    const later = searches[box.dataset.on];
    if (!later) return;
    clearTimeout(typing);
    typing = setTimeout(() => later(box), 200);
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
    if (event.type === "drop") dropFiles(event.dataTransfer);
  }

  Object.assign(z, { mount, show });
})(window.zhengwen);
