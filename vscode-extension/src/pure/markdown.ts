// The Markdown that models write, as HTML: headings, lists, code, tables, emphasis, links. Everything else stays text.
import { escapeHtml } from "./escape";
import { highlight } from "./highlight";

interface Lines {
  readonly all: readonly string[];
  at: number;
}

/** Markdown as HTML. Raw HTML in it is shown as text; links lead to http and https only. */
export function renderMarkdown(text: string): string {
  const lines: Lines = { all: text.replace(/\r\n?/g, "\n").split("\n"), at: 0 };
  let html = "";
  while (lines.at < lines.all.length) html += renderBlock(lines);
  return html;
}

function renderBlock(lines: Lines): string {
  const line = lines.all[lines.at] ?? "";
  const fence = /^\s*(```+|~~~+)\s*([\w+-]*)/.exec(line);
  if (fence) return renderFence(lines, fence[1] ?? "```", fence[2] ?? "");
  const heading = /^(#{1,6})\s+(.*)$/.exec(line);
  if (heading) {
    lines.at += 1;
    const level = Math.min(6, (heading[1]?.length ?? 1) + 2); // the view's own headings are above
    return `<h${level}>${renderInline(heading[2] ?? "")}</h${level}>`;
  }
  if (/^\s*\|.*\|\s*$/.test(line) && isRuler(lines.all[lines.at + 1])) return renderTable(lines);
  if (ITEM.test(line)) return renderList(lines);
  if (/^\s*>/.test(line)) return `<blockquote>${renderMarkdown(take(lines, /^\s*> ?/).join("\n"))}</blockquote>`;
  if (/^\s*([-*_])(\s*\1){2,}\s*$/.test(line)) {
    lines.at += 1;
    return "<hr>";
  }
  return renderParagraph(lines);
}

function renderFence(lines: Lines, mark: string, language: string): string {
  const code: string[] = [];
  lines.at += 1;
  while (lines.at < lines.all.length && !(lines.all[lines.at] ?? "").trim().startsWith(mark)) {
    code.push(lines.all[lines.at] ?? "");
    lines.at += 1;
  }
  lines.at += 1;
  return `<pre class="code"><code>${highlight(code.join("\n"), language)}</code></pre>`;
}

const ITEM = /^(\s*)([-*+]|\d+[.)])\s+(.*)$/;

function renderList(lines: Lines): string {
  const first = ITEM.exec(lines.all[lines.at] ?? "");
  const depth = first?.[1]?.length ?? 0;
  const tag = /\d/.test(first?.[2] ?? "") ? "ol" : "ul";
  let html = "";
  while (lines.at < lines.all.length) {
    const item = ITEM.exec(lines.all[lines.at] ?? "");
    if (!item || (item[1]?.length ?? 0) < depth) break;
    if ((item[1]?.length ?? 0) > depth) {
      html = html.replace(/<\/li>$/, "") + renderList(lines) + (html ? "</li>" : "");
      continue;
    }
    lines.at += 1;
    html += `<li>${renderInline([item[3] ?? "", ...takeContinuation(lines, depth)].join(" "))}</li>`;
  }
  return `<${tag}>${html}</${tag}>`;
}

function takeContinuation(lines: Lines, depth: number): string[] {
  const found: string[] = [];
  while (lines.at < lines.all.length) {
    const line = lines.all[lines.at] ?? "";
    const indent = line.length - line.trimStart().length;
    if (!line.trim() || indent <= depth || ITEM.test(line)) break;
    found.push(line.trim());
    lines.at += 1;
  }
  return found;
}

function isRuler(line: string | undefined): boolean {
  return line !== undefined && /^\s*\|?[\s:|-]+\|[\s:|-]*$/.test(line) && line.includes("-");
}

function renderTable(lines: Lines): string {
  const rows: string[][] = take(lines, /^\s*\|/).map((row) => row.replace(/\|\s*$/, "").split("|"));
  const [head = [], , ...body] = rows;
  const cells = (row: string[], tag: string) =>
    row.map((cell) => `<${tag}>${renderInline(cell.trim())}</${tag}>`).join("");
  const rest = body.map((row) => `<tr>${cells(row, "td")}</tr>`).join("");
  return `<div class="table"><table><thead><tr>${cells(head, "th")}</tr></thead><tbody>${rest}</tbody></table></div>`;
}

/** The lines from here on that begin like this, without their beginning. */
function take(lines: Lines, begin: RegExp): string[] {
  const found: string[] = [];
  while (lines.at < lines.all.length && begin.test(lines.all[lines.at] ?? "")) {
    found.push((lines.all[lines.at] ?? "").replace(begin, ""));
    lines.at += 1;
  }
  return found;
}

function renderParagraph(lines: Lines): string {
  const found: string[] = [];
  do {
    found.push(lines.all[lines.at] ?? "");
    lines.at += 1;
  } while (lines.at < lines.all.length && !beginsBlock(lines.all[lines.at] ?? ""));
  const text = found.join("\n").trim();
  return text ? `<p>${renderInline(text)}</p>` : "";
}

function beginsBlock(line: string): boolean {
  return !line.trim() || /^\s*(```|~~~|>|#{1,6}\s|\|)/.test(line) || ITEM.test(line);
}

/** Emphasis, code and links within a line. */
export function renderInline(text: string): string {
  return text
    .split(/(`[^`\n]+`)/)
    .map((part, index) =>
      index % 2 ? `<code>${escapeHtml(part.slice(1, -1))}</code>` : renderEmphasis(escapeHtml(part)),
    )
    .join("");
}

function renderEmphasis(html: string): string {
  return html
    .replace(/\[([^\]\n]+)\]\((https?:\/\/[^\s)]+)\)/g, '<a href="$2">$1</a>')
    .replace(/\*\*([^*\n]+)\*\*/g, "<strong>$1</strong>")
    .replace(/(^|[^\w*])\*([^*\s][^*\n]*)\*(?![\w*])/g, "$1<em>$2</em>")
    .replace(/(^|[^\w_])_([^_\s][^_\n]*)_(?![\w_])/g, "$1<em>$2</em>");
}
