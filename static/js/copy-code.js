// Copies the code of the block that a `data-copy-code` button stands in.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy-code]");
  const code = button?.parentElement.querySelector("pre");
  if (!code) return;
  const say = (text, tone) => document.dispatchEvent(new CustomEvent("toast", { detail: { text, tone } }));
  try {
    await navigator.clipboard.writeText(code.textContent);
    say("Copied");
  } catch {
    say("The browser refused to copy. Select the code and copy it.", "warn");
  }
});
