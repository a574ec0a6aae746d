"use strict";
// The page of a submission: has the text looked at a moment after the last key, and takes files in.

(() => {
  const PAUSE_MS = 400;
  const LARGEST = 1 << 20;
  const form = document.getElementById("submission");
  const text = document.getElementById("text");
  const scale = document.getElementById("scale");
  const file = document.getElementById("file");
  const lines = document.getElementById("lines");
  const found = document.getElementById("found");
  const fields = document.getElementById("fields");
  const frame = text.parentElement;
  let waiting = null;
  let asked = null;
  let flawed = new Map();

  const made = (tag, words, name) => {
    const element = document.createElement(tag);
    element.textContent = words;
    if (name) element.className = name;
    return element;
  };

  const say = (kind, title, ...content) => {
    found.classList.remove("right", "wrong");
    if (kind) found.classList.add(kind);
    found.replaceChildren(made("h2", title), ...content);
  };

  const number = () => {
    const count = text.value.split("\n").length;
    const numbers = [];
    for (let line = 1; line <= count; line += 1) {
      numbers.push(flawed.has(line) ? made("span", `${line}`, "flawed") : `${line}`, "\n");
    }
    lines.replaceChildren(...numbers);
    lines.scrollTop = text.scrollTop;
  };

  const goTo = (line) => {
    const before = text.value.split("\n").slice(0, line - 1).join("\n").length;
    const start = line > 1 ? before + 1 : 0;
    const end = text.value.indexOf("\n", start);
    text.focus();
    text.setSelectionRange(start, end < 0 ? text.value.length : end);
    text.scrollTop = (line - 4) * (text.scrollHeight / text.value.split("\n").length);
  };

  const problem = ({ line, message }) => {
    const item = document.createElement("li");
    if (line) {
      const way = made("a", `line ${line}`);
      way.href = "#text";
      way.addEventListener("click", (event) => {
        event.preventDefault();
        goTo(line);
      });
      item.append(way, ": ");
    }
    item.append(message);
    return item;
  };

  const show = (answer) => {
    flawed = new Map(answer.problems.filter((each) => each.line).map((each) => [each.line, each]));
    number();
    if (answer.problems.length) {
      const list = made("ul", "", "flaws");
      list.append(...answer.problems.map(problem));
      const count = answer.problems.length;
      say("wrong", count === 1 ? "One problem" : `${count} problems`, list);
      return;
    }
    say("right", "Ready to submit", ...answer.plan.map((sentence) => made("p", sentence.replaceAll("`", ""))));
  };

  // The form shows what the text says; whoever types in it keeps the place.
  const fill = (html) => {
    const fresh = document.createElement("template");
    fresh.innerHTML = html;
    const controls = (root) => [...root.querySelectorAll("input[id], select[id]")];
    const [before, after] = [controls(fields), controls(fresh.content)];
    if (before.length !== after.length || before.some((each, at) => each.id !== after[at].id)) {
      const focused = document.activeElement?.id;
      fields.replaceChildren(fresh.content);
      if (focused && !fields.contains(document.activeElement)) document.getElementById(focused)?.focus();
      return;
    }
    before.forEach((each, at) => {
      if (each.type === "checkbox") each.checked = after[at].checked;
      else if (each !== document.activeElement && each.value !== after[at].value) {
        if (each.tagName === "SELECT" && ![...each.options].some((one) => one.value === after[at].value)) {
          each.replaceChildren(...after[at].children);
        } else each.value = after[at].value;
      }
    });
  };

  const body = () => {
    const sent = new URLSearchParams();
    for (const [name, value] of new FormData(form)) {
      if (typeof value === "string" && name !== "number") sent.append(name, value);
    }
    return sent;
  };

  const ask = async (address, take) => {
    clearTimeout(waiting);
    asked?.abort();
    asked = new AbortController();
    try {
      const answer = await fetch(new URL(address, document.baseURI), {
        method: "POST",
        body: body(),
        signal: asked.signal,
        headers: { Accept: "application/json" },
      });
      const told = await answer.json();
      if (answer.ok) take(told);
      else say("wrong", "The text was not looked at", made("p", told.message));
    } catch (error) {
      if (error.name === "AbortError") return;
      say("wrong", "The text was not looked at", made("p", "The dashboard does not answer. What you type is kept."));
    }
  };

  const look = () => ask("submit/check", (told) => {
    show(told);
    fill(told.fields);
  });

  const write = () => ask("submit/fields", (told) => {
    text.value = told.text;
    show(told);
    fill(told.fields);
  });

  const lookSoon = () => {
    clearTimeout(waiting);
    waiting = setTimeout(look, PAUSE_MS);
  };

  const take = async (chosen) => {
    if (!chosen) return;
    if (chosen.size > LARGEST) {
      say("wrong", "The file was not read", made("p", `${chosen.name} is larger than 1 MiB: a definition is a page of text`));
      return;
    }
    text.value = await chosen.text();
    flawed = new Map();
    number();
    look();
  };

  document.documentElement.classList.add("scripted");
  text.addEventListener("input", () => {
    number();
    lookSoon();
  });
  text.addEventListener("scroll", () => { lines.scrollTop = text.scrollTop; });
  scale.addEventListener("change", look);
  fields.addEventListener("change", write);
  fields.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.target.type === "checkbox") return;
    event.preventDefault(); // it would submit the study
    write();
  });
  file.addEventListener("change", async () => {
    await take(file.files[0]);
    file.value = "";
  });
  for (const kind of ["dragenter", "dragover"]) {
    form.addEventListener(kind, (event) => {
      if (![...event.dataTransfer.types].includes("Files")) return;
      event.preventDefault();
      frame.classList.add("dropping");
    });
  }
  form.addEventListener("dragleave", (event) => {
    if (!form.contains(event.relatedTarget)) frame.classList.remove("dropping");
  });
  form.addEventListener("drop", (event) => {
    frame.classList.remove("dropping");
    if (!event.dataTransfer.files.length) return;
    event.preventDefault();
    take(event.dataTransfer.files[0]);
  });
  // A session may have ended meanwhile: what was sent is there again after the login.
  const KEPT = "pernodedrop.submitted";
  form.addEventListener("submit", () => sessionStorage.setItem(KEPT, text.value));
  if (/\/login(\?|$)/.test(document.referrer) && sessionStorage.getItem(KEPT)) text.value = sessionStorage.getItem(KEPT);
  sessionStorage.removeItem(KEPT);
  number();
  if (!found.querySelector(".flaws") && text.value.trim()) look();
})();
