// Keeps the page of a study up to date: one stream of events, from the whole state to what differs.
"use strict";
(() => {
  const root = document.getElementById("live");
  if (!root) return;
  const { curve, figure } = window.liveCurve;
  const HIDDEN_MS = 10000; // after which a page that nobody sees gives its connection back: a browser has six
  const SILENT_MS = 40000; // without a sign of life, after which a connection is given up
  const AGAIN_MS = 5000; // after which a refused connection is tried again
  const MUCH = 0.1; // of all ended runs, by which a report is old
  const MOST_POINTS = 1200; // of a curve, before the page drops every second one
  const STATES = ["complete", "pruned", "failed", "running"];
  const FINISHED = ["complete", "pruned", "failed", "cancelled"];

  let state = {};
  let source = null, last = "", heardAt = Date.now(), skew = 0, lostSince = null, over = null, again = 0, hiding = 0;
  const cards = new Map(); // by run
  const part = (name) => root.querySelector(`[data-part="${name}"]`);
  const news = root.querySelector(".news");
  const report = document.getElementById("report");
  let reported = Number(report.dataset.ended), isRenewing = false, renewedIn = null;

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
  const clock = (time) => new Date(time).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  const exact = (time) => new Date(time).toLocaleTimeString();
  const plural = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
  const called = (run) => (run.number === null ? "being asked for" : run.stage === "search" ? `trial ${run.number}` : `confirmation run ${run.number}`);

  function ends(ending) {
    if (ending.over) return "it has ended";
    if (ending.why) return `cannot be known: ${ending.why}`;
    const left = (name) => Math.max(0, (Date.parse(ending[name]) - now()) / 1000);
    const day = left("at") > 43200 ? new Date(ending.at).toLocaleDateString([], { day: "numeric", month: "short" }) + " " : "";
    const note = ending.note ? ` ${ending.note}` : "";
    return `in about ${long(left("at"))} (${long(left("earliest"))} to ${long(left("latest"))}), at ${day}${clock(ending.at)}${note}`;
  }

  // ---- the parts

  const ended = (counts) => FINISHED.reduce((sum, one) => sum + counts[one], 0);
  const all = (counts) => ended(counts) + counts.running + counts.waiting;

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
    const others = ["running", "pruned", "failed", "cancelled"].filter((one) => counts[one] > 0);
    return [`${ended(counts).toLocaleString("en")} of ${plural(total, noun)}`, ...others.map((one) => `${counts[one]} ${one}`)].join(", ");
  }

  function showProgress() {
    const { study, ending } = state;
    const fact = (name, value, mark) => h("div", {}, h("dt", {}, name), h("dd", mark ? { "data-live": mark } : {}, value));
    const facts = [fact("Trials", counted(study.counts, study.trials, "trial"))];
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
    const { looks, outcome } = state.study;
    const left = state.confirmed.filter((one) => one.left).length;
    const most = Math.max(...state.confirmed.map((one) => one.seeds + one.training + one.waiting));
    const rows = state.confirmed.map((one) =>
      h(
        "tr",
        { class: one.left ? null : "dropped" },
        h("td", {}, h("strong", {}, one.variant), " ", h("span", { class: "params" }, one.params)),
        h("td", {}, h("progress", { max: Math.max(1, most), value: one.seeds, "aria-label": `seeds of ${one.variant}` }), ` ${one.seeds} of ${most}`),
        h("td", { class: "number" }, one.training || "–"),
        h("td", { class: "number" }, figure(one.mean)),
        h("td", {}, one.left ? "in it" : "out"),
      ),
    );
    const head = ["Configuration", "Seeds", "In training", `Mean ${state.confirmed[0].metric}`, ""];
    const looked = looks.length ? `after ${plural(looks[looks.length - 1], "seed")}` : "not compared yet";
    const said = outcome ? `Its outcome: ${outcome}.` : `${left} of ${state.confirmed.length} left, ${looked}.`;
    part("confirmation").replaceChildren(
      h("p", {}, said),
      h("div", { class: "table" }, h("table", {}, h("thead", {}, h("tr", {}, ...head.map((word, at) => h("th", { scope: "col", class: at === 2 || at === 3 ? "number" : null }, word)))), h("tbody", {}, ...rows))),
    );
  }

  function showHappened() {
    hide("happened", state.happened.length === 0);
    const items = state.happened.map((one) => h("li", { class: one.kind }, h("time", { datetime: one.at, title: new Date(one.at).toLocaleString() }, exact(one.at)), " ", one.text));
    part("happened").replaceChildren(h("ol", {}, ...items));
  }

  function hide(name, isHidden) {
    part(name).closest(".card").hidden = isHidden;
  }

  // ---- the report below

  function watchReport() {
    const { study } = state;
    const have = ended(study.counts) + ended(study.confirmation);
    const isOver = Boolean(state.ending.over);
    if (have === reported && (!isOver || renewedIn === study.state || renewedIn === null)) {
      if (renewedIn === null && isOver) renewedIn = study.state;
      return;
    }
    if (isOver && have !== reported) return void renew();
    if (have - reported >= Math.max(3, MUCH * reported)) offer(have - reported);
  }

  function offer(more) {
    let place = document.getElementById("renewal");
    if (!place) {
      const button = h("button", { type: "button" }, "Show the new figures");
      button.addEventListener("click", () => renew());
      place = h("p", { id: "renewal", class: "renewal" }, h("span", {}), button);
      report.before(place);
    }
    place.firstChild.textContent = `${plural(more, "run")} ${more === 1 ? "has" : "have"} ended since the report below was made.`;
  }

  async function renew() {
    if (isRenewing) return;
    isRenewing = true;
    const have = ended(state.study.counts) + ended(state.study.confirmation), of = state.study.state;
    try {
      const answer = await fetch(new URL(root.dataset.report, document.baseURI), { cache: "no-store" });
      if (!answer.ok) throw new Error(String(answer.status));
      const read = new DOMParser().parseFromString(await answer.text(), "text/html");
      const open = [...report.querySelectorAll("details")].map((one) => one.open);
      const [x, y] = [window.scrollX, window.scrollY];
      report.replaceChildren(...read.body.childNodes);
      report.querySelectorAll("details").forEach((one, place) => (one.open = open[place] || one.open));
      document.dispatchEvent(new Event("report-renewed"));
      window.scrollTo(x, y);
      [reported, renewedIn] = [have, of];
      document.getElementById("renewal")?.remove();
    } catch {
      offer(have - reported);
    } finally {
      isRenewing = false;
    }
  }

  // ---- the stream

  function take(change) {
    const touched = new Set(), names = new Set();
    for (const name of change.gone || []) {
      delete state[name];
      names.add(name);
    }
    for (const [name, value] of Object.entries(change.set || {})) {
      state[name] = value;
      names.add(name);
    }
    for (const [name, more] of Object.entries(change.more || {})) {
      state[name] = [...state[name], ...more];
      if (state[name].length > MOST_POINTS) state[name] = state[name].filter((_, at) => at % 2 === 0 || at === state[name].length - 1);
      names.add(name);
    }
    for (const name of names) {
      const [kind, key] = name.split(":");
      if (key !== undefined) touched.add(key);
      if (kind === "run") names.add("others");
    }
    if (!state.study) return void tell();
    if (names.has("study") || names.has("ending")) showProgress();
    if (names.has("confirmed") || names.has("study")) showConfirmation();
    if (names.has("happened")) showHappened();
    for (const key of touched) showRun(key);
    if (names.has("others") || touched.size) showTraining();
    if (names.has("study") || names.has("ending")) watchReport();
    tell();
  }

  function tell() {
    let said = "", isBad = true;
    if (over) said = over;
    else if (lostSince) said = `No connection to the dashboard since ${exact(lostSince)}: trying again.`;
    else if (state.away) said = `No connection to the database since ${exact(state.away)}: trying again. What is shown is from before.`;
    else [said, isBad] = [state.study ? "Up to date" : "", false];
    if (news.textContent !== said) news.textContent = said;
    news.classList.toggle("lost", isBad);
    root.dataset.heard = last;
  }

  function connect() {
    disconnect();
    if (over) return;
    const address = new URL(root.dataset.events, document.baseURI);
    if (last) address.searchParams.set("after", last);
    source = new EventSource(address);
    heardAt = Date.now();
    const on = (kind, call) =>
      source.addEventListener(kind, (event) => {
        heardAt = Date.now();
        lostSince = null;
        if (event.lastEventId) last = event.lastEventId;
        call(JSON.parse(event.data));
      });
    on("state", (whole) => {
      const gone = Object.keys(state).filter((name) => !(name in whole));
      take({ gone, set: whole });
    });
    on("change", take);
    on("beat", ({ at }) => {
      skew = Date.parse(at) - Date.now();
      tell();
    });
    on("end", ({ why }) => {
      if (why === "deleted") finish("The study is no longer there: it was deleted.");
      else if (why === "logged out") finish("The session has ended: log in again to see how the study goes on.");
      else lost(); // the dashboard restarts; the browser connects again
    });
    source.addEventListener("error", () => {
      lost();
      if (source && source.readyState === EventSource.CLOSED) refused();
    });
  }

  function disconnect() {
    if (source) source.close();
    source = null;
    clearTimeout(again);
  }

  function lost() {
    lostSince = lostSince || Date.now();
    tell();
  }

  function finish(words) {
    over = words;
    disconnect();
    tell();
  }

  // A browser does not say why a stream was refused, so it is asked for once more.
  async function refused() {
    disconnect();
    const ask = new AbortController();
    try {
      const answer = await fetch(new URL(root.dataset.events, document.baseURI), { method: "HEAD", cache: "no-store", signal: ask.signal });
      if (answer.status === 404) return void finish("The study is no longer there: it was deleted.");
      if (answer.status === 401) return void finish("The session has ended: log in again to see how the study goes on.");
      if (answer.status === 403) return void finish("This study may no longer be read from here.");
    } catch {
      // nobody answers
    }
    again = setTimeout(connect, AGAIN_MS);
  }

  document.addEventListener("visibilitychange", () => {
    clearTimeout(hiding);
    if (document.hidden) hiding = setTimeout(disconnect, HIDDEN_MS);
    else if (!source && !over) connect();
  });
  window.addEventListener("pagehide", disconnect);
  window.addEventListener("pageshow", (event) => event.persisted && connect());
  setInterval(() => {
    showTicking();
    if (source && source.readyState === EventSource.OPEN && Date.now() - heardAt > SILENT_MS) {
      lost();
      connect();
    }
  }, 1000);
  connect();
})();
