// Sparklines: the prices of the last hour, one per minute.

const LENGTH = 60;

/** Minutes and prices of what the console sends: the first minute, and a price or none for each from then on. */
export function unpack({ minute, prices }) {
  return prices.map((price, i) => [minute + i, price]).filter(([, price]) => price !== null);
}

/** Adds a price, which replaces an earlier one of the same minute. */
export function push(spark, time, price) {
  const minute = Math.floor(time / 60_000);
  const last = spark.at(-1);
  if (last && last[0] === minute) last[1] = price;
  else if (!last || last[0] < minute) spark.push([minute, price]);
  const oldest = minute - LENGTH;
  let stale = 0;
  while (stale < spark.length && spark[stale][0] <= oldest) stale += 1;
  if (stale > 0) spark.splice(0, stale);
}

/** The sparkline in words, for screen readers. */
export function inWords(spark) {
  if (spark.length < 2) return "no prices yet";
  const change = spark.at(-1)[1] / spark[0][1] - 1;
  return `${change >= 0 ? "up" : "down"} ${Math.abs(change * 100).toFixed(1)} % over the last hour`;
}

/** Draws a sparkline. `ink` holds the colours for rising and falling prices. */
export function draw(canvas, spark, ink) {
  const scale = devicePixelRatio || 1;
  const width = canvas.clientWidth;
  const height = canvas.clientHeight;
  if (width === 0) return;
  if (canvas.width !== Math.round(width * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
  }
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  if (spark.length < 2) return;
  let low = Infinity;
  let high = -Infinity;
  for (const [, price] of spark) {
    if (price < low) low = price;
    if (price > high) high = price;
  }
  const newest = spark.at(-1)[0];
  const x = (minute) => 1 + ((minute - newest + LENGTH - 1) / (LENGTH - 1)) * (width - 2);
  const y = (price) => (high === low ? height / 2 : height - 2 - ((price - low) / (high - low)) * (height - 4));
  const rising = spark.at(-1)[1] >= spark[0][1];
  context.strokeStyle = rising ? ink.up : ink.down;
  context.fillStyle = rising ? ink.upFill : ink.downFill;
  context.lineWidth = 1.4;
  context.lineJoin = "round";
  context.beginPath();
  for (const [minute, price] of spark) context.lineTo(x(minute), y(price));
  context.stroke();
  context.lineTo(x(newest), height);
  context.lineTo(x(spark[0][0]), height);
  context.fill();
}
