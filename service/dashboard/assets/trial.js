"use strict";

// The page of a run that goes on: its parts are read again, and those that are other now are replaced.
(() => {
  const EVERY_MS = 10000;
  const main = document.querySelector("main.run[data-live]");
  if (!main) return;

  const openOnes = (part) => new Map([...part.querySelectorAll("details")].map((each) => [each.dataset.part, each.open]));

  function isRead(part) {
    const chosen = document.getSelection();
    return (chosen && !chosen.isCollapsed && part.contains(chosen.anchorNode)) || part.contains(document.activeElement);
  }

  function replace(fresh) {
    for (const part of main.querySelectorAll(":scope > [data-part]")) {
      const other = fresh.querySelector(`:scope > [data-part="${CSS.escape(part.dataset.part)}"]`);
      if (!other || other.outerHTML === part.dataset.seen || isRead(part)) continue;
      const markup = other.outerHTML;
      const open = openOnes(part);
      for (const each of other.querySelectorAll("details")) {
        if (open.has(each.dataset.part)) each.open = open.get(each.dataset.part);
      }
      const scrolled = [...part.querySelectorAll("pre")].map((each) => each.scrollTop);
      other.dataset.seen = markup;
      part.replaceWith(other);
      other.querySelectorAll("pre").forEach((each, place) => { each.scrollTop = scrolled[place] || 0; });
    }
    for (const other of fresh.querySelectorAll(":scope > [data-part]")) {
      if (!main.querySelector(`:scope > [data-part="${CSS.escape(other.dataset.part)}"]`)) main.append(other);
    }
    if (!("live" in fresh.dataset)) {
      delete main.dataset.live;
      clearInterval(timer);
    }
  }

  async function look() {
    if (document.hidden) return;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
      if (!answer.ok) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main.run");
      if (fresh) replace(fresh);
    } catch {
      // The server or the way to it is away; the next look may find it.
    }
  }

  const timer = setInterval(look, EVERY_MS);
  document.addEventListener("visibilitychange", look);
})();
