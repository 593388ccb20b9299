// Keys: `/` finds, `g` then a letter goes to a page (`data-go`), `j` and `k`, in a list
// the arrows too, walk the rows of a table, `x` ticks a row, `?` lists all. All are shortcuts to links that are there anyway.
const CHORD_MS = 1500;
let goingUntil = 0;

const isTyping = (target) => target.closest?.("input, textarea, select, [contenteditable], dialog[open]");
const isVisible = (element) => element.getClientRects().length > 0;

function find() {
  const fields = [...document.querySelectorAll("[data-find]")].filter(isVisible);
  // The page's own search before the one in the rail.
  const field = fields.find((one) => one.closest("main")) ?? fields[0];
  field?.focus();
  field?.select();
  return Boolean(field);
}

function go(key) {
  const link = document.querySelector(`a[data-go="${CSS.escape(key)}"]`);
  link?.click();
  return Boolean(link);
}

function walk(step) {
  // A set, because an open row holds a table whose rows are found as well.
  const links = [...new Set([...document.querySelectorAll("main table tbody tr")]
    .filter(isVisible)
    .map((row) => row.querySelector("[data-row-link]") ?? row.querySelector("th a[href], a[href]"))
    .filter(Boolean))];
  if (!links.length) return false;
  const here = links.findIndex((link) => link.closest("tr").contains(document.activeElement));
  const next = here === -1 ? (step > 0 ? 0 : links.length - 1) : here + step;
  links[Math.min(Math.max(next, 0), links.length - 1)].focus();
  return true;
}

// Arrows walk the rows of a list only: from a row, from its search field, or from nowhere. Pages
// without a list, and everything else that has the focus, keep their arrows.
function walkByArrow(event) {
  if (!document.querySelector("main [data-row-link]")) return false;
  const at = event.target;
  const isFree = at === document.body || at.matches?.("main, main [data-find], [data-row-link]");
  return isFree && walk(event.key === "ArrowDown" ? 1 : -1);
}

function tick() {
  const box = document.activeElement?.closest("tr")?.querySelector("input.pick");
  box?.click();
  return Boolean(box);
}

function help() {
  const dialog = document.querySelector("#shortcuts");
  dialog?.showModal();
  return Boolean(dialog);
}

function handle(key) {
  if (performance.now() < goingUntil) {
    goingUntil = 0;
    return go(key);
  }
  if (key === "g") {
    goingUntil = performance.now() + CHORD_MS;
    return false;
  }
  if (key === "/") return find();
  if (key === "?") return help();
  if (key === "x") return tick();
  if (key === "j" || key === "k") return walk(key === "j" ? 1 : -1);
  return false;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    if (walkByArrow(event)) event.preventDefault();
    return;
  }
  if (isTyping(event.target)) return;
  if (handle(event.key)) event.preventDefault();
});

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-shortcuts]")) help();
});
