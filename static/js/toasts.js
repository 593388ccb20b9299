// Short messages at the edge: those of the page, those an answer sends along (`HX-Trigger: toast`),
// and one for every request that htmx could not finish. `data-toasts` is the live region.
const region = document.querySelector("[data-toasts]");
const SHOWN_MS = 6000;

function dismissLater(toast) {
  let timer;
  const start = () => { timer = setTimeout(() => toast.remove(), SHOWN_MS); };
  toast.addEventListener("mouseenter", () => clearTimeout(timer));
  toast.addEventListener("mouseleave", start);
  toast.addEventListener("focusin", () => clearTimeout(timer));
  start();
}

function addCloseButton(toast) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "btn quiet sm";
  button.textContent = "Close";
  button.addEventListener("click", () => toast.remove());
  toast.append(button);
}

// A page that polls meets the same trouble again and again: it is said once while it is seen.
function isShown(text) {
  return [...region.querySelectorAll("span")].some((one) => one.textContent === text);
}

function show(text, tone = "") {
  if (isShown(text)) return;
  const toast = document.createElement("div");
  toast.className = `toast ${tone}`.trim();
  const words = document.createElement("span");
  words.textContent = text;
  toast.append(words);
  region.append(toast);
  adopt(toast);
}

// What went wrong stays until it is closed; the rest leaves by itself.
function adopt(toast) {
  if (toast.matches(".error, .bad, .warning, .warn")) addCloseButton(toast);
  else dismissLater(toast);
}

function isWholePage(text) {
  return /^\s*<!doctype/i.test(text);
}

if (region) {
  region.querySelectorAll(".toast").forEach(adopt);

  document.addEventListener("toast", ({ detail }) => show(detail.text ?? detail.value, detail.tone));

  // An empty or a whole page's refusal must not replace a part of this page.
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr } = event.detail;
    if (xhr.status < 400 || xhr.status >= 500) return;
    if (xhr.responseText.trim() !== "" && !isWholePage(xhr.responseText)) return;
    event.detail.shouldSwap = false;
    if (!xhr.getResponseHeader("HX-Trigger")) {
      show(`The server refused this (${xhr.status} ${xhr.statusText}). Nothing was changed.`, "error");
    }
  });
  document.addEventListener("htmx:responseError", ({ detail }) => {
    if (!detail.xhr.getResponseHeader("HX-Trigger")) {
      show(`The server failed (${detail.xhr.status}). What you typed is still here; try again.`, "error");
    }
  });
  document.addEventListener("htmx:sendError", () => {
    show("The server does not answer. What you typed is still here; try again.", "error");
  });
  document.addEventListener("htmx:timeout", () => {
    show("The server took too long. What you typed is still here; try again.", "error");
  });
}
