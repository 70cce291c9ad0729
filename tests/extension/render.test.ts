import { describe, expect, test } from "vitest";
import { findArtifact, renderArtifact } from "../../vscode-extension/src/pure/artifacts";
import { readDefinitions } from "../../vscode-extension/src/pure/definitions";
import { base64Of, clip, escapeHtml, stripColours, textOf } from "../../vscode-extension/src/pure/escape";
import { highlight } from "../../vscode-extension/src/pure/highlight";
import { renderMarkdown } from "../../vscode-extension/src/pure/markdown";
import { renderEntry } from "../../vscode-extension/src/pure/render";
import { parseCsv, renderTable } from "../../vscode-extension/src/pure/table";
import { evidence, observation, step } from "./support";

const EVIL = `<img src=x onerror="alert(1)"></script><script>alert('x')</script>`;
const text = (html: string) =>
  html
    .replace(/<[^>]*>/g, "")
    .replace(/&lt;/g, "<")
    .replace(/&gt;/g, ">")
    .replace(/&quot;/g, '"')
    .replace(/&#39;/g, "'")
    .replace(/&amp;/g, "&");

describe("whatever comes from a model, a test or a sandbox is text, never markup", () => {
  const report = {
    ...{ command: ["pytest"], exit_code: 1, seconds: 1, problem: "", output: EVIL },
    results: [{ node_id: `t.py::${EVIL}`, outcome: "failed", seconds: 1, message: EVIL, traceback: EVIL }],
  };
  const artifact = { name: EVIL, media_type: EVIL, data: { text: EVIL } };
  const seen = observation({
    ...{ stdout: EVIL, stderr: EVIL, value: EVIL, tests: report, artifacts: [artifact] },
    failure: { type: EVIL, message: EVIL, traceback: EVIL },
  });
  test.each([
    ["a step", { kind: "step", step: step({ thought: EVIL, action: { code: EVIL, timeout: 1 }, observation: seen }) }],
    ["tests", { kind: "tests", phase: EVIL, report: { ...report, problem: EVIL } }],
    ["a note", { kind: "note", text: EVIL }],
    [
      "a result",
      {
        kind: "result",
        result: {
          ...{ event: "result", run: "r", status: "failed", message: EVIL, diff: EVIL, answer: EVIL },
          ...{ artifacts: [artifact], evidence: evidence({ reasons: [EVIL], command: [EVIL] }) },
        },
      },
    ],
  ] as const)("%s", (_, entry) => {
    const html = renderEntry(entry as never);
    expect(html).not.toMatch(/<script|<img src=x|onerror="/i);
    expect(text(html)).toContain("alert");
  });

  test("pictures of hostile kinds and names stay pictures", () => {
    const data = { base64: 'AAAA"><script>' };
    const html = renderArtifact({ name: `"${EVIL}`, media_type: "image/png", data });
    expect(html).not.toMatch(/<script/);
    expect(renderArtifact({ name: "x", media_type: "text/html", data: { text: EVIL } })).not.toMatch(/<script/);
  });
});

describe("Markdown", () => {
  test.each([
    ["# Title", "<h3>Title</h3>"],
    ["some *soft* and **hard** `co*de*`", "<p>some <em>soft</em> and <strong>hard</strong> <code>co*de*</code></p>"],
    ["- a\n- b", "<ul><li>a</li><li>b</li></ul>"],
    ["1. a\n2. b", "<ol><li>a</li><li>b</li></ol>"],
    ["- a\n  - b\n- c", "<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>"],
    ["- a\n  goes on", "<ul><li>a goes on</li></ul>"],
    ["> said", "<blockquote><p>said</p></blockquote>"],
    ["[site](https://example.org/a)", '<p><a href="https://example.org/a">site</a></p>'],
    ["[bad](javascript:alert(1))", "<p>[bad](javascript:alert(1))</p>"],
    ["snake_case_name and 2 * 3 * 4", "<p>snake_case_name and 2 * 3 * 4</p>"],
    ["---", "<hr>"],
  ])("%j", (markdown, html) => {
    expect(renderMarkdown(markdown)).toBe(html);
  });

  test("a table has a head and a body", () => {
    expect(renderMarkdown("| a | b |\n|---|--:|\n| 1 | 2 |")).toBe(
      '<div class="table"><table><thead><tr><th>a</th><th>b</th></tr></thead><tbody><tr><td>1</td><td>2</td></tr></tbody></table></div>',
    );
  });

  test("a fence that never ends is code to the end", () => {
    expect(text(renderMarkdown("before\n```python\nx = 1"))).toBe("beforex = 1");
  });

  test("every input ends, and keeps its words", () => {
    for (const odd of ["", "\n\n", "|", "- ", "  - x\n- y", "```", "#", "****", "> > >", "1) a\n   - b\n  c"]) {
      expect(typeof renderMarkdown(odd)).toBe("string");
    }
  });
});

describe("actions that only define", () => {
  test("are the new definitions of files", () => {
    const code = `define('a.py', """\\\ndef f():\n    return 1\n""")\ndefine('b/c.py', '''\\\n"""Doc."""\n''')`;
    expect(readDefinitions(code)).toEqual([
      { path: "a.py", code: "def f():\n    return 1\n" },
      { path: "b/c.py", code: '"""Doc."""\n' },
    ]);
    const html = renderEntry({ kind: "step", step: step({ action: { code, timeout: 1 } }) });
    expect(text(html)).toContain("New in a.py");
    expect(html).toContain('<span class="tok-keyword">def</span>');
  });

  test.each(["", "x = 1", `define('a.py', "x")`, `define('a.py', """\\\nx""")\nprint(1)`, `define('a.py', """\\\nx`])(
    "%j is plain code",
    (code) => {
      expect(readDefinitions(code)).toBeUndefined();
    },
  );
});

describe("syntax colours", () => {
  const code = `@cache\ndef total(self, n: int = 0x1f) -> str:\n    """Doc # no comment."""\n    return f"a\\"{n}" + 'b'  # "why"\n`;

  test("colours never change the text", () => {
    for (const language of ["python", "json", "diff", "text", ""]) expect(text(highlight(code, language))).toBe(code);
    expect(text(highlight('"""never ends', "python"))).toBe('"""never ends');
    expect(text(highlight("'open\nx = 'é🙂'", "py"))).toBe("'open\nx = 'é🙂'");
  });

  test("what is a keyword, a string and a comment in Python", () => {
    const html = highlight(code, "python");
    expect(html).toContain('<span class="tok-keyword">def</span>');
    expect(html).toContain('<span class="tok-function">total</span>');
    expect(html).toContain('<span class="tok-comment"># &quot;why&quot;</span>');
    expect(html).toContain('<span class="tok-decorator">@cache</span>');
    expect(highlight("classify = 1", "python")).not.toContain("keyword");
  });

  test("lines of a diff by their first character", () => {
    const html = highlight("--- a\n+++ b\n@@ -1 +1 @@\n-x\n+y\n z", "diff");
    expect(html.match(/class="([^"]+)"/g)).toEqual(
      ["diff-file", "diff-file", "diff-place", "diff-removed", "diff-added"].map((kind) => `class="${kind}"`),
    );
  });
});

describe("artifacts", () => {
  test("a picture is shown inline, a table as a table, JSON with colours, the rest by name", () => {
    const show = (media_type: string, data: object) => renderArtifact({ name: "it", media_type, data });
    expect(show("image/png", { base64: "iVBORw==" })).toContain('src="data:image/png;base64,iVBORw=="');
    expect(show("image/svg+xml", { text: "<svg/>" })).toContain("data:image/svg+xml;base64,PHN2Zy8+");
    expect(show("text/csv", { text: "a,b\n1,2\n" })).toContain("<td");
    expect(show("application/json", { text: '{"a": 1}' })).toContain("tok-number");
    expect(show("application/zip", { base64: "/w==" })).toContain("application/zip");
  });

  test("a large one is asked for by its hash", () => {
    const html = renderArtifact({ name: "big", media_type: "image/png", data: { sha256: "ab" } });
    expect(html).toContain('data-sha256="ab"');
    expect(html).toContain("Loading…");
  });

  test("the one to save is the last of its name and hash", () => {
    const artifact = (name: string, data: object) => ({ name, media_type: "text/csv", data });
    const made = [artifact("a", { text: "1" }), artifact("a", { text: "2" }), artifact("a", { sha256: "ab" })];
    const events = [{ event: "step" as const, step: step({ observation: observation({ artifacts: made }) }) }];
    expect(findArtifact(events, "a", "")?.data).toEqual({ text: "2" });
    expect(findArtifact(events, "a", "ab")?.data).toEqual({ sha256: "ab" });
    expect(findArtifact(events, "b", "")).toBeUndefined();
    expect(renderArtifact(artifact('"b', { text: "1" }))).toContain('data-save="&quot;b"');
  });

  test("CSV with quotes, commas and line ends within quotes", () => {
    expect(parseCsv('a,"b, c"\r\n"x ""y""","1\n2"\n')).toEqual([
      ["a", "b, c"],
      ['x "y"', "1\n2"],
    ]);
    expect(parseCsv("")).toEqual([]);
  });

  test("a long table ends with a note", () => {
    const rows = Array.from({ length: 250 }, (_, row) => `${row}`).join("\n");
    expect(renderTable(`n\n${rows}`)).toContain("50 more rows");
  });
});

describe("text", () => {
  test("escaping covers attributes too", () => {
    expect(escapeHtml(`<a b="c" d='e'>&`)).toBe("&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;");
  });

  test("a long text keeps its head and its tail", () => {
    const clipped = clip(`${"a".repeat(50)}${"b".repeat(50)}`, 20);
    expect(clipped).toBe(`${"a".repeat(10)}\n… 80 more characters …\n${"b".repeat(10)}`);
    expect(clip("short", 20)).toBe("short");
  });

  test("colour codes of terminals are dropped", () => {
    expect(stripColours("\u001b[31mred\u001b[0m")).toBe("red");
  });

  test("bytes are text if they are UTF-8, and Base64 either way", () => {
    expect(textOf({ base64: "w6k=" })).toBe("é");
    expect(textOf({ base64: "/w==" })).toBeUndefined();
    expect(base64Of({ text: "é" })).toBe("w6k=");
    expect(base64Of({ sha256: "00" })).toBeUndefined();
  });
});
