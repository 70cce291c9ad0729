// CSV as an HTML table.
import { escapeHtml } from "./escape";

const ROWS = 200;

/** The rows of a CSV text; quotes and line ends within quotes are understood. */
export function parseCsv(text: string, separator = ","): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let cell = "";
  let quoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at] ?? "";
    if (quoted) {
      if (character === '"' && text[at + 1] === '"') {
        cell += '"';
        at += 1;
      } else if (character === '"') quoted = false;
      else cell += character;
    } else if (character === '"') quoted = true;
    else if (character === separator) {
      row.push(cell);
      cell = "";
    } else if (character === "\n") {
      rows.push([...row, cell.replace(/\r$/, "")]);
      row = [];
      cell = "";
    } else cell += character;
  }
  if (cell || row.length > 0) rows.push([...row, cell]);
  return rows;
}

/** A table with its first row as head; long ones end with a note. */
export function renderTable(text: string, separator = ","): string {
  const [head = [], ...body] = parseCsv(text, separator);
  const isNumber = (cell: string) => /^\s*-?[\d.,]+(e[+-]?\d+)?%?\s*$/i.test(cell);
  const cell = (value: string) => `<td${isNumber(value) ? ' class="number"' : ""}>${escapeHtml(value)}</td>`;
  const rows = body.slice(0, ROWS).map((row) => `<tr>${row.map(cell).join("")}</tr>`);
  const more = body.length > ROWS ? `<p class="note">${body.length - ROWS} more rows</p>` : "";
  const heads = head.map((value) => `<th scope="col">${escapeHtml(value)}</th>`).join("");
  return `<div class="table"><table><thead><tr>${heads}</tr></thead><tbody>${rows.join("")}</tbody></table></div>${more}`;
}
