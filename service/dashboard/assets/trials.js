"use strict";

// The table of runs: as many rows are in the page as the eye sees, whatever the table's length.
(() => {
  const PIECE = 200; // rows of one answer
  const BEYOND = 20; // rows above and below those in sight
  const EVERY_MS = 15000;
  const region = document.querySelector(".rows[data-rows]");
  if (!region) return;
  const table = region.querySelector("table");
  const body = table.tBodies[0];
  const columns = table.tHead.rows[0].cells.length;
  const said = document.querySelector(".listing .total");
  const where = document.querySelector(".filters [name=where]");
  const pieces = new Map(); // by number: an array of markup, or null while it is on its way
  const drawn = new Map(); // by place in the table: a row of the page
  let address = new URL(region.dataset.rows, document.baseURI);
  let total = Number(region.dataset.total);
  let goesOn = "live" in region.dataset;
  let generation = 0;
  const height = body.rows.length ? body.rows[0].getBoundingClientRect().height : 37;
  const above = space();
  const below = space();

  function space() {
    const row = document.createElement("tr");
    row.className = "space";
    row.setAttribute("aria-hidden", "true");
    row.append(document.createElement("td"));
    row.firstChild.colSpan = columns;
    return row;
  }

  // Columns that followed their content would move while one scrolls.
  function settle() {
    const widths = [...table.tHead.rows[0].cells].map((cell) => Math.ceil(cell.getBoundingClientRect().width) + 4);
    const sum = widths.reduce((all, each) => all + each, 0);
    table.querySelectorAll("col").forEach((col, place) => { col.style.width = `${widths[place]}px`; });
    table.style.tableLayout = "fixed";
    table.style.width = `max(100%, ${sum}px)`;
  }

  async function get(number) {
    const mine = generation;
    pieces.set(number, null);
    const from = new URL(address);
    from.searchParams.set("offset", number * PIECE);
    from.searchParams.set("limit", PIECE);
    try {
      const answer = await fetch(from, { cache: "no-store" });
      const found = await answer.json();
      if (mine !== generation) return;
      if (!answer.ok) return complain(found.message);
      complain("");
      pieces.set(number, found.rows);
      goesOn = found.goes_on;
      if (found.total !== total) count(found.total);
      forget(number);
    } catch {
      if (mine === generation) {
        pieces.delete(number);
        complain("The server does not answer: scroll to try again.");
      }
      return;
    }
    show();
  }

  function complain(message) {
    let line = region.querySelector(".failing");
    if (!message) return line && line.remove();
    if (!line) {
      line = document.createElement("p");
      line.className = "failing";
      line.setAttribute("role", "alert");
      region.prepend(line);
    }
    line.textContent = message;
  }

  function count(now) {
    total = now;
    table.setAttribute("aria-rowcount", total + 1);
    said.textContent = total === 0 ? "No run is like that" : `${total.toLocaleString("en")} ${total === 1 ? "run" : "runs"}`;
  }

  // Rows of a piece that has come again are made anew.
  function forget(number) {
    for (const [place, row] of drawn) {
      if (Math.floor(place / PIECE) === number && !row.contains(document.activeElement)) {
        row.remove();
        drawn.delete(place);
      }
    }
  }

  function made(place) {
    const rows = pieces.get(Math.floor(place / PIECE));
    const markup = rows && rows[place % PIECE];
    if (!markup) return null;
    const holder = document.createElement("template");
    holder.innerHTML = markup; // escaped by the server, which made it as it makes the page's
    const row = holder.content.querySelector("tr");
    row.setAttribute("aria-rowindex", place + 2);
    for (const cell of row.cells) if (cell.textContent.length > 20) cell.title = cell.textContent;
    return row;
  }

  function show(isPrinted) {
    const all = isPrinted === true;
    const first = all ? 0 : Math.max(0, Math.floor(region.scrollTop / height) - BEYOND);
    const last = all ? total : Math.min(total, Math.ceil((region.scrollTop + region.clientHeight) / height) + BEYOND);
    for (const [place, row] of drawn) {
      if ((place < first || place >= last) && !row.contains(document.activeElement)) {
        row.remove();
        drawn.delete(place);
      }
    }
    let next = above;
    for (let place = first; place < last; place++) {
      const number = Math.floor(place / PIECE);
      if (!pieces.has(number)) {
        if (all) continue;
        get(number);
      }
      let row = drawn.get(place);
      if (!row) {
        row = made(place);
        if (!row) continue;
        drawn.set(place, row);
      }
      if (next.nextSibling !== row && !row.contains(document.activeElement)) next.after(row);
      next = row;
    }
    above.firstChild.style.height = `${first * height}px`;
    const there = [...drawn.keys()].filter((place) => place >= first && place < last).length;
    below.firstChild.style.height = `${Math.max(0, total - first - there) * height}px`;
  }

  function begin() {
    const offset = Number(region.dataset.offset);
    settle();
    if (offset % PIECE === 0) {
      const rows = [...body.rows].map((row) => row.outerHTML);
      if (rows.length === Math.min(PIECE, total - offset)) pieces.set(offset / PIECE, rows);
    }
    body.replaceChildren(above, below);
    below.firstChild.style.height = `${total * height}px`;
    region.scrollTop = offset * height;
    const turning = document.querySelector(".listing .turning");
    if (turning) turning.remove();
    show();
  }

  // Other conditions, from the chart: the address, the form, the links and the rows follow.
  document.addEventListener("conditions", (event) => {
    const text = event.detail;
    where.value = text;
    for (const link of [...table.tHead.querySelectorAll("a"), ...document.querySelectorAll(".csv")]) amend(link, text);
    const page = new URL(location.href);
    put(page, text);
    page.searchParams.delete("offset");
    history.replaceState(null, "", page);
    put(address, text);
    generation++;
    pieces.clear();
    for (const row of drawn.values()) row.remove();
    drawn.clear();
    region.scrollTop = 0;
    get(0);
  });

  function put(url, text) {
    if (text) url.searchParams.set("where", text);
    else url.searchParams.delete("where");
  }

  function amend(link, text) {
    const url = new URL(link.href);
    put(url, text);
    link.href = url;
  }

  // Nobody scrolls on paper: it has every row that has come.
  addEventListener("beforeprint", () => {
    show(true);
    const number = drawn.size;
    if (number < total) said.textContent = `${number.toLocaleString("en")} of ${total.toLocaleString("en")} runs: the CSV file has all`;
  });
  addEventListener("afterprint", () => {
    count(total);
    show();
  });

  // Up and down from a run's link go to the next run's.
  region.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const row = event.target.closest("tbody tr");
    if (!step || !row) return;
    let other = step > 0 ? row.nextElementSibling : row.previousElementSibling;
    const link = other && other.querySelector("a");
    if (!link) return;
    event.preventDefault();
    link.focus({ preventScroll: true });
    other.scrollIntoView({ block: "nearest" });
  });

  let waiting = false;
  region.addEventListener("scroll", () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; show(); });
  });
  addEventListener("resize", show);

  function again() {
    if (document.hidden || !goesOn) return;
    const first = Math.floor(region.scrollTop / height / PIECE);
    const last = Math.floor((region.scrollTop + region.clientHeight) / height / PIECE);
    for (const number of pieces.keys()) if (number < first || number > last) pieces.delete(number);
    for (let number = first; number <= last; number++) if (pieces.get(number)) refresh(number);
  }

  async function refresh(number) {
    const before = pieces.get(number);
    await get(number);
    if (pieces.get(number) === null) pieces.set(number, before);
  }

  setInterval(again, EVERY_MS);
  begin();
})();
