// Copies text: `data-copy="the text"`, or `data-copy-from="#id"` for an element's own text.
async function write(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // Plain http on another machine: browsers keep the clipboard interface for secure pages.
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  if (!copied) throw new Error("refused");
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy], [data-copy-from]");
  if (!button) return;
  const source = button.dataset.copyFrom && document.querySelector(button.dataset.copyFrom);
  const text = source ? (source.value ?? source.textContent) : button.dataset.copy;
  try {
    await write(text.trim());
    document.dispatchEvent(new CustomEvent("toast", { detail: { text: "Copied" } }));
  } catch {
    const detail = { text: "The browser refused to copy. Select the text and copy it.", tone: "warn" };
    document.dispatchEvent(new CustomEvent("toast", { detail }));
  }
});
