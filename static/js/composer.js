// The composer (`data-composer`): Ctrl or ⌘ + Enter sends, Esc stops, and nothing typed is lost:
// the draft, prompt (`data-draft`) and parameters (`data-drafts`), outlives reloads and expired
// sessions until it was sent.
const draftKey = "playground-draft";

const read = () => { try { return JSON.parse(sessionStorage.getItem(draftKey)) ?? {}; } catch { return {}; } };
const keep = (draft) => { try { sessionStorage.setItem(draftKey, JSON.stringify(draft)); } catch { /* private mode */ } };

const prompt = document.querySelector("[data-draft]");
const form = prompt?.closest("form");

function fit() {
  const lines = prompt.value.split("\n").length;
  prompt.rows = Math.min(12, Math.max(3, lines));
}

if (form) {
  const parameters = [...form.querySelectorAll("[data-drafts] [name]")];
  const draft = read();
  // What the server filled in (a link's prompt, a refused form) is newer than the draft.
  if (!prompt.value && draft.prompt) {
    prompt.value = draft.prompt;
    for (const field of parameters) field.value = draft[field.name] ?? field.value;
    // htmx listens once it has read the page.
    addEventListener("load", () => prompt.dispatchEvent(new Event("input", { bubbles: true })));
  }
  fit();
  // An example or a link filled it in: it can be sent, or changed, at once.
  if (new URLSearchParams(location.search).has("prompt") && matchMedia("(hover: hover)").matches) {
    prompt.focus();
    prompt.setSelectionRange(prompt.value.length, prompt.value.length);
  }

  form.addEventListener("input", () => {
    const typed = parameters.map((field) => [field.name, field.value]);
    keep({ ...Object.fromEntries(typed), prompt: prompt.value });
    fit();
  });

  form.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    form.requestSubmit(form.querySelector("[type=submit]"));
  });

  form.addEventListener("htmx:afterRequest", (event) => {
    // A 4xx is swapped in too, so "successful" to htmx: only a run that began empties the prompt.
    if (event.detail.elt !== form || event.detail.xhr.status !== 200 || isSignIn(event.detail.xhr)) return;
    document.querySelector("[data-examples]")?.remove();
    prompt.value = "";
    keep({});
    fit();
    // On a phone the keyboard would cover the answer.
    if (matchMedia("(hover: hover)").matches) prompt.focus({ preventScroll: true });
    prompt.dispatchEvent(new Event("input", { bubbles: true }));
  });

  // What the server marked is marked to everybody, and the first such field is shown.
  const mark = () => {
    for (const place of form.querySelectorAll(".error[id]")) {
      const field = form.querySelector(`[aria-describedby="${place.id}"]`);
      field.toggleAttribute("aria-invalid", false);
      if (place.textContent.trim()) field.setAttribute("aria-invalid", "true");
    }
    const first = form.querySelector("[aria-invalid]");
    if (!first) return;
    first.closest("details").open = true;
    first.focus();
  };
  form.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.elt !== form) return;
    if (event.detail.xhr.status === 200) form.querySelectorAll(".error[id]").forEach((place) => place.replaceChildren());
    mark();
  });

  // No answer, or one from the server's depths: say so where the other errors are said.
  const complain = (text) => {
    const place = form.querySelector("#composer-errors");
    place.innerHTML = '<p class="callout bad" role="alert"></p>';
    place.firstChild.textContent = text;
  };
  // After an expired session the sign-in page leads back here, where the draft waits.
  const isSignIn = (xhr) => xhr.responseURL && new URL(xhr.responseURL).pathname === form.dataset.signIn;
  form.addEventListener("htmx:sendError", () => complain("The server did not answer. What you typed is still here; send it again."));
  form.addEventListener("htmx:responseError", (event) => {
    if (event.detail.elt !== form || event.detail.xhr.status < 500) return;
    complain("The server failed. What you typed is still here; send it again.");
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || document.querySelector("dialog[open]")) return;
    [...document.querySelectorAll("[data-stop]")].at(-1)?.click();
  });
}
