// Draws every [data-chart] with Plotly from the figure in the page, in the colours that the tokens
// have now, and again when the theme or the width changes. Numbers arrive as a "chartnumbers"
// event on the document: {times, columns}, where a trace shows the column its meta names, or
// {charts: {id: {data, layout}}}, where data is of the figure with that id and layout amends its own.
(() => {
  const CONFIG = { displayModeBar: false, responsive: false, doubleClick: false };
  const boxes = [...document.querySelectorAll("[data-chart]")];
  if (!boxes.length || !window.Plotly) return;

  const probe = document.createElement("span");
  probe.hidden = true;
  document.body.append(probe);

  // Plotly reads rgb only; the tokens are oklch in light-dark(). The browser converts.
  const known = new Map();
  const colour = (reference) => {
    if (!known.has(reference)) {
      probe.style.color = `color-mix(in srgb, ${reference} 100%, transparent 0%)`;
      const parts = getComputedStyle(probe).color.match(/-?[\d.]+(e-?\d+)?/g).map(Number);
      const [red, green, blue] = parts.map((part) => Math.round(Math.min(Math.max(part, 0), 1) * 255));
      known.set(reference, `rgba(${red},${green},${blue},${parts[3] ?? 1})`);
    }
    return known.get(reference);
  };

  const painted = (value) => {
    if (typeof value === "string") return value.startsWith("var(--") ? colour(value) : value;
    if (Array.isArray(value)) return value.map(painted);
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [key, key === "x" || key === "y" ? inner : painted(inner)]),
    );
  };

  // The axis ends with the window, not with the data: a quiet minute is seen as one.
  const span = (times) => {
    const at = times.map((time) => Date.parse(`${time.replace(" ", "T")}Z`));
    const half = at.length > 1 ? (at[1] - at[0]) / 2 : 30_000;
    return [at[0] - half, at.at(-1) + half].map((one) => new Date(one).toISOString().slice(0, 23).replace("T", " "));
  };

  const charts = boxes.map((box) => ({
    box,
    figure: JSON.parse(document.getElementById(box.dataset.figure).textContent),
    painted: null,
  }));

  // Half a call does not exist: where few were counted, the axis steps by one. The highest
  // stack of whole numbers decides; else Plotly does.
  const step = (data) => {
    const counts = data.map(({ y }) => y);
    if (data[0]?.type !== "bar" || !counts.flat().every(Number.isInteger)) return null;
    const highest = Math.max(...counts[0].map((_, at) => counts.reduce((sum, y) => sum + y[at], 0)));
    return highest <= 5 ? 1 : null;
  };

  const draw = (chart) => {
    chart.painted ??= painted(chart.figure);
    const { data, layout } = chart.painted;
    const times = chart.figure.data[0]?.x ?? [];
    data.forEach((trace, number) => {
      trace.x = chart.figure.data[number].x;
      trace.y = chart.figure.data[number].y;
    });
    if (times.length && !chart.figure.layout.xaxis?.range) {
      layout.xaxis = { ...layout.xaxis, range: span(times), autorange: false };
    }
    layout.yaxis = { ...layout.yaxis, dtick: step(data) ?? chart.figure.layout.yaxis?.dtick ?? null };
    Plotly.react(chart.box, data, layout, CONFIG);
  };

  const repaint = () => {
    known.clear();
    for (const chart of charts) {
      chart.painted = null;
      draw(chart);
    }
  };

  document.addEventListener("chartnumbers", ({ detail }) => {
    for (const chart of charts) {
      const given = detail.charts?.[chart.box.dataset.figure];
      if (given) {
        Object.assign(chart.figure.layout, given.layout);
        chart.figure.data = given.data;
        chart.painted = null;
      } else if (detail.columns) {
        for (const trace of chart.figure.data) {
          trace.x = detail.times;
          trace.y = detail.columns[trace.meta.column];
        }
      } else continue;
      draw(chart);
    }
  });
  document.addEventListener("themechange", repaint);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);

  const widths = new ResizeObserver((entries) => {
    for (const { target } of entries) if (target.data) Plotly.Plots.resize(target);
  });
  // A click on a point leads to its calls, where the box says which table of calls is meant.
  const at = (time, shiftS) =>
    new Date(Date.parse(`${time.slice(0, 19).replace(" ", "T")}Z`) + shiftS * 1_000).toISOString().slice(0, 19);
  const follow = ({ dataset }) => ({ points }) => {
    const { x, data } = points[0];
    const address = new URL(dataset.calls, location.href);
    address.searchParams.set("since", at(x, -dataset.leadS));
    address.searchParams.set("until", at(x, Number(dataset.stepS)));
    if (points.length === 1 && data.meta.outcome) address.searchParams.set("outcome", data.meta.outcome);
    location.assign(address);
  };

  for (const chart of charts) {
    draw(chart);
    widths.observe(chart.box);
    if (chart.box.dataset.calls) chart.box.on("plotly_click", follow(chart.box));
  }
})();
