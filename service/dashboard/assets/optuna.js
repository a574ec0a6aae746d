// On Optuna's pages: a link to our page of the study that is shown, or to our list.
"use strict";
(() => {
  const root = new URL("../..", document.currentScript.src); // this file is at assets/TAG/ below our root
  const link = document.createElement("a");
  link.id = "pernodedrop-way-back";

  // Optuna's pages change their address without loading: the link is told with every change of the page.
  function lead() {
    const study = /\/dashboard\/(?:studies|beta)\/(\d+)/.exec(location.pathname);
    const target = new URL(study ? `of-optuna/${study[1]}` : "studies", root).href;
    if (link.href === target) return;
    link.href = target;
    link.textContent = study ? "Report of this study" : "PerNodeDrop's studies";
  }

  document.addEventListener("DOMContentLoaded", () => {
    lead();
    document.body.append(link);
    new MutationObserver(lead).observe(document.body, { childList: true, subtree: true });
  });
})();
