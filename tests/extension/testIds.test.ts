import { describe, expect, test } from "vitest";
import { namesAt, relative, toNodeId } from "../../vscode-extension/src/pure/testIds";

const TEXT = `import pytest


def helper():
    return 1


@pytest.mark.parametrize("a", [1, 2])
def test_plain(a):
    def inner():
        return a

    assert inner() == a


class TestCart:
    rate = 3

    async def test_method(self):
        assert self.rate

    class TestInner:
        def test_deep(self):
            pass


VALUE = 1
`;
const at = (needle: string) => TEXT.split("\n").findIndex((line) => line.includes(needle));

describe("the test at the cursor", () => {
  test.each([
    ["def test_plain", ["test_plain"]],
    ["@pytest.mark", ["test_plain"]],
    ["return a", ["test_plain"]],
    ["assert inner", ["test_plain"]],
    ["async def test_method", ["TestCart", "test_method"]],
    ["assert self.rate", ["TestCart", "test_method"]],
    ["rate = 3", ["TestCart"]],
    ["            pass", ["TestCart", "TestInner", "test_deep"]],
    ["return 1", []],
    ["import pytest", []],
    ["VALUE = 1", []],
  ])("%s is in %j", (needle, names) => {
    expect(namesAt(TEXT, at(needle))).toEqual(names);
  });

  test("an empty text and a line beyond the end have no test", () => {
    expect(namesAt("", 0)).toEqual([]);
    expect(namesAt("x = 1", 99)).toEqual([]);
  });
});

describe("items of the Testing view", () => {
  const folder = "/ws";
  const path = "/ws/tests/test_a.py";

  test.each([
    [
      "the Python extension's absolute id",
      "/ws/tests/test_a.py::TestCart::test_x",
      "tests/test_a.py::TestCart::test_x",
    ],
    ["its id with a project in front", "file:///ws@@vsc@@/ws/tests/test_a.py::test_x", "tests/test_a.py::test_x"],
    ["a relative node id", "tests/test_a.py::test_x[1-a]", "tests/test_a.py::test_x[1-a]"],
    ["an id relative to the file's folder", "test_a.py::test_x", "tests/test_a.py::test_x"],
    ["a file's id", "./tests/test_a.py", "tests/test_a.py"],
  ])("%s", (_, id, expected) => {
    expect(toNodeId({ id, path }, folder)).toBe(expected);
  });

  test("parameters may hold what separates names", () => {
    expect(toNodeId({ id: `${path}::test_x[a::b]`, path }, folder)).toBe("tests/test_a.py::test_x[a::b]");
  });

  test("an id that means nothing is mapped by its place in the text", () => {
    expect(toNodeId({ id: "7f3a", path, line: at("async def test_method") }, folder, TEXT)).toBe(
      "tests/test_a.py::TestCart::test_method",
    );
  });

  test("without a place it is the file, and a folder is the folder", () => {
    expect(toNodeId({ id: "7f3a", path }, folder)).toBe("tests/test_a.py");
    expect(toNodeId({ id: "x", path: "/ws/tests" }, folder)).toBe("tests");
    expect(toNodeId({ id: "x", path: "/ws" }, folder)).toBe("");
  });

  test("what is in no open folder, or tells no place, is not mapped", () => {
    expect(toNodeId({ id: "/other/test_a.py::test_x", path: "/other/test_a.py" }, folder)).toBeUndefined();
    expect(toNodeId({ id: "root" }, folder)).toBeUndefined();
  });

  test("paths of Windows have the same form", () => {
    expect(relative("C:\\ws\\tests\\a.py", "C:\\ws")).toBe("tests/a.py");
    expect(relative("/wsx/a.py", "/ws")).toBeUndefined();
  });
});
