// Shows what is known of a study: its progress, the runs in training, the confirmation, what has happened.
"use strict";
window.liveParts = (root) => {
  const { curve, figure } = window.liveCurve;
  const STATES = ["complete", "pruned", "failed", "paused", "running"];
  const FINISHED = ["complete", "pruned", "failed", "cancelled"];
  let state = {};
  let skew = 0; // ms that the server's clock is ahead of the browser's
  const cards = new Map(); // by run
  const part = (name) => root.querySelector(`[data-part="${name}"]`);

  function h(tag, attributes, ...content) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
    }
    made.append(...content.filter((one) => one !== null && one !== undefined));
    return made;
  }

  // ---- words

  function long(seconds) {
    if (seconds < 90) return `${Math.max(0, Math.round(seconds))} s`;
    const minutes = Math.round(seconds / 60);
    if (minutes < 90) return `${minutes} min`;
    if (minutes < 36 * 60) return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
    return `${Math.floor(minutes / 1440)} d ${Math.floor((minutes % 1440) / 60)} h`;
  }

  const now = () => Date.now() + skew;
  const few = (seconds) => (seconds === null ? "–" : seconds < 10 ? `${+seconds.toPrecision(2)} s` : long(seconds));
  // In UTC, as all pages, files and the terminal; a title has the reader's own time.
  const clock = (time) => `${new Date(time).toISOString().slice(11, 16)} UTC`;
  const exact = (time) => `${new Date(time).toISOString().slice(11, 19)} UTC`;
  const plural = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
  const called = (run) => (run.number === null ? "being asked for" : run.stage === "search" ? `trial ${run.number}` : `confirmation run ${run.number}`);

  function ends(ending) {
    if (ending.over) return "it has ended";
    if (ending.why) return `cannot be known: ${ending.why}`;
    const left = (name) => Math.max(0, (Date.parse(ending[name]) - now()) / 1000);
    const day = left("at") > 43200 ? new Date(ending.at).toLocaleDateString("en", { day: "numeric", month: "short", timeZone: "UTC" }) + " " : "";
    const note = ending.note ? `. ${ending.note}` : "";
    return `in about ${long(left("at"))} (${long(left("earliest"))} to ${long(left("latest"))}), at ${day}${clock(ending.at)}${note}`;
  }

  // ---- the parts

  const ended = (counts) => FINISHED.reduce((sum, one) => sum + counts[one], 0);
  const all = (counts) => ended(counts) + counts.paused + counts.running + counts.waiting;

  function bar(counts, total) {
    const picture = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    let start = 0;
    for (const one of STATES) {
      const rect = document.createElementNS("http://www.w3.org/2000/svg", "rect");
      for (const [name, value] of Object.entries({ x: start, y: 0, width: counts[one], height: 1, class: one })) {
        rect.setAttribute(name, value);
      }
      start += counts[one];
      picture.append(rect);
    }
    const attributes = { viewBox: `0 0 ${Math.max(1, total)} 1`, preserveAspectRatio: "none", class: "bar", "aria-hidden": true };
    for (const [name, value] of Object.entries(attributes)) picture.setAttribute(name, value);
    return picture;
  }

  function counted(counts, total, noun) {
    const others = ["running", "paused", "pruned", "failed", "cancelled"].filter((one) => counts[one] > 0);
    return [`${ended(counts).toLocaleString("en")} of ${plural(total, noun)}`, ...others.map((one) => `${counts[one]} ${one}`)].join(", ");
  }

  function showProgress() {
    const { study, ending } = state;
    const fact = (name, value, mark) => h("div", {}, h("dt", {}, name), h("dd", mark ? { "data-live": mark } : {}, value));
    const facts = [fact("Trials", counted(study.counts, study.trials, "trial"))];
    const [taken, budget] = study.epochs;
    if (budget !== null) facts.push(fact("Epochs taken", `${taken.toLocaleString("en")} of ${budget.toLocaleString("en")}`));
    if (all(study.confirmation) > 0) {
      facts.push(fact("Confirmation", counted(study.confirmation, all(study.confirmation), "run")));
    }
    const best = study.best;
    facts.push(fact(`Best ${study.metric} so far`, best ? `${figure(best.value)} by ${best.variant}, trial ${best.number}` : "no complete trial yet"));
    facts.push(fact("Ends", ends(ending), "ends"));
    if (study.started) facts.push(fact("Time", elapsed(), "elapsed"));
    if (!ending.over) facts.push(fact(study.own ? "Askers" : "Workers alive", String(study.alive)));
    const said = study.said ? h("p", { class: "note" }, ...commands(study.said)) : null;
    part("progress").replaceChildren(bar(study.counts, study.trials), h("dl", {}, ...facts), ...(said ? [said] : []));
    for (const pill of document.querySelectorAll(".heading .pill")) {
      if (pill.textContent === study.state) continue;
      pill.textContent = study.state;
      pill.className = `pill ${study.state}`;
    }
  }

  const commands = (text) => text.split("`").map((one, place) => (place % 2 ? h("code", {}, one) : one));

  function elapsed() {
    const { started, stood } = state.study;
    return long(Math.max(0, ((stood ? Date.parse(stood) : now()) - Date.parse(started)) / 1000));
  }

  function showTicking() {
    const put = (mark, text) => {
      const place = root.querySelector(`[data-live="${mark}"]`);
      if (place && place.textContent !== text) place.textContent = text;
    };
    if (!state.study) return;
    put("ends", ends(state.ending));
    if (state.study.started) put("elapsed", elapsed());
  }

  function card(run) {
    const made = {
      title: h("strong", {}),
      variant: h("span", { class: "variant" }),
      value: h("span", { class: "value" }),
      params: h("p", { class: "params" }),
      picture: h("div", { class: "picture" }),
      bar: h("progress", { max: 1, value: 0 }),
      epochs: h("span", {}),
      holder: h("p", { class: "holder" }),
    };
    made.root = h(
      "li",
      { "data-run": run },
      h("div", { class: "which" }, made.title, made.value),
      made.variant,
      made.params,
      made.picture,
      h("div", { class: "at" }, made.bar, made.epochs),
      made.holder,
    );
    return made;
  }

  function showRun(key) {
    const run = state[`run:${key}`];
    if (!run) return;
    const made = cards.get(key) || card(key);
    cards.set(key, made);
    const points = state[`curve:${key}`] || [];
    const [epoch, seconds] = state[`at:${key}`] || [0, null];
    const total = run.epochs * run.repeats;
    const newest = points.length ? points[points.length - 1][2] : null;
    made.title.textContent = called(run);
    made.variant.textContent = run.variant;
    made.value.textContent = points.length ? `${state.study.metric} ${figure(newest)}` : "";
    made.params.textContent = run.params;
    made.params.title = run.params;
    const best = state.study.best ? state.study.best.value : null;
    made.picture.replaceChildren(curve(points, run.epochs, state.study.metric, run.stage === "search" ? best : null));
    made.bar.max = Math.max(1, total);
    made.bar.value = epoch;
    made.bar.setAttribute("aria-label", `epochs of ${called(run)}`);
    const seed = run.repeats > 1 && points.length ? `, seed ${points[points.length - 1][0] + 1} of ${run.repeats}` : "";
    made.epochs.textContent = `epoch ${epoch} of ${total}${seed}${seconds === null ? "" : `, ${few(seconds)} an epoch`}`;
    const attempt = run.attempt > 1 ? `, attempt ${run.attempt}` : "";
    made.holder.textContent = `${[run.worker, run.device].filter(Boolean).join(" on ")}${attempt}`;
  }

  function showTraining() {
    const keys = Object.keys(state).filter((name) => name.startsWith("run:")).map((name) => name.slice(4)).sort((a, b) => a - b);
    for (const [key, made] of cards) {
      if (!keys.includes(key)) {
        made.root.remove();
        cards.delete(key);
      }
    }
    let list = part("training").querySelector("ul");
    if (!list) {
      list = h("ul", { class: "runs" });
      part("training").replaceChildren(list, h("p", { class: "hint others" }));
    }
    keys.forEach((key, place) => {
      if (!cards.has(key)) showRun(key);
      const made = cards.get(key).root;
      if (list.children[place] !== made) list.insertBefore(made, list.children[place] || null);
    });
    const others = part("training").querySelector(".others");
    others.textContent = state.others > 0 ? `and ${state.others.toLocaleString("en")} more` : "";
    hide("training", keys.length === 0);
  }

  function showConfirmation() {
    hide("confirmation", state.confirmed.length === 0);
    if (state.confirmed.length === 0) return;
    const { looks, outcome, decides } = state.study;
    const isLeft = (one) => one.standing === "left";
    const left = state.confirmed.filter(isLeft).length;
    const tells = decides || left < state.confirmed.length;
    const stands = (one) => (one.lost === null ? [isLeft(one) ? "in it" : one.standing] : [h("a", { href: one.lost.address }, one.standing), `: ${one.lost.reason}`]);
    const most = Math.max(...state.confirmed.map((one) => one.seeds + one.training + one.waiting));
    const rows = state.confirmed.map((one) =>
      h(
        "tr",
        { class: isLeft(one) ? null : "out" },
        h("td", {}, h("strong", {}, one.variant), " ", h("span", { class: "params" }, one.params)),
        h("td", {}, h("progress", { max: Math.max(1, most), value: one.seeds, "aria-label": `seeds of ${one.variant}` }), ` ${one.seeds} of ${most}`),
        h("td", { class: "number" }, one.training || "–"),
        h("td", { class: "number" }, figure(one.mean)),
        tells ? h("td", {}, ...stands(one)) : null,
      ),
    );
    const head = ["Configuration", "Seeds", "In training", `Mean ${state.confirmed[0].metric}`, ...(tells ? ["Standing"] : [])];
    const all = state.confirmed.length;
    const looked = decides && looks.length && `${left} of ${all} left after ${plural(looks[looks.length - 1], "seed")}.`;
    const said = outcome ? `Its outcome: ${outcome}.` : looked || `${plural(all, "configuration")} under fresh seeds.`;
    part("confirmation").replaceChildren(
      h("p", {}, said),
      h("div", { class: "table" }, h("table", {}, h("thead", {}, h("tr", {}, ...head.map((word, at) => h("th", { scope: "col", class: at === 2 || at === 3 ? "number" : null }, word)))), h("tbody", {}, ...rows))),
    );
  }

  function showHappened() {
    hide("happened", state.happened.length === 0);
    const items = state.happened.map((one) => h("li", { class: one.kind }, h("time", { datetime: one.at, title: new Date(one.at).toLocaleString([], { dateStyle: "medium", timeStyle: "long" }) }, exact(one.at)), " ", one.text));
    part("happened").replaceChildren(h("ol", { tabindex: "0" }, ...items));
  }

  function hide(name, isHidden) {
    part(name).closest(".card").hidden = isHidden;
  }

  // names: those of the state that have changed
  function show(known, names) {
    state = known;
    const runs = new Set();
    for (const name of names) {
      const [, run] = name.split(":");
      if (run !== undefined) runs.add(run);
    }
    if (names.has("study") || names.has("ending")) showProgress();
    if (names.has("study") || names.has("confirmed")) showConfirmation();
    if (names.has("happened")) showHappened();
    for (const run of runs) showRun(run);
    if (names.has("others") || runs.size > 0) showTraining();
  }

  return { show, tick: showTicking, ended, exact, plural, h, setSkew: (ms) => (skew = ms) };
};
