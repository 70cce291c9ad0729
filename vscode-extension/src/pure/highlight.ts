// Syntax colours without a library: enough of Python, diffs and JSON to read code calmly.
import { escapeHtml } from "./escape";

type Rule = readonly [kind: string, pattern: RegExp];

const KEYWORDS =
  "False|None|True|and|as|assert|async|await|break|class|continue|def|del|elif|else|except|finally|for|from|global|" +
  "if|import|in|is|lambda|nonlocal|not|or|pass|raise|return|try|while|with|yield|match|case";

const PYTHON: readonly Rule[] = [
  ["comment", /#[^\n]*/y],
  ["string", /(?:[rbfu]|rb|br|fr|rf)?(?:"""[\s\S]*?(?:"""|$)|'''[\s\S]*?(?:'''|$))/iy],
  ["string", /(?:[rbfu]|rb|br|fr|rf)?(?:"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?)/iy],
  ["decorator", /@[A-Za-z_][\w.]*/y],
  ["keyword", new RegExp(`(?:${KEYWORDS})\\b`, "y")],
  ["number", /(?:0[xob][\da-f_]+|\d[\d_]*(?:\.\d[\d_]*)?(?:e[+-]?\d+)?j?)\b/iy],
  ["function", /[A-Za-z_]\w*(?=\s*\()/y],
  ["", /[A-Za-z_]\w*/y],
];

const JSON_RULES: readonly Rule[] = [
  ["function", /"(?:\\.|[^"\\\n])*"(?=\s*:)/y],
  ["string", /"(?:\\.|[^"\\\n])*"?/y],
  ["keyword", /(?:true|false|null)\b/y],
  ["number", /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y],
];

/** Code as HTML; a language that is not known stays without colours. */
export function highlight(code: string, language: string): string {
  switch (language.toLowerCase()) {
    case "python":
    case "py":
    case "pycon":
      return paint(code, PYTHON);
    case "json":
      return paint(code, JSON_RULES);
    case "diff":
    case "patch":
      return paintDiff(code);
    default:
      return escapeHtml(code);
  }
}

function paint(code: string, rules: readonly Rule[]): string {
  let html = "";
  let at = 0;
  while (at < code.length) {
    const [kind, text] = match(code, at, rules);
    html += kind ? `<span class="tok-${kind}">${escapeHtml(text)}</span>` : escapeHtml(text);
    at += text.length;
  }
  return html;
}

function match(code: string, at: number, rules: readonly Rule[]): readonly [string, string] {
  for (const [kind, pattern] of rules) {
    pattern.lastIndex = at;
    const found = pattern.exec(code);
    if (found?.[0]) return [kind, found[0]];
  }
  return ["", code[at] ?? ""];
}

function paintDiff(code: string): string {
  return code
    .split("\n")
    .map((line) => {
      const kind = diffKind(line);
      return kind ? `<span class="${kind}">${escapeHtml(line)}</span>` : escapeHtml(line);
    })
    .join("\n");
}

function diffKind(line: string): string {
  if (/^(\+\+\+|---|diff |index )/.test(line)) return "diff-file";
  if (line.startsWith("@@")) return "diff-place";
  if (line.startsWith("+")) return "diff-added";
  return line.startsWith("-") ? "diff-removed" : "";
}
