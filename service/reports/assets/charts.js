// What every chart of ours has: the colours of the reader's theme, buttons that keep data here, drawn when it is near.
"use strict";
const Charts = (() => {
  const NEAR = "600px"; // below the window
  // A name that is not here has no button: plotly's own list has one that sends the data to a server of its makers.
  const BUTTONS = [["toImage"], ["zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d"]];
  const config = {
    modeBarButtons: BUTTONS,
    displayModeBar: "hover",
    displaylogo: false,
    showSendToCloud: false,
    plotlyServerURL: "",
  };
  Plotly.setPlotConfig(config); // also for a chart that is drawn without it

  /** The value of a variable of the style sheet, such as "--ink", in the theme that is shown. */
  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  /** A plotly template in the colours and letters of the page. */
  function template() {
    const line = { gridcolor: colour("--grid"), zerolinecolor: colour("--line"), linecolor: colour("--line") };
    const axis = { ...line, tickcolor: colour("--line") };
    return {
      layout: {
        font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: colour("--ink") },
        paper_bgcolor: "rgba(0,0,0,0)",
        plot_bgcolor: "rgba(0,0,0,0)",
        hoverlabel: { bgcolor: colour("--surface"), bordercolor: colour("--line"), font: { color: colour("--ink") } },
        modebar: { bgcolor: "rgba(0,0,0,0)", color: colour("--quiet"), activecolor: colour("--ink") },
        xaxis: axis,
        yaxis: axis,
      },
    };
  }

  /** Call `draw` once, when the element comes near to what is seen. */
  function whenNear(element, draw) {
    const watch = new IntersectionObserver(
      (entries) => {
        if (!entries.some((entry) => entry.isIntersecting)) return;
        watch.disconnect();
        draw();
      },
      { rootMargin: NEAR },
    );
    watch.observe(element);
  }

  return { config, colour, template, whenNear };
})();
