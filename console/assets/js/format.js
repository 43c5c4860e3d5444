// Numbers and times for people. Sizes are decimal (1 kB = 1,000 B), times are UTC.

const NONE = "–";
const byDigits = new Map();

function fixed(digits) {
  let format = byDigits.get(digits);
  if (!format) {
    // No sign for what rounds to zero.
    format = new Intl.NumberFormat("en-US",
      { minimumFractionDigits: digits, maximumFractionDigits: digits, signDisplay: "negative" });
    byDigits.set(digits, format);
  }
  return format;
}

const compactFormat = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });
const integerFormat = new Intl.NumberFormat("en-US");

/** What prices are in, such as `USD`; empty while a console beside a new platform does not know. */
export const CURRENCY = document.documentElement.dataset.currency;

/** An amount of money that a reader has as text. */
export function money(text) {
  return CURRENCY ? `${text} ${CURRENCY}` : text;
}

/** The name of something that is money. */
export function inMoney(name) {
  return CURRENCY ? `${name}, ${CURRENCY}` : name;
}

/** As many as every browser writes. */
const DIGITS_MAX = 20;

/** A price, with about five significant digits. */
export function price(value) {
  if (value === null || value === undefined) return NONE;
  const size = Math.abs(value);
  if (size >= 1000) return fixed(2).format(value);
  if (size >= 1) return fixed(4).format(value);
  if (size === 0) return "0";
  const digits = Math.min(DIGITS_MAX, (size < 0.001 ? 3 : 4) - Math.floor(Math.log10(size)));
  return fixed(digits).format(value);
}

/** Less is 0.00 %, which is no rise. */
const CHANGE_MIN = 0.00005;

/** A fraction as a signed percentage. */
export function change(value) {
  if (value === null || value === undefined) return NONE;
  return (value >= CHANGE_MIN ? "+" : "") + decimal(value * 100, 2) + " %";
}

/** A probability as a percentage. */
export function probability(value) {
  if (value === null || value === undefined) return NONE;
  return fixed(value < 0.1 ? 1 : 0).format(value * 100) + " %";
}

const twoDigits = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 2 });

/** A share as a percentage that is not zero where the share is not: `0.09 %`. */
export function share(value) {
  if (value === null || value === undefined) return NONE;
  return (value < 0.1 ? twoDigits : fixed(0)).format(value * 100) + " %";
}

/** A number with this many decimals. */
export function decimal(value, digits = 1) {
  return value === null || value === undefined ? NONE : fixed(digits).format(value);
}

/** A count: whole below a million, else as in 1.2M. */
export function count(value) {
  if (value === null || value === undefined) return NONE;
  return Math.abs(value) < 1e6 ? integerFormat.format(value) : compactFormat.format(value);
}

/** Counts beside each other, with as many digits as tell them apart. */
export function countsApart(values) {
  for (let digits = 1; ; digits += 1) {
    const few = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: digits });
    const texts = values.map((value) => few.format(value));
    if (digits === 6 || new Set(texts).size === texts.length) return texts;
  }
}

/** A count with its noun, `1 file` or `2 files`. */
export function counted(value, noun) {
  return `${count(value)} ${value === 1 ? noun : noun + "s"}`;
}

/** A rate per second. */
export function rate(value) {
  if (value === null || value === undefined) return NONE;
  if (value === 0) return "0/s";
  return (value < 10 ? fixed(1).format(value) : count(Math.round(value))) + "/s";
}

/** A short duration, given in seconds: `1.9 µs`. */
export function brief(seconds) {
  if (seconds === null || seconds === undefined) return NONE;
  const [unit, size] = seconds < 1e-6 ? ["ns", 1e-9] : seconds < 1e-3 ? ["µs", 1e-6] : seconds < 1 ? ["ms", 1e-3] : ["s", 1];
  const value = seconds / size;
  return fixed(value < 10 && unit !== "ns" ? 1 : 0).format(value) + " " + unit;
}

/** A size, given in bytes: `1.2 MB`. */
export function bytes(value) {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let unit = 0;
  let size = value;
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return fixed(unit === 0 || size >= 100 ? 0 : 1).format(size) + " " + units[unit];
}

/** How long ago, given in seconds: `3 min ago`. */
export function ago(seconds) {
  if (seconds === null || seconds === undefined) return "never";
  if (seconds < 2) return "just now";
  return duration(seconds) + " ago";
}

/** The age of a time, given in milliseconds since the epoch: `3 min`. */
export function age(ms, now = Date.now()) {
  if (ms === null || ms === undefined) return NONE;
  return duration(Math.max(0, Math.floor((now - ms) / 1000)));
}

/** A length of time, given in seconds: `3 min`. */
export function seconds(value) {
  return duration(Math.round(value));
}

function duration(seconds) {
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

/** A time, given in milliseconds since the epoch: `2025-06-01 14:05:09`. */
export function time(ms) {
  const date = new Date(ms);
  if (Number.isNaN(date.getTime())) return NONE;
  return date.toISOString().slice(0, 19).replace("T", " ");
}

/** A time after another: without the date where it is the same. */
export function timeAfter(ms, before) {
  const [text, other] = [time(ms), time(before)];
  return text.slice(0, 10) === other.slice(0, 10) ? text.slice(11) : text;
}

/** A text that begins with a capital. */
export function sentenceCase(text) {
  return text[0].toUpperCase() + text.slice(1);
}

/** A sentence whose prices look like those beside it. */
export function sentence(text) {
  return text.replace(/\d+\.\d{3,}(e-?\d+)?|\d{4,}\.\d+/g, (number) => price(Number(number)));
}

const RULE = "rule:";

/** The name of the user's rule that an alert's kind is of, or null. */
export function ruleOf(kind) {
  return kind.startsWith(RULE) ? kind.slice(RULE.length) : null;
}

/** The kind of a rule's alerts. */
export function kindOfRule(name) {
  return RULE + name;
}

/** The name of an alert's kind: `price spike`, or `rule btc-60k`. */
export function kind(name) {
  const rule = ruleOf(name);
  return rule === null ? name.replaceAll("_", " ") : `rule ${rule}`;
}

/** A time as date fields have it, in UTC: `2025-06-01T14:05`, with seconds where `length` is 19; empty if it is none. */
export function dateField(ms, length = 16) {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? "" : date.toISOString().slice(0, length);
}
