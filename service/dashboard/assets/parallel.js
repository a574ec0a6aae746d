"use strict";

// Parallel coordinates: an axis for each parameter, a line for each trial. A range that is dragged along an axis becomes
// conditions, which the table shares; conditions that are typed show here.
(() => {
  const HEIGHT = 380, TOP = 46, BOTTOM = 26, SIDE = 60, LEAST = 110; // px; LEAST between two axes
  const SVG = "http://www.w3.org/2000/svg";
  const NONE = 12; // px below an axis, where the lines run that lack its parameter
  const section = document.querySelector(".parallel");
  if (!section) return;
  const holder = section.querySelector(".coordinates");
  const note = section.querySelector(".note");
  const where = document.querySelector(".filters [name=where]");
  const stage = document.createElement("div");
  stage.className = "stage";
  const canvas = document.createElement("canvas");
  canvas.setAttribute("role", "img");
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("aria-hidden", "true"); // the field of conditions does the same by keyboard
  stage.append(canvas, svg);
  let data = null;
  let xs = [];

  const isSignificant = (text) => Number(Number(text).toPrecision(4));

  function draw() {
    const width = Math.max(holder.clientWidth, 2 * SIDE + LEAST * (data.axes.length - 1));
    const scale = window.devicePixelRatio || 1;
    for (const each of [stage, canvas, svg]) {
      each.style.width = `${width}px`;
      each.style.height = `${HEIGHT}px`;
    }
    canvas.width = width * scale;
    canvas.height = HEIGHT * scale;
    xs = data.axes.map((_, place) => SIDE + place * (width - 2 * SIDE) / Math.max(1, data.axes.length - 1));
    const pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    const kept = chosen();
    const some = data.lines.length ? Math.max(0.12, Math.min(0.85, 250 / Math.max(1, kept.size))) : 1;
    pen.lineWidth = 1;
    if (kept.size < data.lines.length) {
      pen.strokeStyle = getComputedStyle(document.body).getPropertyValue("--line");
      pen.globalAlpha = 0.35;
      for (const line of data.lines) if (!kept.has(line)) stroke(pen, line);
    }
    pen.globalAlpha = some;
    for (let place = data.lines.length - 1; place >= 0; place--) { // the best last, above the others
      const line = data.lines[place];
      if (!kept.has(line)) continue;
      pen.strokeStyle = data.variants[line[1]].colour;
      stroke(pen, line);
    }
    axes();
    tell(kept.size);
  }

  function stroke(pen, line) {
    pen.beginPath();
    data.axes.forEach((axis, place) => {
      const y = height(axis, line[place + 2]);
      if (place === 0) pen.moveTo(xs[0], y);
      else pen.lineTo(xs[place], y);
    });
    pen.stroke();
  }

  function height(axis, value) {
    const bottom = HEIGHT - BOTTOM;
    if (value === null) return bottom + NONE;
    return bottom - (bottom - TOP) * share(axis, value);
  }

  function share(axis, value) {
    if (axis.kind === "category") return (value + 0.5) / axis.categories.length;
    if (axis.high === axis.low) return 0.5;
    if (axis.log && axis.low > 0) return Math.log(value / axis.low) / Math.log(axis.high / axis.low);
    return (value - axis.low) / (axis.high - axis.low);
  }

  function valueAt(axis, y) {
    const bottom = HEIGHT - BOTTOM;
    const part = Math.min(1, Math.max(0, (bottom - y) / (bottom - TOP)));
    if (axis.log && axis.low > 0) return axis.low * (axis.high / axis.low) ** part;
    return axis.low + part * (axis.high - axis.low);
  }

  // Conditions

  const parsed = () => where.value.split(",").map((part) => /^\s*([A-Za-z_]\w*)\s*(<=|>=|!=|=|<|>)\s*(.*?)\s*$/.exec(part))
    .filter((found) => found);

  function holds(axis, value, sign, text) {
    if (value === null) return false;
    const own = axis.kind === "category" ? axis.categories[value] : value;
    const other = axis.kind === "category" && Number.isNaN(Number(own)) ? text : Number(text);
    const mine = axis.kind === "category" && !Number.isNaN(Number(own)) ? Number(own) : own;
    return { "=": mine === other, "!=": mine !== other, "<": mine < other, ">": mine > other, "<=": mine <= other, ">=": mine >= other }[sign];
  }

  function chosen() {
    const tests = [];
    for (const [, name, sign, text] of parsed()) {
      const place = data.axes.findIndex((axis) => axis.name === name);
      if (place >= 0) tests.push([data.axes[place], place + 2, sign, text]);
    }
    return new Set(data.lines.filter((line) => tests.every(([axis, at, sign, text]) => holds(axis, line[at], sign, text))));
  }

  function choose(axis, from, to) {
    const others = where.value.split(",").map((part) => part.trim()).filter((part) => {
      const found = /^([A-Za-z_]\w*)/.exec(part);
      return part && !(found && found[1] === axis.name);
    });
    const own = from === null ? [] : axis.kind === "category" ? categories(axis, from, to) : range(axis, from, to);
    const text = [...others, ...own].join(",");
    document.dispatchEvent(new CustomEvent("conditions", { detail: text }));
    where.value = text;
    draw();
  }

  function range(axis, from, to) {
    return [`${axis.name}>=${isSignificant(valueAt(axis, Math.max(from, to)))}`, `${axis.name}<=${isSignificant(valueAt(axis, Math.min(from, to)))}`];
  }

  function categories(axis, from, to) {
    const [top, bottom] = [Math.min(from, to), Math.max(from, to)];
    const reach = (HEIGHT - BOTTOM - TOP) / axis.categories.length / 2;
    const [inside, outside] = [[], []];
    axis.categories.forEach((word, place) => {
      const y = height(axis, place);
      (y >= top - reach && y <= bottom + reach && (bottom - top > reach || Math.abs(y - (top + bottom) / 2) <= reach) ? inside : outside).push(word);
    });
    if (!inside.length || !outside.length) return [];
    return inside.length === 1 ? [`${axis.name}=${inside[0]}`] : outside.map((word) => `${axis.name}!=${word}`);
  }

  // Axes

  function put(name, attributes, text) {
    const each = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) each.setAttribute(key, value);
    if (text !== undefined) each.textContent = text;
    svg.append(each);
    return each;
  }

  const short = (text) => (text.length > 20 ? `${text.slice(0, 18)}…` : text);

  function axes() {
    svg.replaceChildren();
    svg.setAttribute("viewBox", `0 0 ${stage.style.width.replace("px", "")} ${HEIGHT}`);
    const bottom = HEIGHT - BOTTOM;
    data.axes.forEach((axis, place) => {
      const x = xs[place];
      const anchor = place === 0 ? "start" : place === data.axes.length - 1 ? "end" : "middle";
      const shift = place === 0 ? x - SIDE + 4 : place === data.axes.length - 1 ? x + SIDE - 4 : x;
      put("line", { x1: x, x2: x, y1: TOP, y2: bottom });
      put("text", { x: shift, y: place % 2 ? 14 : 30, "text-anchor": anchor, "font-weight": 600 }, short(axis.title));
      for (const [value, text] of labels(axis)) {
        const label = place === data.axes.length - 1 ? { x: x - 6, "text-anchor": "end" } : { x: x + 6, "text-anchor": "start" };
        put("text", { ...label, y: height(axis, value), dy: "0.32em", class: "end" }, text);
      }
      marked(axis, x);
      const hit = put("rect", { class: "hit", x: x - 16, y: TOP - 8, width: 32, height: bottom - TOP + 16 });
      dragged(hit, axis, x);
    });
  }

  function labels(axis) {
    if (axis.kind === "category") return axis.categories.map((word, place) => [place, short(word)]);
    const middle = axis.log && axis.low > 0 ? Math.sqrt(axis.low * axis.high) : (axis.low + axis.high) / 2;
    const all = axis.low === axis.high ? [axis.low] : [axis.low, middle, axis.high];
    return all.map((value) => [value, String(Number(value.toPrecision(3)))]);
  }

  function marked(axis, x) {
    const bottom = HEIGHT - BOTTOM;
    const own = parsed().filter(([, name]) => name === axis.name);
    if (!own.length) return;
    if (axis.kind === "category") {
      const half = (bottom - TOP) / axis.categories.length / 2;
      axis.categories.forEach((_, place) => {
        if (own.every(([, , sign, text]) => holds(axis, place, sign, text))) {
          put("rect", { class: "brush", x: x - 7, y: height(axis, place) - half + 2, width: 14, height: 2 * half - 4 });
        }
      });
      return;
    }
    let [low, high] = [axis.low, axis.high];
    for (const [, , sign, text] of own) {
      const value = Number(text);
      if (sign[0] === ">" || sign === "=") low = Math.max(low, value);
      if (sign[0] === "<" || sign === "=") high = Math.min(high, value);
    }
    if (!(low <= high)) return;
    const top = height(axis, high);
    put("rect", { class: "brush", x: x - 7, y: top - 1, width: 14, height: Math.max(2, height(axis, low) - top + 2) });
  }

  function dragged(hit, axis, x) {
    let from = null;
    let brush = null;
    const at = (event) => event.clientY - svg.getBoundingClientRect().top;
    hit.addEventListener("pointerdown", (event) => {
      from = at(event);
      hit.setPointerCapture(event.pointerId);
      brush = put("rect", { class: "brush", x: x - 7, y: from, width: 14, height: 0 });
      event.preventDefault();
    });
    hit.addEventListener("pointermove", (event) => {
      if (from === null) return;
      const to = at(event);
      brush.setAttribute("y", Math.min(from, to));
      brush.setAttribute("height", Math.abs(to - from));
    });
    hit.addEventListener("pointerup", (event) => {
      if (from === null) return;
      const begin = from;
      const to = at(event);
      from = null;
      // A click on an axis takes its range away.
      if (Math.abs(to - begin) < 4) choose(axis, null, null);
      else choose(axis, begin, to);
    });
    hit.addEventListener("pointercancel", () => { from = null; draw(); });
  }

  function tell(kept) {
    const all = data.lines.length;
    const drawn = all < data.total ? `${all.toLocaleString("en")} of ${data.total.toLocaleString("en")} complete trials, evenly spaced by their value` : `${all.toLocaleString("en")} complete trials`;
    const inside = kept < all ? ` ${kept.toLocaleString("en")} hold the conditions.` : "";
    const said = `${drawn}.${inside}`;
    note.textContent = `${said} Drag along an axis to keep a range of it, and click it to take that away; the field “Conditions” does the same. A line below an axis has no such parameter.`;
    canvas.setAttribute("aria-label", `Parallel coordinates of ${data.axes.map((axis) => axis.title).join(", ")}: ${said}`);
  }

  function keys() {
    const list = document.createElement("p");
    list.className = "keys";
    for (const variant of data.variants) {
      const key = document.createElement("i");
      key.className = "key";
      key.style.color = variant.colour;
      const link = document.createElement("a");
      const url = new URL(document.querySelector(".filters").action);
      url.searchParams.set("variant", variant.name);
      link.href = url;
      link.append(key, variant.name);
      list.append(link);
    }
    holder.after(list);
  }

  async function begin() {
    if (holder.clientWidth === 0) return addEventListener("resize", begin, { once: true }); // not shown in a narrow window
    try {
      const answer = await fetch(new URL(section.dataset.lines, document.baseURI), { cache: "no-store" });
      const found = await answer.json();
      if (!answer.ok) throw new Error(found.message);
      data = found;
    } catch (error) {
      note.textContent = `The chart cannot be drawn: ${error.message || "the server does not answer"}`;
      return;
    }
    if (data.lines.length < 2 || data.axes.length < 2) {
      section.hidden = true;
      return;
    }
    holder.append(stage);
    keys();
    draw();
    addEventListener("resize", () => holder.clientWidth && draw());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  }

  begin();
})();
