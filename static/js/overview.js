// The overview's chart and its legend, from the numbers that come with each news (`data-numbers`).
// htmx swaps everything else.
(() => {
  let shown = document.getElementById("overview-poll")?.dataset.numbers;

  document.addEventListener("htmx:oobAfterSwap", () => {
    const told = document.getElementById("overview-poll").dataset.numbers;
    if (!told || told === shown) return;
    shown = told;
    const numbers = JSON.parse(told);
    document.dispatchEvent(new CustomEvent("chartnumbers", { detail: numbers }));
    for (const element of document.querySelectorAll("[data-total]")) {
      element.textContent = numbers.totals[element.dataset.total];
    }
  });
})();
