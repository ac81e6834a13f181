"""The pages of docs/reference name everything that the program's own tables name: modes, reasons, limits, documents, keys.

usage: reference_pages.py PROJECT       (Python's standard library only)
"""
import json
import re
import sys
import unittest
from pathlib import Path

PROJECT = Path(sys.argv[1]).resolve()
SCHEMAS = PROJECT / "configs/schemas"
DICOM = PROJECT / "lib/imaging/src/dicom"


def page(name):
    return (PROJECT / "docs/reference" / name).read_text()


def schema(name):
    return json.loads((SCHEMAS / name).read_text())


def quoted(text):
    """What stands in backticks, apart at commas and blanks."""
    return {word for code in re.findall(r"`([^`]+)`", text) for word in re.split(r"[ ,]+", code)}


class Pages(unittest.TestCase):
    def assert_named(self, names, text):
        self.assertGreater(len(names), 0)
        self.assertEqual(sorted(set(names) - quoted(text)), [])

    def test_modes(self):
        definitions = schema("common.json")["definitions"]
        for kind in ("policy", "semantics", "estimator"):
            self.assert_named(definitions[kind]["enum"], page("estimators.md"))
        self.assert_named(definitions["distance"]["required"][1:], page("estimators.md"))

    def test_documents(self):
        text = page("results.md")
        for file in SCHEMAS.glob("*.json"):
            self.assertIn(f"configs/schemas/{file.name})", text)

    def test_keys_of_results(self):
        results = schema("results.json")
        self.assert_named(results["required"], page("results.md") + "`schema` `data`")
        self.assert_named(results["definitions"]["mode"]["properties"], page("results.md") + "`confusion_reason`")

    def test_keys_of_a_job(self):
        self.assert_named(schema("job.json")["required"][1:], page("results.md"))

    def test_reasons(self):
        names = re.findall(r'\{"([a-z-]+)", Reason::', (DICOM / "fault.cpp").read_text())
        self.assert_named(names, page("dicom.md"))

    def test_skipped(self):
        source = "".join((DICOM / f"{name}.cpp").read_text() for name in ("object", "listing", "source_walk"))
        skip = re.findall(r'return "([a-z-]+)";', source) + re.findall(r'skipped = left\([^"]*"([a-z-]+)"', source) + \
            re.findall(r'pass\(\w+, [^;]*?"([a-z-]+)"', source)
        self.assertGreater(len(set(skip)), 6)
        self.assert_named(skip, page("dicom.md"))

    def test_transfer_syntaxes(self):
        """Of those that are read, the end of the UID."""
        rows = re.findall(r'TransferSyntax\{"1\.2\.840\.10008\.1\.2((?:\.\d+)+)", "[^"]+", Packing::(\w+)', (DICOM / "transfer_syntax.cpp").read_text())
        read = [end for end, packing in rows if packing != "unsupported" and not end.startswith(".4.20")]
        self.assert_named([end for end in read if end not in (".1", ".2")], page("dicom.md"))

    def test_limits(self):
        """The numbers of limits.hpp, in the page's units."""
        text = (DICOM / "limits.hpp").read_text()
        values = dict(re.findall(r"(\w+) = (?:std::u?int64_t\{)?([\d']+)", text))
        table = page("dicom.md").split("### Limits")[1].split("\n## ")[0]
        for name, written in (("file_bytes", "| {} GiB"), ("element_bytes", "| {} MiB"), ("depth", "| {} |"), ("side", "| {} each"),
                              ("frame_pixels", "| {} Mi "), ("frames", "| {} |"), ("decoded_bytes", "| {} GiB"), ("elements", "| {} |"),
                              ("inflate_ratio", "{} times its size"), ("wall_seconds", "| {} s |"), ("cpu_seconds", "| {} s, and"),
                              ("archive_ratio", "{} times its compressed size"), ("helper_memory", "| {} GiB above")):
            number = f"{int(values[name].replace(chr(39), '')):,}".replace(",", " ")
            self.assertIn(written.format(number), table, name)

    def test_metadata_of_statistics(self):
        source = (PROJECT / "lib/stats/src/statistics_file.cpp").read_text()
        facts = (PROJECT / "lib/stats/src/facts.cpp").read_text()
        texts = source.split("constexpr TextField kTexts[] = {")[1].split("};")[0] + facts.split("constexpr FactText kTexts[] = {")[1].split("};")[0]
        source += facts
        names = re.findall(r'\{"(\w+)"', texts) + re.findall(r'metadata\.(?:emplace|find|contains)\("(\w+)"', source)
        self.assertGreater(len(names), 12)
        self.assert_named(names, page("statistics-file.md"))
        self.assert_named([f"L{name}" for name in re.findall(r'layer\.name \+ "(\.\w+)"', source)], page("statistics-file.md"))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
