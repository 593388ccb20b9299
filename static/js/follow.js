// Keeps the end of a growing answer (`data-follow`) in view, only for a reader who is there:
// text is never moved under someone who has scrolled away to read.
const near = 240;
const gap = 24;
let isThere = false;

/** What lies over the window's end: the sticky composer, or a phone's bar of pages. */
function covered() {
  const over = [...document.querySelectorAll("[data-composer], .rail")].filter((one) => {
    const { position, bottom } = getComputedStyle(one);
    const isAtEnd = one.getBoundingClientRect().top > innerHeight / 3;
    return isAtEnd && (position === "sticky" || position === "fixed") && bottom !== "auto";
  });
  return gap + Math.max(0, ...over.map((one) => innerHeight - one.getBoundingClientRect().top));
}

/** How far the answer's end is below what can be seen. */
const hidden = (answer) => answer.getBoundingClientRect().bottom - (innerHeight - covered());

function follow(answer) {
  const far = hidden(answer);
  if (isThere && far > 0) scrollBy({ top: far });
}

/** What was just sent is where the reader looks, wherever the page stood before. */
function show(answer) {
  const said = answer.previousElementSibling ?? answer;
  const above = said.getBoundingClientRect().top - gap;
  if (above < 0) scrollBy({ top: above });
  isThere = true;
  follow(answer);
}

document.addEventListener("htmx:sseBeforeMessage", (event) => {
  const answer = event.target.closest("[data-follow]");
  if (answer) isThere = hidden(answer) < near;
});
document.addEventListener("htmx:sseMessage", (event) => {
  const answer = event.target.closest("[data-follow]");
  if (answer) follow(answer);
});
// A new answer, and the finished one that takes the place of the one that grew.
document.addEventListener("htmx:load", ({ detail: { elt } }) => {
  if (elt.matches("[data-follow]")) show(elt);
  else if (elt.matches("#talk > .answer")) follow(elt);
  // Other models to ask, which the reader has just called for.
  else if (elt.matches(".others")) scrollBy({ top: Math.max(0, hidden(elt)) });
});
