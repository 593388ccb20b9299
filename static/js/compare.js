// Models ticked in the catalog's list, kept while its pages and filters change; the bar says which.
const KEY = "compare";
const bar = document.querySelector("[data-compare]");
const most = Number(bar.dataset.compare);
const words = bar.querySelector("[data-words]");
const list = bar.querySelector("[data-chosen]");
const clear = bar.querySelector("[data-clear]");
const chosen = new Map(read());

function read() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) ?? "[]").slice(0, most);
  } catch {
    return [];
  }
}

function keep() {
  try {
    sessionStorage.setItem(KEY, JSON.stringify([...chosen]));
  } catch {
    // A browser that keeps nothing still compares what is ticked on this page.
  }
}

function chip(slug, name) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "chip on";
  button.dataset.drop = slug;
  button.setAttribute("aria-label", `Do not compare ${name}`);
  button.textContent = `${name} ×`;
  return button;
}

function told() {
  if (!chosen.size) return "";
  return chosen.size === 1 ? "1 model chosen; tick another." : `${chosen.size} of ${most} models chosen`;
}

function show(sentence = told()) {
  bar.hidden = chosen.size === 0;
  words.textContent = sentence;
  words.classList.toggle("warn", sentence !== told());
  list.replaceChildren(...[...chosen].map(([slug, name]) => chip(slug, name)));
  clear.hidden = false;
  document.querySelectorAll("input.pick").forEach((box) => { box.checked = chosen.has(box.value); });
}

function pick(box) {
  if (!box.checked) chosen.delete(box.value);
  else if (chosen.size < most) chosen.set(box.value, box.dataset.name);
  else {
    const sentence = `Four models at most stand side by side. Take one away before you add ${box.dataset.name}.`;
    return show(sentence);
  }
  keep();
  return show();
}

document.addEventListener("change", (event) => {
  if (event.target.matches("input.pick")) pick(event.target);
});
bar.addEventListener("click", (event) => {
  const drop = event.target.closest("[data-drop]");
  if (!drop && !event.target.closest("[data-clear]")) return;
  if (drop) chosen.delete(drop.dataset.drop);
  else chosen.clear();
  keep();
  show();
});
// Also those that are on another page of the list.
bar.addEventListener("submit", (event) => {
  event.preventDefault();
  location.assign(`${bar.action}?models=${[...chosen.keys()].map(encodeURIComponent).join(",")}`);
});
document.addEventListener("htmx:afterSettle", () => show());
document.addEventListener("htmx:historyRestore", () => show());
addEventListener("pageshow", () => show());
