"use strict";

// Keeps parts of a page up to date without a reload: each element with data-fresh is replaced, from time to time, by
// the element of its id on the same page as the server has it now. What somebody is using meanwhile is left alone.

(() => {
  const HIDDEN_MS = 1000; // between two looks at whether the page is seen again
  const MOST_FAILURES = 6; // after each one the pause doubles, up to 2^6 times

  let failures = 0;

  const parts = () => [...document.querySelectorAll("[data-fresh]")];

  const pause = () => {
    const seconds = Math.min(...parts().map((part) => Number(part.dataset.fresh) || 5));
    return seconds * 1000 * 2 ** Math.min(failures, MOST_FAILURES);
  };

  const isInUse = (part) => {
    const active = document.activeElement;
    if (part.querySelector("dialog[open], details[open] form")) return true;
    if (active === null || !part.contains(active)) return false;
    return active.matches("input:not([type=checkbox]), textarea, select, button");
  };

  const box = (input) => `${input.name}\u0000${input.value}`;

  const replace = (part, fresh) => {
    const checked = new Set([...part.querySelectorAll("input[type=checkbox]:checked")].map(box));
    const active = document.activeElement;
    const focused = active !== null && part.contains(active) ? active : null;
    const address = focused?.getAttribute("href");
    const key = focused?.matches("input[type=checkbox]") ? box(focused) : null;
    const next = document.importNode(fresh, true);
    for (const input of next.querySelectorAll("input[type=checkbox]")) input.checked = checked.has(box(input));
    part.replaceWith(next);
    if (address) [...next.querySelectorAll("a")].find((a) => a.getAttribute("href") === address)?.focus();
    if (key) [...next.querySelectorAll("input[type=checkbox]")].find((input) => box(input) === key)?.focus();
  };

  const tell = (trouble) => {
    for (const place of document.querySelectorAll("[data-stale]")) place.textContent = trouble;
  };

  const renew = async () => {
    const answer = await fetch(window.location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
    if (answer.redirected || answer.status === 401) {
      tell("The session has ended: reload the page to log in.");
      return false;
    }
    if (!answer.ok) throw new Error(String(answer.status));
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of parts()) {
      const fresh = page.getElementById(part.id);
      if (fresh && !isInUse(part) && fresh.outerHTML !== part.outerHTML) replace(part, fresh);
    }
    return true;
  };

  const turn = async () => {
    if (document.hidden) return void setTimeout(turn, HIDDEN_MS);
    try {
      if (!(await renew())) return undefined;
      failures = 0;
      tell("");
    } catch {
      failures += 1;
      tell("The server does not answer: this is how it was before.");
    }
    return void setTimeout(turn, pause());
  };

  if (parts().length > 0) setTimeout(turn, pause());
})();
