// Draws every chart of the page in the colours of the reader's theme, and in black on white for printing.
"use strict";
(() => {
  const PRINTED_WIDTH = 940; // px: the style sheet zooms it to what fits an A4 page between its margins
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  let charts = [];

  function find() {
    for (const { place } of charts) Plotly.purge(place);
    charts = [...document.querySelectorAll(".chart")].map((frame) => {
      const figure = JSON.parse(frame.querySelector("script").textContent);
      const place = document.createElement("div");
      place.className = "plot";
      place.style.height = `${figure.layout.height}px`; // kept when the window changes its width
      frame.replaceChildren(place);
      return { place, figure };
    });
  }

  function template() {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    const axis = {
      gridcolor: colour("--grid"),
      zerolinecolor: colour("--grid"),
      linecolor: colour("--line"),
      tickcolor: colour("--line"),
    };
    return {
      layout: {
        font: { family: style.fontFamily, size: 13, color: colour("--ink") },
        paper_bgcolor: "rgba(0,0,0,0)",
        plot_bgcolor: "rgba(0,0,0,0)",
        hoverlabel: { bgcolor: colour("--surface"), bordercolor: colour("--line"), font: { color: colour("--ink") } },
        modebar: { bgcolor: "rgba(0,0,0,0)", color: colour("--line"), activecolor: colour("--quiet") },
        xaxis: axis,
        yaxis: axis,
      },
    };
  }

  function draw(width) {
    const theme = template();
    for (const { place, figure } of charts) {
      const size = width ? { width, autosize: false } : { autosize: true };
      Plotly.react(place, figure.data, { ...figure.layout, ...size, template: theme }, {
        responsive: !width,
        displaylogo: false,
        displayModeBar: "hover",
        modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d"],
      });
    }
  }

  find();
  draw();
  document.addEventListener("report-renewed", () => {
    find();
    draw();
  });
  dark.addEventListener("change", () => draw());
  window.addEventListener("beforeprint", () => {
    document.documentElement.classList.add("printed");
    draw(PRINTED_WIDTH);
  });
  window.addEventListener("afterprint", () => {
    document.documentElement.classList.remove("printed");
    draw();
  });
})();
