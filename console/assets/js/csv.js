// Files of comma-separated values, for spreadsheets and programs.

/** Rows as text. Spreadsheets take what begins with one of =+-@ for a formula, so such a text gets an apostrophe. */
export function csvOf(rows) {
  return rows.map((row) => row.map(cellOf).join(",") + "\r\n").join("");
}

function cellOf(value) {
  if (value === null || value === undefined) return "";
  if (typeof value !== "string") return String(value);
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Hands a text to the reader as a file. */
export function download(name, text) {
  const address = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name.replace(/[^\w.-]+/g, "_");
  link.click();
  setTimeout(() => URL.revokeObjectURL(address));
}
