// Light, dark or as the system says. Loaded in <head> without defer, so that the page is never
// painted in the other theme first. `data-theme-switch` toggles, radios in `data-theme-choice` choose.
(() => {
  const root = document.documentElement;
  const themes = ["light", "dark"];
  const read = () => { try { return localStorage.getItem("theme"); } catch { return null; } };
  const keep = (theme) => {
    try {
      if (theme) localStorage.setItem("theme", theme);
      else localStorage.removeItem("theme");
    } catch { /* storage is switched off: the choice holds for this page */ }
  };
  const apply = (theme) => {
    if (themes.includes(theme)) root.dataset.theme = theme;
    else delete root.dataset.theme;
    // Figures that are drawn from the tokens are drawn again by whoever listens.
    document.dispatchEvent(new CustomEvent("themechange"));
  };
  const systemIsDark = () => matchMedia("(prefers-color-scheme: dark)").matches;
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : systemIsDark());

  apply(read());

  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-theme-switch]")) return;
    const next = isDark() ? "light" : "dark";
    apply(next);
    keep(next);
  });

  document.addEventListener("change", (event) => {
    if (!event.target.closest("[data-theme-choice]")) return;
    apply(event.target.value);
    keep(themes.includes(event.target.value) ? event.target.value : "");
  });

  document.addEventListener("DOMContentLoaded", () => {
    const chosen = root.dataset.theme ?? "system";
    const radio = document.querySelector(`[data-theme-choice] input[value="${chosen}"]`);
    if (radio) radio.checked = true;
  });

  // Another tab of the same browser changed it.
  addEventListener("storage", (event) => { if (event.key === "theme") apply(event.newValue); });
})();
