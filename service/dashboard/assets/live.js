// Keeps the page of a study up to date: one stream of events, from the whole state to what differs.
"use strict";
(() => {
  const root = document.getElementById("live");
  if (!root) return;
  const parts = window.liveParts(root);
  const { ended, exact, plural, h } = parts;
  const HIDDEN_MS = 10000; // after which a page that nobody sees gives its connection back: a browser has six
  const SILENT_MS = 40000; // without a sign of life, after which a connection is given up
  const AGAIN_MS = 5000; // after which a refused connection is tried again
  const MUCH = 0.1; // of all ended runs, by which a report is old
  const MOST_POINTS = 1200; // of a curve, before the page drops every second one

  let state = {};
  let source = null, last = "", heardAt = Date.now(), lostSince = null, over = null, again = 0, hiding = 0;
  const news = root.querySelector(".news");
  const report = document.getElementById("report");
  let reported = Number(report.dataset.ended), isRenewing = false, renewedIn = null;

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
    const names = new Set();
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
    if (!state.study) return void tell(); // the database has not been read yet
    parts.show(state, names);
    if (names.has("study") || names.has("ending")) watchReport();
    tell();
  }

  function tell() {
    let said = "", isBad = true;
    if (over) said = over;
    else if (lostSince) said = `No connection to the dashboard since ${exact(lostSince)}: trying again.`;
    else if (state.away) said = `No connection to the database since ${exact(state.away)}: trying again. What is shown is from before.`;
    else if (state.lack) said = `${state.lack[0].toUpperCase()}${state.lack.slice(1)}.`;
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
      parts.setSkew(Date.parse(at) - Date.now());
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
    parts.tick();
    if (source && source.readyState === EventSource.OPEN && Date.now() - heardAt > SILENT_MS) {
      lost();
      connect();
    }
  }, 1000);
  connect();
})();
