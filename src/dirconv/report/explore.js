"use strict";
// Plots of the runs: a path or an alignment against τ, and the margins' distribution at a τ that is chosen.
(() => {
  const data = JSON.parse(document.getElementById("explored").textContent);
  const byId = (id) => document.getElementById(id);
  const COLOURS = ["#2178b5", "#c2571a", "#12876b", "#b0528f", "#8f7200", "#6a6fd0", "#c03a4d", "#5a8a2a"];
  const DASHES = [[], [6, 3], [2, 3], [8, 3, 2, 3]];
  const runs = [...new Set(data.curves.map((curve) => curve.run))];
  const colour = (run) => COLOURS[runs.indexOf(run) % COLOURS.length];
  const seen = new Map();
  const dash = data.curves.map((curve) => {
    const before = seen.get(curve.run) || 0; // seeds of a run share its colour; runs beyond the colours differ by dash
    seen.set(curve.run, before + 1);
    return DASHES[(before + Math.floor(runs.indexOf(curve.run) / COLOURS.length)) % DASHES.length];
  });
  const AT_FIRST = 12; // runs that are shown until more are asked for
  const QUANTITIES = {
    cos: "cos ∠(W, velocity)",
    gap: "1 − cos ∠(W, velocity)",
    tan: "tan ∠ = dζ/dτ",
    zeta: "path length ζ (rad)",
    speed: "speed by chords (rad)",
  };
  const LOGARITHMIC = { gap: true, tan: true, speed: true };
  const number = (value) => String(+value.toPrecision(3)).replace("-", "−");

  function css(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }
  function axis(label, i) {
    const line = { stroke: css("--line"), width: 1 };
    const values = (_, ticks) => ticks.map((tick) => (tick === null ? "" : number(tick)));
    return { label, stroke: css("--ink"), grid: line, ticks: line, values, size: [36, 58][i], labelSize: 24 };
  }
  function plot(home, labels, series, scales, values) {
    home.replaceChildren();
    return new uPlot({
      width: home.clientWidth, height: Math.min(360, Math.max(240, home.clientWidth * 0.5)),
      scales, axes: labels.map(axis), legend: { show: false }, cursor: { drag: { x: true, y: true, uni: 40 } },
      series: [{}, ...series],
    }, values, home);
  }

  // paths and alignment
  const quantity = byId("quantity"), logTau = byId("log-tau"), logValue = byId("log-value"), toggles = byId("toggles");
  let paths = null;
  for (const key of Object.keys(QUANTITIES)) {
    if (key === "gap" || data.curves.some((curve) => curve[key])) quantity.add(new Option(QUANTITIES[key], key));
  }
  data.curves.forEach((curve, i) => {
    const label = toggles.appendChild(document.createElement("label"));
    const box = label.appendChild(document.createElement("input"));
    Object.assign(box, { type: "checkbox", checked: i < AT_FIRST, tabIndex: i ? -1 : 0 });
    box.addEventListener("change", () => paths.setSeries(i + 1, { show: box.checked }));
    const svg = label.appendChild(document.createElementNS("http://www.w3.org/2000/svg", "svg"));
    const line = svg.appendChild(document.createElementNS(svg.namespaceURI, "line"));
    const set = (element, values) => Object.entries(values).forEach((pair) => element.setAttribute(...pair));
    set(svg, { width: 26, height: 8, "aria-hidden": true });
    set(line, { x1: 0, x2: 26, y1: 4, y2: 4, stroke: colour(curve.run), "stroke-width": 2, "stroke-dasharray": dash[i] });
    label.append(curve.name);
  });
  // all of them are one tab stop: arrows lead from one to the next
  toggles.addEventListener("keydown", (event) => {
    const boxes = [...toggles.querySelectorAll("input")];
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const next = boxes[boxes.indexOf(event.target) + step];
    if (!next) return;
    event.preventDefault();
    event.target.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  });
  // 1 − cos from the tangent: cos has too few digits near one
  const gap = ([tau, tan]) => [tau, tan.map((t) => (t === null ? null : 1 - 1 / Math.hypot(1, t)))];

  function drawPaths() {
    const key = quantity.value;
    const usable = (value, axis) => value !== null && (!axis.checked || value > 0);
    const tables = data.curves.map((curve) => {
      const [tau, value] = key === "gap" ? gap(curve.tan) : curve[key] || [[], []];
      const kept = tau.map((t, i) => [t, value[i]]).filter(([t, v]) => usable(t, logTau) && usable(v, logValue));
      kept.sort((a, b) => a[0] - b[0]);
      return [kept.map(([t]) => t), kept.map(([, v]) => v)];
    });
    const series = data.curves.map((curve, i) => ({
      stroke: colour(curve.run), width: 2, dash: dash[i], spanGaps: true, points: { show: false },
      show: toggles.querySelectorAll("input")[i].checked,
    }));
    const scale = (log) => (log ? { distr: 3 } : {});
    const scales = { x: { time: false, ...scale(logTau.checked) }, y: scale(logValue.checked) };
    paths = plot(byId("paths"), ["τ = ln(‖W‖/‖W₀‖)", QUANTITIES[key]], series, scales, uPlot.join(tables));
  }
  quantity.addEventListener("change", () => {
    logTau.checked = logValue.checked = Boolean(LOGARITHMIC[quantity.value]);
    drawPaths();
  });
  for (const box of [logTau, logValue]) box.addEventListener("change", drawPaths);
  byId("whole").addEventListener("click", drawPaths);

  // margins
  const network = byId("network"), slider = byId("snapshot"), said = byId("snapshot-said");
  let margins = null;
  data.margins.forEach((run, i) => network.add(new Option(run.name, i)));
  const shown = () => data.margins[network.value];

  // quantiles may repeat: of equal ones the last share counts
  function distribution(run, i) {
    const share = new Map(run.quantiles[i].map((value, k) => [value, data.shares[k]]));
    return [[...share.keys()], [...share.values()]];
  }
  function atSnapshot() {
    const run = shown(), i = Number(slider.value);
    const text = `τ = ${number(run.tau[i])}, ln(1/ℒ) = ${number(run.log_inverse_risk[i])}`;
    said.textContent = text;
    slider.setAttribute("aria-valuetext", text);
    return uPlot.join([distribution(run, i), distribution(run, run.tau.length - 1)]);
  }
  function drawMargins() {
    const run = shown(), all = run.quantiles.flat();
    slider.max = run.tau.length - 1;
    const range = [Math.min(...all), Math.max(...all)];
    const x = { time: false, range, ...(range[0] > 0 ? { distr: 3 } : {}) };
    const curve = (width, stroke, dash) => ({ width, stroke, dash, spanGaps: true, points: { show: false } });
    const label = run.column === "by_norm" ? "normalized margin p/‖W‖^L" : "margin over the last layer's norm";
    margins = plot(byId("margins-plot"), [label, "share of examples"],
      [curve(2.5, COLOURS[0], []), curve(1.5, css("--soft"), [5, 4])],
      { x, y: { range: [0, 1] } }, atSnapshot());
  }
  network.addEventListener("change", () => { slider.value = 0; drawMargins(); });
  slider.addEventListener("input", () => margins.setData(atSnapshot(), false));

  function draw() {
    drawPaths();
    if (data.margins.length) drawMargins();
  }
  byId("explore").hidden = false;
  byId("replay").hidden = !data.margins.length;
  draw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  let width = innerWidth;
  addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; draw(); } });
})();
