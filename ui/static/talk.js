/* Conversations, questions and the sources of their answers. */
((z) => {
  "use strict";

  const WATCH_MS = 3000;
  const { state, $, $$, wide, pause, call, words, toast, confirmed, remembered, grow } = z;

  // ---- The list of conversations -------------------------------------------------------------

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
    z.root.classList.remove("rail-open");
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

  // ---- Asking --------------------------------------------------------------------------------

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
    z.root.classList.add("running");
    z.gradio.ask({
      run: state.run,
      question,
      retry,
      lang: state.lang,
      conversation: state.conversation,
      ...Object.fromEntries($$(".scope select").map((select) => [select.name, select.value])),
    });
    watch(state.run);
  }

  /* If the service dies in the middle of an answer no update will ever come: ask it now and then. */
  async function watch(run) {
    let silent = 0;
    while (state.run === run) {
      await pause(WATCH_MS);
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
    z.root.classList.remove("running");
    $(".turn.live")?.classList.remove("live");
  }

  function onAnswer(update) {
    if (!update || update.run !== state.run) return;
    const live = $(".turn.live");
    if (live) live.outerHTML = update.html;
    if (!update.done) return;
    finish(update.run);
    if (update.conversations) $(".list").innerHTML = update.conversations;
    const conversation = update.conversation || state.conversation;
    if (!live) {
      choose(conversation); // the page was drawn anew in the other language meanwhile
      return;
    }
    const box = $("#question");
    if (update.failed && !box.value) {
      box.value = update.question; // to be mended, not typed again
      grow(box);
    }
    const turns = $$(".turn");
    const last = turns[turns.length - 1];
    setConversation(conversation);
    last.scrollIntoView({ block: "nearest" });
    openFirst(last);
  }

  function stop() {
    if (state.run) call("stop", { run: state.run });
  }

  // ---- Sources -------------------------------------------------------------------------------

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

  async function cite(turn, position, opener = null, whole = false) {
    const citations = citationsOf(turn);
    if (!citations.length) return;
    position = (position + citations.length) % citations.length;
    const nearest = turn.classList.contains("refused");
    const page = await call("source", { citations, position, nearest, whole });
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

  /* Open or folded as it was left; at first open where there is room for it. */
  function unfold(outline) {
    const left = remembered("outline");
    const room = wide() && window.innerHeight >= 800;
    outline.open = left === null ? room : left === "open";
    outline.querySelector("summary").addEventListener("click", () => {
      remembered("outline", outline.open ? "folded" : "open"); // the click is about to change it
    });
  }

  function settle(pane) {
    const outline = pane.querySelector(".outline");
    if (outline) unfold(outline);
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
      z.root.append(area);
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
      note: turn.querySelector(".rating input").value,
    });
    if (!page) return;
    turn.querySelector(".rating").outerHTML = page.html;
  }

  Object.assign(z, { setConversation, choose, startNew, listConversations, rename, forget });
  Object.assign(z, { ask, onAnswer, stop, cite, choosesAnswer, closePane, jump, copy, rate });
})(window.zhengwen);
