/* What every part of the page's script needs: its state, calls to the server, messages.
 *
 * The server sends finished, escaped markup; the script puts it in place. Nothing here builds
 * markup out of text: what a person typed is only ever set as textContent.
 */
window.zhengwen = {};
((z) => {
  "use strict";

  const WIDE = 1181; // px from which the source pane opens by itself

  const state = {
    lang: "zh",
    conversation: 0, // 0 = not kept yet
    run: "", // the question being answered
    turn: null, // the message whose sources are in the pane
    position: 0,
    opener: null, // what to focus again when the pane closes
    cases: { place: "", theme: "", words: "" },
    queue: [], // files of this visit, with the stage they are in
    sending: false, // whether files are being added
    decide: null, // takes the answer to whether the previewed file is to be added
  };

  const $ = (selector) => z.root.querySelector(selector);
  const $$ = (selector) => [...z.root.querySelectorAll(selector)];
  const wide = () => window.innerWidth >= WIDE;
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));

  async function call(name, payload = {}) {
    try {
      const answer = await z.gradio.server[`page_${name}`]({ ...payload, lang: state.lang });
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

  const words = (key) => z.gradio.props.value.words[state.lang][key];

  let toastTimer;
  function toast(text) {
    const box = $(".toast");
    box.textContent = text;
    box.classList.add("show");
    clearTimeout(toastTimer);
    toastTimer = setTimeout(() => box.classList.remove("show"), 4200);
  }

  function remembered(key, value) {
    try {
      if (value !== undefined) localStorage.setItem(`zhengwen.${key}`, value);
      return localStorage.getItem(`zhengwen.${key}`);
    } catch {
      return null; // storage may be switched off; the page then forgets between visits
    }
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
    z.root.append(dialog);
    dialog.showModal();
    return new Promise((resolve) => {
      dialog.addEventListener("close", () => {
        dialog.remove();
        resolve(dialog.returnValue === "yes");
      });
    });
  }

  function grow(box) {
    box.style.height = "auto";
    box.style.height = `${Math.min(box.scrollHeight, 200)}px`;
  }

  Object.assign(z, { state, $, $$, wide, pause, call, words, toast, remembered, confirmed, grow });
})(window.zhengwen);
