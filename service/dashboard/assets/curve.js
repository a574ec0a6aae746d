// Draws learning curves: a small picture for each run in training, without a library.
"use strict";
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const WIDTH = 300, HEIGHT = 96, LEFT = 46, RIGHT = 8, TOP = 8, BOTTOM = 16;
  const STEEP = 30; // largest by smallest, above which the scale is logarithmic

  function element(tag, attributes, text) {
    const made = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function figure(value) {
    if (value === null || value === undefined) return "–";
    const size = Math.abs(value), inTenths = Math.round(size * 10) / 10;
    // As the server writes them: whole numbers, and what four digits leave of less than a million, in full.
    if (size < 1e6 && Number.isInteger(value)) return value.toLocaleString("en").replace("-", "−");
    if (inTenths >= 1e4 && inTenths < 1e6) {
      return value.toLocaleString("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 }).replace("-", "−");
    }
    const text = size !== 0 && (size < 0.001 || size >= 1e5) ? value.toExponential(2) : String(+value.toPrecision(4));
    return text.replace("-", "−");
  }

  // points: [repeat, epoch, value or null]; best: the study's best so far, drawn where it lies within the picture.
  function curve(points, epochs, metric, best) {
    const known = points.filter((point) => point[2] !== null);
    const picture = element("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "curve", role: "img" });
    if (known.length === 0) {
      picture.setAttribute("aria-label", `${metric}: no epoch has ended yet`);
      picture.append(element("text", { x: WIDTH / 2, y: HEIGHT / 2, class: "none" }, "no epoch has ended yet"));
      return picture;
    }
    const last = known[known.length - 1];
    picture.setAttribute("aria-label", `${metric}: ${figure(last[2])} in epoch ${last[1]} of ${epochs}`);
    let low = Infinity, high = -Infinity;
    for (const [, , value] of known) {
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
    const isLog = low > 0 && high / low > STEEP;
    const scale = isLog ? Math.log : (value) => value;
    if (low === high) [low, high] = isLog ? [low / 2, high * 2] : [low - 0.5, high + 0.5];
    const bottom = scale(low), span = scale(high) - bottom;
    const x = (epoch) => LEFT + ((epoch - 1) / Math.max(1, epochs - 1)) * (WIDTH - LEFT - RIGHT);
    const y = (value) => HEIGHT - BOTTOM - ((scale(value) - bottom) / span) * (HEIGHT - TOP - BOTTOM);

    for (const edge of [low, high]) {
      picture.append(element("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y(edge), y2: y(edge), class: "grid" }));
      picture.append(element("text", { x: LEFT - 5, y: y(edge) + 3.5, class: "value" }, figure(edge)));
    }
    picture.append(element("text", { x: LEFT, y: HEIGHT - 3, class: "epoch first" }, "1"));
    picture.append(element("text", { x: WIDTH - RIGHT, y: HEIGHT - 3, class: "epoch last" }, `epoch ${epochs}`));
    if (best !== null && best >= low && best <= high) {
      picture.append(element("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y(best), y2: y(best), class: "best" }));
    }
    const repeats = new Map();
    for (const [repeat, epoch, value] of known) {
      if (!repeats.has(repeat)) repeats.set(repeat, []);
      repeats.get(repeat).push(`${x(epoch).toFixed(1)},${y(value).toFixed(1)}`);
    }
    for (const [repeat, line] of repeats) {
      picture.append(element("polyline", { points: line.join(" "), class: repeat === last[0] ? "now" : "earlier" }));
    }
    picture.append(element("circle", { cx: x(last[1]), cy: y(last[2]), r: 3, class: "now" }));
    if (isLog) picture.append(element("text", { x: WIDTH - RIGHT, y: TOP + 4, class: "epoch last" }, "log scale"));
    return picture;
  }

  window.liveCurve = { curve, figure };
})();
