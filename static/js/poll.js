// Elements that poll (`data-poll`) ask ten times less often while the tab is hidden, and those
// that only show what is new (`data-poll="seen-only"`) not at all.
const HIDDEN_EVERY_MS = 10_000;
let askedAt = 0;

function isWanted(element) {
  if (!document.hidden) return true;
  return element.dataset.poll !== "seen-only" && performance.now() - askedAt >= HIDDEN_EVERY_MS;
}

document.addEventListener("htmx:beforeRequest", (event) => {
  if (!event.target.matches("[data-poll]")) return;
  if (isWanted(event.target)) askedAt = performance.now();
  else event.preventDefault();
});
