// Draws the charts of a report when the reader comes near them, and all of them in black on white for printing.
"use strict";
(() => {
  const PRINTED_WIDTH = 940; // px: the style sheet zooms it to what fits an A4 page between its margins
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  let charts = [];

  function find() {
    for (const { place, isDrawn } of charts) if (isDrawn) Plotly.purge(place);
    charts = [...document.querySelectorAll(".chart")].map((frame) => {
      const source = frame.querySelector("script");
      frame.style.height = `${source.dataset.height}px`; // so that the page does not jump when it is drawn
      return { frame, source, figure: null, place: null, isDrawn: false };
    });
    for (const chart of charts) Charts.whenNear(chart.frame, () => draw(chart));
  }

  function draw(chart, width) {
    if (!chart.place) {
      chart.figure = JSON.parse(chart.source.textContent);
      chart.place = document.createElement("div");
      chart.place.className = "plot";
      chart.place.style.height = `${chart.figure.layout.height}px`; // kept when the window changes its width
      chart.frame.style.height = "";
      chart.frame.replaceChildren(chart.place);
    }
    const size = width ? { width, autosize: false } : { autosize: true };
    const layout = { ...chart.figure.layout, ...size, template: Charts.template() };
    Plotly.react(chart.place, chart.figure.data, layout, { ...Charts.config, responsive: !width });
    // The caption says what there is; letters of an axis one by one would say nothing.
    for (const svg of chart.place.querySelectorAll(".main-svg")) svg.setAttribute("aria-hidden", "true");
    chart.isDrawn = true;
  }

  function again() {
    for (const chart of charts) if (chart.isDrawn) draw(chart);
  }

  find();
  document.addEventListener("report-renewed", find);
  dark.addEventListener("change", again);
  window.addEventListener("beforeprint", () => {
    document.documentElement.classList.add("printed");
    for (const chart of charts) draw(chart, PRINTED_WIDTH);
  });
  window.addEventListener("afterprint", () => {
    document.documentElement.classList.remove("printed");
    again();
  });
})();
