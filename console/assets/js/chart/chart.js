// A coin's chart, drawn by uPlot: the price, and panes below it that share its times, its zoom and its cursor.

import { h } from "../dom.js";
import { drawFollowed, drawMarks } from "./marks.js";
import { drawForeseen } from "./outlooks.js";
import { hasPane, paneAxis, paneData, PANES, paneScale, paneSeries, paneTitle } from "./panes.js";
import { drawUnit, IN_UTC, placeOf, TIMES, timeAxis, uPlot, valueAxis } from "./plot.js";

const PANE_HEIGHT = 96;
/** The least width of a zoom, in pixels. */
const DRAG_MIN = 4;

let made = 0;

/**
 * Draws `first`, ticks as `columns` with `candles`, `others`, `alerts` and what was `foreseen`, in the way of `kind`. `followed` is the time of an alert to
 * point out. `onView` is called with the times in view and whether they are zoomed in, `onHover` with the place of the tick under the cursor.
 */
export function makeChart(holder, first, { kind, followed, onView, onHover }) {
  let shown = first;
  let zoom = null;
  const key = `chart-${made += 1}`;
  const inView = () => zoom ?? wide(kind.span(shown));
  const pricePlace = h("div");
  holder.replaceChildren(pricePlace);

  const cursor = {
    sync: { key, filters: { pub: (type) => type === "mousemove" || type === "mouseleave" } },
    drag: { x: true, y: false, setScale: false },
    points: { size: 7 },
    bind: { dblclick: () => () => zoomTo(null) },
  };
  const setSelect = [(plot) => {
    const { left, width } = plot.select;
    if (width < DRAG_MIN) return;
    zoomTo([left, left + width].map((x) => plot.posToVal(x, "x")));
  }];
  const plotOf = (place, height, { scale, hooks, ...options }, data) => new uPlot({
    ...IN_UTC, width: holder.clientWidth || 300, height, cursor,
    scales: { x: { time: true }, y: { range: () => scale(shown, ...inView()) } },
    hooks: { ...hooks, setSelect },
    ...options,
  }, data, place);

  const price = plotOf(pricePlace, priceHeight(holder), {
    padding: [22, 22, 0, 0],
    scale: kind.scale,
    axes: [timeAxis(true), valueAxis(kind.show)],
    series: kind.series(() => shown),
    bands: kind.bands,
    hooks: {
      setCursor: [({ cursor: { left }, posToVal }) => {
        const { time } = shown.columns;
        if (left < 0) queueMicrotask(tellNewest);
        onHover(left < 0 ? null : Math.min(placeOf(time, posToVal(left, "x")), time.length - 1));
      }],
      draw: [(plot) => {
        drawUnit(plot, kind.unit);
        kind.paint(plot, shown);
        drawFollowed(plot, followed);
        if (kind.foresees) drawForeseen(plot, shown.foreseen, (value) => kind.level(shown, value));
        drawMarks(plot, shown.alerts, followed, (value) => kind.level(shown, value));
      }],
    },
  }, kind.data(shown));

  const panes = PANES.map((pane) => {
    const { title, write } = paneTitle(pane);
    const place = h("div");
    const whole = h("div", { className: "pane", hidden: true }, title, place);
    holder.append(whole);
    return { pane, write, place, whole, plot: null };
  });

  function makePane(one) {
    one.plot = plotOf(one.place, PANE_HEIGHT, {
      padding: [6, 22, 0, 0],
      legend: { show: false },
      scale: ({ columns }, from, to) => paneScale(one.pane, columns, from, to),
      axes: [timeAxis(false), paneAxis(one.pane)],
      series: [TIMES, ...paneSeries(one.pane)],
      hooks: {
        draw: [(plot) => drawFollowed(plot, followed)],
        setCursor: [(plot) => one.write(shown.columns, placeUnderCursor(plot))],
      },
    }, paneData(one.pane, shown.columns));
  }

  function show() {
    kind.update(price, shown);
    update(price, kind.data(shown));
    for (const one of panes) {
      one.whole.hidden = !hasPane(one.pane, shown.columns);
      if (one.whole.hidden) continue;
      if (!one.plot) makePane(one);
      update(one.plot, paneData(one.pane, shown.columns));
      one.write(shown.columns, placeUnderCursor(one.plot));
    }
    tellNewest();
    onView(...inView(), zoom !== null);
  }

  /** The newest in view where no cursor is. */
  function placeUnderCursor(plot) {
    return plot.cursor.idx ?? Math.max(0, placeOf(plot.data[0], inView()[1] + 1) - 1);
  }

  /** A legend without a cursor is that of the newest in view. */
  function tellNewest() {
    if (price.cursor.idx === null || price.cursor.idx === undefined) price.setLegend({ idx: placeUnderCursor(price) }, false);
  }

  function update(plot, data) {
    const [min, max] = inView();
    const isStill = plot.scales.x.min === min && plot.scales.x.max === max;
    plot.batch(() => {
      plot.setData(data, false);
      plot.setScale("x", { min, max });
    });
    if (isStill) plot.redraw();
  }

  const plots = () => [price, ...panes.map(({ plot }) => plot).filter(Boolean)];

  function zoomTo(next) {
    zoom = next;
    for (const plot of plots()) {
      plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
      const [min, max] = inView();
      plot.setScale("x", { min, max });
    }
    tellNewest();
    for (const { plot, write } of panes) if (plot) write(shown.columns, placeUnderCursor(plot));
    onView(...inView(), zoom !== null);
    return null;
  }

  const resized = new ResizeObserver(() => {
    const width = holder.clientWidth;
    // The first call comes when everything has just been drawn.
    for (const plot of plots()) if (plot.width !== width) plot.setSize({ width, height: plot === price ? priceHeight(holder) : PANE_HEIGHT });
  });
  resized.observe(holder);
  show();
  return {
    show: (next) => {
      shown = next;
      show();
    },
    redraw: () => plots().forEach((plot) => plot.redraw(false)),
    zoomTo,
    /** Moves the cursor to the tick at this place; for keyboards. */
    pointAt: (index) => {
      const { time, price: prices } = shown.columns;
      price.setCursor({ left: price.valToPos(time[index], "x"), top: price.valToPos(kind.level(shown, prices[index]), "y") });
    },
    destroy: () => {
      resized.disconnect();
      plots().forEach((plot) => plot.destroy());
    },
  };
}

/** A stretch of time around a single tick. */
function wide([from, to]) {
  return from < to ? [from, to] : [from - 30_000, to + 30_000];
}

function priceHeight(holder) {
  return Math.max(240, Math.min(400, Math.round(holder.clientWidth * 0.45)));
}
