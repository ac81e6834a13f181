"""The shared test data are what docs/reference/test-data.md says: every file and folder of its tables by SHA-256.

usage: test_data_page.py PROJECT SHARED       (Python's standard library only)
"""
import hashlib
import re
import sys
import unittest
from pathlib import Path

PROJECT, DATA = Path(sys.argv[1]), Path(sys.argv[2]) / "data"


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def digest_of_folder(folder):
    """Of what `sha256sum` prints for its files in the order of their paths' bytes."""
    names = sorted((str(file.relative_to(DATA)) for file in folder.rglob("*") if file.is_file()), key=str.encode)
    return hashlib.sha256("".join(f"{digest(DATA / name)}  {name}\n" for name in names).encode()).hexdigest()


class TestData(unittest.TestCase):
    def test_checksums(self):
        page = (PROJECT / "docs/reference/test-data.md").read_text()
        rows = re.findall(r"^\| `([^`]+)` \| `([0-9a-f]{64})` \|$", page, flags=re.M)
        self.assertGreaterEqual(len(rows), 50)
        for name, expected in rows:
            with self.subTest(name):
                self.assertEqual(digest_of_folder(DATA / name) if name.endswith("/") else digest(DATA / name), expected)


if not DATA.is_dir():
    print("SKIPPED: docs: test data")
    sys.exit(0)
unittest.main(argv=sys.argv[:1])
