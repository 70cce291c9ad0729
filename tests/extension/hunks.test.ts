import { describe, expect, test } from "vitest";
import { allParts, applyHunks, describeHunk, proposedText } from "../../vscode-extension/src/pure/hunks";
import { Selection } from "../../vscode-extension/src/pure/selection";
import { evidence, file, review } from "./support";

const BEFORE = "one\ntwo\nthree\nfour\n";
const HUNKS = [
  { id: "a.py#1", old_start: 1, old: "one\n", new_start: 1, new: "ONE\nand a half\n" },
  { id: "a.py#2", old_start: 4, old: "", new_start: 5, new: "inserted\n" },
  { id: "a.py#3", old_start: 4, old: "four\n", new_start: 6, new: "" },
];

describe("hunks", () => {
  test("each choice of hunks gives the text with those hunks and no other", () => {
    const text = (...ids: string[]) => applyHunks(BEFORE, HUNKS, new Set(ids));
    expect(text()).toBe(BEFORE);
    expect(text("a.py#1")).toBe("ONE\nand a half\ntwo\nthree\nfour\n");
    expect(text("a.py#2")).toBe("one\ntwo\nthree\ninserted\nfour\n");
    expect(text("a.py#3")).toBe("one\ntwo\nthree\n");
    expect(text("a.py#1", "a.py#2", "a.py#3")).toBe("ONE\nand a half\ntwo\nthree\ninserted\n");
  });

  test("a missing line end at the end of a file stays missing", () => {
    const hunks = [{ id: "a#1", old_start: 2, old: "b", new_start: 2, new: "c" }];
    expect(applyHunks("a\nb", hunks, new Set(["a#1"]))).toBe("a\nc");
    expect(applyHunks("a\nb", hunks, new Set())).toBe("a\nb");
  });

  test("carriage returns belong to their lines and come through", () => {
    const hunks = [{ id: "a#1", old_start: 1, old: "a\r\n", new_start: 1, new: "A\r\n" }];
    expect(applyHunks("a\r\nb\r\n", hunks, new Set(["a#1"]))).toBe("A\r\nb\r\n");
  });

  test("a file that is left out altogether is as it was, a new one does not exist", () => {
    const added = file({ path: "new.py", status: "added", before: null, after: "x\n", hunks: [] });
    expect(proposedText(added, new Set(["new.py"]))).toBe("x\n");
    expect(proposedText(added, new Set())).toBeNull();
  });

  test("a deleted file is back when its deletion is left out", () => {
    const deleted = file({ path: "old.py", status: "deleted", before: "x\n", after: null, hunks: [] });
    expect(proposedText(deleted, new Set(["old.py"]))).toBeNull();
    expect(proposedText(deleted, new Set())).toBe("x\n");
  });

  test("a hunk is told by its first line that says something", () => {
    expect(describeHunk({ id: "a#1", old_start: 1, old: "a\n", new_start: 1, new: "\n    return 1\n" })).toEqual({
      label: "return 1",
      added: 2,
      removed: 1,
    });
    expect(describeHunk({ id: "a#1", old_start: 1, old: "gone\n", new_start: 1, new: "" }).label).toBe("remove gone");
  });
});

describe("selection", () => {
  const two = review([file({ path: "a.py", hunks: HUNKS }), file({ path: "b.bin", binary: true, hunks: [] })]);

  test("all is kept at first, and a file without hunks counts by its path", () => {
    const selection = new Selection(two);
    expect(allParts(two)).toEqual(["a.py#1", "a.py#2", "a.py#3", "b.bin"]);
    expect(selection.isComplete()).toBe(true);
    expect(selection.describe(false)).toBe("fixes 2 tests");
  });

  test("leaving out a file leaves out its hunks, and keeping one hunk keeps the file's tick", () => {
    const selection = new Selection(two);
    selection.set(two.files[0], false);
    expect(selection.ids()).toEqual(["b.bin"]);
    expect(selection.isKept(two.files[0])).toBe(false);
    selection.set("a.py#2", true);
    expect(selection.isKept(two.files[0])).toBe(true);
    expect(selection.ids()).toEqual(["a.py#2", "b.bin"]);
  });

  test("a proof counts for the very choice that it was made for", () => {
    const selection = new Selection(two);
    selection.set("a.py#1", false);
    expect(selection.describe(false)).toMatch(/Not checked yet/);
    expect(selection.describe(true)).toMatch(/Checking/);
    selection.note(selection.key(), evidence({ verified: true }));
    expect(selection.describe(false)).toBe("The rest still passes: it fixes 1 test, proven in a fresh sandbox.");
    selection.set("b.bin", false);
    expect(selection.evidence()).toBeUndefined();
    selection.set("b.bin", true);
    expect(selection.evidence()?.verified).toBe(true);
  });

  test("what is missing is told when the rest does not pass", () => {
    const selection = new Selection(two);
    selection.set("a.py#1", false);
    selection.note(selection.key(), evidence({ verified: false, reasons: ["tests/test_a.py::test_x fails."] }));
    expect(selection.describe(false)).toContain("tests/test_a.py::test_x fails.");
  });

  test("nothing is said to pass when nothing is selected", () => {
    const selection = new Selection(two);
    for (const each of two.files) selection.set(each, false);
    expect(selection.isEmpty()).toBe(true);
    expect(selection.describe(false)).toBe("Nothing is selected.");
  });
});
