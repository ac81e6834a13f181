"""Every document that a source, script, test or page cites is there, with the heading that it names; every link of a page
leads to a file or a heading; every decision that is cited by its number exists, and so does every header that a page names.

usage: citations.py PROJECT       (Python's standard library only)
"""
import re
import sys
import unittest
from pathlib import Path

PROJECT = Path(sys.argv[1]).resolve()
FOLDERS = ("apps", "bench", "cmake", "configs", "datasets", "docs", "examples", "lib", "python", "scripts", "tests")
TEXT = {".cpp", ".hpp", ".h", ".py", ".md", ".cmake", ".txt", ".yaml", ".json", ".js", ".sh", ""}
# Not what stands in quotes: a name that a test makes or opens.
CITED = re.compile(r"(?<![\w/.\"-])((?:\.\.?/)*\w[\w./-]*\.md)(?:#([\w-]+))?")
# What usage lines and CONTRIBUTING call any page, and a file that a test makes.
PLACEHOLDER = re.compile(r"(NNNN-[\w-]+|STUDY|readme)\.md$")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s#]*)(?:#([^)\s]+))?\)")
DECISION = re.compile(r"\bdecisions? (\d{4})\b")
HEADER = re.compile(r"\bshiftnorm/\w+/\w+\.hpp\b")
URL = re.compile(r"\w+://\S+")
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", flags=re.M | re.S)


def files():
    """Texts of the project, without what is built or copied into it."""
    for folder in FOLDERS:
        for file in sorted((PROJECT / folder).rglob("*")):
            if file.is_file() and file.suffix in TEXT and "__pycache__" not in file.parts:
                yield file
    yield from (file for file in PROJECT.iterdir() if file.is_file() and file.suffix in (".md", ".txt", ".json"))


def text_of(file):
    return URL.sub("", file.read_text(errors="replace"))


def anchors(file, known={}):
    """The anchors of a page's headings, as GitHub and GitLab make them."""
    if file not in known:
        known[file] = set()
        for heading in re.findall(r"^#+ +(.+?) *$", re.sub(r"^```.*?^```", "", file.read_text(), flags=re.M | re.S), flags=re.M):
            plain = re.sub(r"\[([^\]]*)\]\([^)]*\)|[`*]", r"\1", heading)
            known[file].add(re.sub(r"[^\w -]", "", plain.lower()).replace(" ", "-"))
    return known[file]


def problem(where, cited, anchor):
    """What is wrong with a citation; None if nothing is."""
    places = [PROJECT / cited] + ([where.parent / cited] if where.suffix == ".md" else [])
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        return f"{cited} does not exist"
    if anchor and anchor not in anchors(found):
        return f"{cited} has no heading #{anchor}"
    return None


class Citations(unittest.TestCase):
    maxDiff = None

    maxDiff = None

    def setUp(self):
        self.problems, self.seen = [], 0

    def note(self, file, what):
        self.seen += 1
        if what:
            self.problems.append(f"{file.relative_to(PROJECT)}: {what}")

    def tearDown(self):
        self.assertGreater(self.seen, 0, "nothing was cited: the search is broken")
        self.assertEqual(self.problems, [])

    def test_documents_and_headings(self):
        for file in files():
            if file == Path(__file__).resolve():
                continue
            for cited, anchor in CITED.findall(text_of(file)):
                if not PLACEHOLDER.search(cited):
                    self.note(file, problem(file, cited, anchor))

    def test_links(self):
        for file in files():
            if file.suffix != ".md":
                continue
            for target, anchor in LINK.findall(CODE.sub("", text_of(file))):
                place = (file.parent / target) if target else file
                if not place.exists():
                    self.note(file, f"links to {target}, which does not exist")
                else:
                    self.note(file, f"links to {target}#{anchor}, which has no such heading"
                              if anchor and anchor not in anchors(place) else None)

    def test_decisions(self):
        for file in files():
            for number in DECISION.findall(text_of(file)):
                there = list((PROJECT / "docs/decisions").glob(f"{number}-*.md"))
                self.note(file, None if len(there) == 1 else f"decision {number} does not exist")

    def test_headers_that_pages_name(self):
        for file in files():
            if file.suffix == ".md":
                for header in HEADER.findall(text_of(file)):
                    there = list((PROJECT / "lib").glob(f"*/include/{header}"))
                    self.note(file, None if there else f"names {header}, which does not exist")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
