// Asks before a form with `data-confirm="Question?"` is sent; `data-confirm-text` explains,
// `data-confirm-yes` names the button. Without script the form is simply sent.
const dialog = document.querySelector("#confirm");
let waiting = null;

function ask(element, goOn) {
  waiting = goOn;
  dialog.querySelector("[data-question]").textContent = element.dataset.confirm;
  dialog.querySelector("[data-explanation]").textContent = element.dataset.confirmText ?? "";
  const yes = dialog.querySelector("[value=yes]");
  yes.textContent = element.dataset.confirmYes ?? "Go on";
  yes.classList.toggle("danger", "confirmDanger" in element.dataset);
  dialog.showModal();
}

if (dialog) {
  dialog.addEventListener("click", (event) => {
    const answer = event.target.closest("button")?.value;
    if (answer) dialog.close(answer);
  });
  dialog.addEventListener("close", () => {
    const goOn = waiting;
    waiting = null;
    if (dialog.returnValue === "yes") goOn?.();
    dialog.returnValue = "";
  });

  // In the capture phase, so that htmx does not hear of it before the answer.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    const asking = event.submitter?.dataset.confirm ? event.submitter : form;
    if (!asking.dataset.confirm) return;
    if (form.dataset.confirmed) {
      delete form.dataset.confirmed;
      return;
    }
    event.preventDefault();
    event.stopImmediatePropagation();
    const { submitter } = event;
    ask(asking, () => {
      form.dataset.confirmed = "yes";
      form.requestSubmit(submitter);
    });
  }, true);
}
