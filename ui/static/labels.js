/* The office's own evaluation questions: their list, and the form in a dialog. */
((z) => {
  "use strict";

  const { $, call, words, toast, confirmed } = z;

  async function loadLabels() {
    const page = await call("questions");
    if (page) $(".office").innerHTML = page.html;
  }

  /* It begins with an answer, a kept question, or nothing, by where the button stands. */
  async function openLabel(button) {
    const page = await call("label", {
      message: Number(button.closest("[data-message]")?.dataset.message) || 0,
      question: Number(button.closest(".labels [data-id]")?.dataset.id) || 0,
    });
    if (!page) return;
    const dialog = document.createElement("dialog");
    dialog.className = "wide";
    dialog.innerHTML = page.html;
    dialog.setAttribute("aria-label", dialog.querySelector("h2").textContent);
    dialog.addEventListener("close", () => dialog.remove());
    z.root.append(dialog);
    dialog.showModal();
    dialog.querySelector("textarea").focus();
  }

  async function keepLabel(form) {
    const data = new FormData(form);
    const page = await call("keep_label", {
      ...Object.fromEntries(data),
      id: Number(form.dataset.id),
      evidence: data.getAll("evidence"),
    });
    if (!page) return;
    const warning = form.querySelector(".warn");
    warning.hidden = !page.problem;
    warning.textContent = page.problem || "";
    if (page.problem) return;
    form.closest("dialog").close();
    toast(words("label_saved"));
    loadLabels();
  }

  async function removeLabel(button) {
    if (!(await confirmed(words("delete_label"), words("delete")))) return;
    await call("unlabel", { question: Number(button.closest("[data-id]").dataset.id) });
    loadLabels();
  }

  Object.assign(z, { loadLabels, openLabel, keepLabel, removeLabel });
})(window.zhengwen);
