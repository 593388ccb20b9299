// The tuning form: marks what was changed, finds settings while somebody types, resets in place.
(() => {
  const form = document.querySelector("#tuning-form");
  const search = document.querySelector("[data-find-setting]");
  if (!form || !search) return;

  const rows = [...form.querySelectorAll("[data-setting]")];
  const groups = [...form.querySelectorAll("[data-group]")];
  const wasOpen = new Map(groups.map((group) => [group, group.open]));

  form.addEventListener("input", ({ target }) => {
    if (!("own" in target.dataset)) return;
    const isChanged = target.value.trim() !== target.dataset.own;
    target.closest("[data-setting]").classList.toggle("changed", isChanged);
    target.classList.toggle("changed", isChanged);
  });

  form.addEventListener("click", (event) => {
    const button = event.target.closest("[data-reset]");
    if (!button) return;
    event.preventDefault();
    const field = form.elements[button.value];
    field.value = "";
    field.dispatchEvent(new Event("input", { bubbles: true }));
    field.focus();
  });

  search.addEventListener("input", () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let found = 0;
    for (const row of rows) {
      row.hidden = !words.every((word) => row.dataset.setting.includes(word));
      found += !row.hidden;
    }
    for (const group of groups) {
      const hasSome = group.querySelector("[data-setting]:not([hidden])") !== null;
      group.hidden = !hasSome;
      group.open = words.length ? hasSome : wasOpen.get(group);
    }
    form.querySelector("[data-nothing-found]").hidden = found > 0;
  });
  search.addEventListener("keydown", (event) => { if (event.key === "Enter") event.preventDefault(); });
})();
