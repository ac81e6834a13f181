"""Every case of the C++ tests names its oracle: where the expected value comes from, or the law that it holds.

usage: oracles.py PROJECT"""
import re
import sys
import unittest
from pathlib import Path

PROJECT = Path(sys.argv[1]).resolve()
NAMED = re.compile(r"\b(oracle|law)s?\b|\bby hand\b|\bround trip\b", re.I)
# A file whose first comment names one for all of its cases.
FOR_ALL = re.compile(r"\b(oracles?|laws?) (of|for) (every|all|each)\b", re.I)
CASE = re.compile(r"(TEMPLATE_)?TEST_CASE\b")


def unnamed(text):
    """(line from 1, first line) of each case without a comment above it or in it that names an oracle."""
    lines = text.split("\n")
    cases = [i for i, line in enumerate(lines) if CASE.match(line)]
    head = " ".join(line for line in lines[: cases[0] if cases else 0] if line.lstrip().startswith("//"))
    if FOR_ALL.search(head):
        return []
    found = []
    for case in cases:
        first = case
        while first > 0 and lines[first - 1].startswith("//"):
            first -= 1
        last = next((i for i in range(case, len(lines)) if lines[i] == "}"), len(lines) - 1)
        comments = " ".join(re.findall(r"//.*", "\n".join(lines[first : last + 1])))
        if not NAMED.search(comments):
            found.append((case + 1, lines[case]))
    return found


class Oracles(unittest.TestCase):
    def test_every_case_names_its_oracle(self):
        files = sorted((PROJECT / "tests").rglob("*_test.cpp"))
        self.assertGreater(len(files), 100)
        self.assertEqual([f"{file.relative_to(PROJECT)}:{line}: {case}" for file in files
                          for line, case in unnamed(file.read_text(encoding="utf-8"))], [])

    def test_the_check_sees_what_is_missing(self):
        case = 'TEST_CASE("x") {\n  CHECK(one() == 1);\n}\n'
        self.assertEqual(unnamed(case), [(1, 'TEST_CASE("x") {')])
        self.assertEqual(unnamed("// Oracle: by definition.\n" + case), [])
        self.assertEqual(unnamed("// Oracle: of the first alone.\n" + case + case), [(5, 'TEST_CASE("x") {')])
        self.assertEqual(unnamed("// Oracle of every case: by definition.\n#include <x>\n\n" + case + case), [])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
