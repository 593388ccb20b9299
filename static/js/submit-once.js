// A form that was sent is not sent twice: its buttons wait, `data-busy="Testing…"` says for what.
const buttonsOf = (form) => [...form.querySelectorAll("button:not([type=button]), input[type=submit]")];

function wait(form) {
  for (const button of buttonsOf(form)) {
    button.disabled = true;
    button.setAttribute("aria-busy", "true");
    if (button.dataset.busy) {
      button.dataset.label = button.innerHTML;
      button.textContent = button.dataset.busy;
    }
  }
}

function release(form) {
  for (const button of buttonsOf(form).filter((one) => one.hasAttribute("aria-busy"))) {
    button.disabled = false;
    button.removeAttribute("aria-busy");
    if (button.dataset.label) button.innerHTML = button.dataset.label;
    delete button.dataset.label;
  }
}

const isPost = (element) => element.matches?.("form") && (element.method === "post" || element.hasAttribute("hx-post"));

document.addEventListener("submit", (event) => {
  if (event.defaultPrevented || !isPost(event.target)) return;
  // After the browser has read the form: a disabled button's own value would not be sent.
  setTimeout(() => wait(event.target));
});
document.addEventListener("htmx:beforeSend", ({ target }) => isPost(target) && wait(target));
document.addEventListener("htmx:afterRequest", ({ target }) => isPost(target) && release(target));

// Back from the browser's page cache, the form may be sent again.
addEventListener("pageshow", () => document.querySelectorAll("form").forEach(release));
