// Loads the page's scripts, in their order, once its words are shown: plotly alone takes a browser half a second.
"use strict";
(() => {
  const AT_THE_LATEST = 500; // ms: a page in a tab that is not shown is never painted
  const addresses = document.currentScript.dataset.scripts.split(" ");
  let isBegun = false;

  function begin() {
    if (isBegun) return;
    isBegun = true;
    for (const address of addresses) {
      const script = document.createElement("script");
      script.src = address;
      script.async = false; // one after the other
      document.head.append(script);
    }
  }

  requestAnimationFrame(() => setTimeout(begin)); // the next task is after the paint
  setTimeout(begin, AT_THE_LATEST);
})();
