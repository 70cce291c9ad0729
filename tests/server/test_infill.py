"""Statements that are left out for a model to fill in: what it is shown, and what its words become."""

from dataclasses import dataclass, field

from codeact.definitions import list_definitions
from codeact.facts import Facts
from codeact.infill import Blank, choose, find_blanks, read_edits
from codeact.search import Candidate
from codeact.templates import Edit
from codeact.trajectory import Answer, Completion, Gap, Outcome, Sampling, TestResult, Usage

SOURCE = '''RATE = 3


class Cart:
    def total(self, items):
        """All of them."""
        result = 1
        for item in items:
            if item:
                result += (item
                           * RATE)
        return result
'''
TEST = "def test_total():\n    assert Cart().total([]) == 0\n"
SOURCES = {"shop.py": SOURCE}
TOTAL = next(found for found in list_definitions("shop.py", SOURCE) if found.name == "Cart.total")
FACTS = Facts(
    TestResult(node_id="test_shop.py::test_total", outcome=Outcome.FAILED),
    TEST,
    "",
    (),
    (TOTAL,),
    heat={("shop.py", 7): 1.0},
)


def complete(*texts: str) -> Completion:
    return Completion(tuple(map(Answer, texts)), Usage())


def find(line: int, *, insert: bool = False) -> Blank:
    blanks = find_blanks(FACTS, SOURCES)
    return next(blank for blank in blanks if blank.line == line and (blank.start == blank.stop) == insert)


def test_the_hottest_statement_is_left_out_first() -> None:
    """The test stands above, the statement is not shown, and everything around it is."""
    blank = find_blanks(FACTS, SOURCES)[0]
    assert blank.line == 7
    assert blank.gap.before.startswith("# def test_total():\n#     assert Cart().total([]) == 0\n")
    assert blank.gap.before.endswith('        """All of them."""\n        ')
    assert blank.gap.after.startswith("\n        for item in items:\n")
    assert "result = 1" not in blank.gap.before + blank.gap.after


def test_heads_and_long_statements_are_whole() -> None:
    """Of a block only its head is left out, of a statement all its lines; the docstring never is."""
    lines = {blank.line: blank.old for blank in find_blanks(FACTS, SOURCES) if blank.start < blank.stop}
    assert sorted(lines) == [7, 8, 9, 10, 12]
    assert lines[8].strip() == "for item in items:"
    assert lines[10].endswith("* RATE)")


def test_words_become_edits() -> None:
    """All that was filled in, its first line alone, nothing that is no program or changes nothing."""
    edits = read_edits(find(7), complete("result = 0", "result = 0\n        # so", "result = (", "result = 1"), SOURCE)
    assert [found.edit.apply(SOURCE) for found in edits] == [SOURCE.replace("result = 1", "result = 0")]
    both = read_edits(find(12), complete("result += 1\n        return result"), SOURCE)
    assert [found.edit.apply(SOURCE).split("\n")[-3:-1] for found in both] == [
        ["        result += 1", "        return result"],
        ["                           * RATE)", "        result += 1"],
    ]


def test_a_guard_may_be_put_in() -> None:
    """The place before the first statement is a gap too."""
    edits = read_edits(find(7, insert=True), complete("if not items:\n            return 0"), SOURCE)
    assert "        if not items:\n            return 0\n        result = 1\n" in edits[0].edit.apply(SOURCE)


@dataclass
class Judge:
    """A model that finds texts as likely as it was told."""

    likely: dict[str, float]
    fills: bool = True
    asked: list[Gap] = field(default_factory=list)

    async def fill(self, gap: Gap, sampling: Sampling) -> Completion:
        raise AssertionError(gap, sampling)

    async def weigh(self, gap: Gap, text: str) -> Completion:
        self.asked.append(gap)
        return complete(str(self.likely[text]))


def candidate(old: str, new: str) -> Candidate:
    start = SOURCE.index(old)
    line = SOURCE[:start].count("\n") + 1
    return Candidate(
        Edit(path="shop.py", line=line, what=new, start=start, stop=start + len(old), text=new, cost=1), held=2
    )


async def test_the_likeliest_of_several_is_chosen() -> None:
    """Edits are compared by how much likelier each makes its statement; what no gap holds comes last, in order."""
    odd = candidate('"""All of them."""', '"""None of them."""')
    one, other = candidate("= 1", "= 0"), candidate("return result", "return result - 1")
    judge = Judge({"result = 1": -3.0, "result = 0": -0.5, "return result": -0.1, "return result - 1": -9.0})
    recorded: list[str] = []

    def record(blank: Blank, completion: Completion, _: Sampling, text: str) -> Completion:
        recorded.append(f"{blank.line} {text} {completion.answers[0].text}")
        return completion

    assert await choose(judge, [odd, other, one], FACTS, SOURCES, record) == [one, other, odd]
    assert recorded == [
        "12 return result -0.1",
        "12 return result - 1 -9.0",
        "7 result = 1 -3.0",
        "7 result = 0 -0.5",
    ]
