// Keeps the page of [data-live] up to date from its event stream: hands the numbers to the charts,
// fills in texts and parts, says how far behind it is. Sleeps while the tab is hidden.
//
// A state may hold: `texts` and `parts` (HTML), by the name in data-live-text or data-live-part;
// `times` and `columns`, or `charts` by the figure's id, for the charts; and `tiles`, `totals` of
// the page of traffic. Every five seconds the body hears a "liveTick", for what htmx fetches.
// A page that is "held" (body[data-live-held]) shows nothing new until it is let go.
(() => {
  const root = document.querySelector("[data-live]");
  if (!root) return;

  const BEAT_MS = 2_000; // the server sends something at least this often
  const TICK_MS = 5_000; // how often the parts that htmx fetches are fetched again
  const LONGEST_PAUSE_MS = 30_000;

  let source = null;
  let heardAt = performance.now();
  let tickedAt = heardAt;
  let pauseMs = BEAT_MS;
  let retry = 0;

  const fill = (attribute, values, write) => {
    for (const element of document.querySelectorAll(`[${attribute}]`)) {
      const value = values[element.getAttribute(attribute)];
      if (value !== undefined) write(element, value);
    }
  };
  const text = (element, value) => {
    if (element.textContent !== value) element.textContent = value;
  };

  // What is unchanged stays: a row someone has tabbed into, or is about to click.
  const parts = new WeakMap();
  const part = (element, html) => {
    if (parts.get(element) === html) return;
    parts.set(element, html);
    htmx.swap(element, html, { swapStyle: "innerHTML" });
  };

  const show = (state) => {
    // Nor does a question lose the row it was asked about.
    if ("liveHeld" in document.body.dataset || document.querySelector("dialog[open]")) return;
    // The page of an empty house has no charts to fill; with its first call it gets them.
    if ("empty" in root.dataset) {
      if (state.calls) location.reload();
      return;
    }
    if (state.columns || state.charts) {
      document.dispatchEvent(new CustomEvent("chartnumbers", { detail: state }));
    }
    fill("data-live-text", state.texts ?? {}, text);
    fill("data-live-part", state.parts ?? {}, part);
    const tiles = Object.fromEntries((state.tiles ?? []).map((tile) => [tile.key, tile]));
    fill("data-tile-figure", tiles, (element, tile) => text(element, tile.figure));
    fill("data-tile-unit", tiles, (element, tile) => text(element, tile.unit));
    fill("data-tile-note", tiles, (element, tile) => text(element, tile.note));
    fill("data-total", state.totals ?? {}, text);
    root.querySelector("[data-live-redis]").hidden = state.is_connected;
    if (performance.now() - tickedAt < TICK_MS) return;
    tickedAt = performance.now();
    document.body.dispatchEvent(new CustomEvent("liveTick"));
  };

  const say = () => {
    const behindS = Math.round((performance.now() - heardAt) / 1_000);
    const isBehind = behindS * 1_000 >= 3 * BEAT_MS;
    root.querySelector("[data-live-on]").hidden = isBehind || document.hidden;
    root.querySelector("[data-live-behind]").hidden = !isBehind;
    if (isBehind) text(root.querySelector("[data-live-lag]"), `${behindS}\u00a0s behind`);
  };

  const hear = () => {
    heardAt = performance.now();
    pauseMs = BEAT_MS;
    say();
  };

  const close = () => {
    clearTimeout(retry);
    source?.close();
    source = null;
  };

  const open = () => {
    close();
    source = new EventSource(root.dataset.live);
    source.addEventListener("beat", hear);
    source.addEventListener("state", (event) => {
      hear();
      show(JSON.parse(event.data));
    });
    source.addEventListener("error", () => {
      // The browser tries again by itself after a break; after a refusal it gives up, we do not.
      if (source?.readyState !== EventSource.CLOSED) return;
      retry = setTimeout(open, pauseMs);
      pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
    });
  };

  root.querySelector("[data-live-hold]")?.addEventListener("click", ({ currentTarget }) => {
    const isHeld = document.body.toggleAttribute("data-live-held");
    currentTarget.setAttribute("aria-pressed", String(isHeld));
  });

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return close();
    heardAt = performance.now();
    open();
  });
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => { if (event.persisted) open(); });
  setInterval(say, 1_000);
  if (!document.hidden) open();
})();
