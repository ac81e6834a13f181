"""docs/reference/command-line.md has every command with exactly the options of its --help, with their arguments and no others.

usage: command_line_page.py SHIFTNORM PROJECT       (Python's standard library only)
"""
import re
import subprocess
import sys
import unittest
from pathlib import Path

PROGRAM, PROJECT = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
PAGE = PROJECT / "docs/reference/command-line.md"
GROUP = re.compile(r"\(#([a-z-]+-options)\)")


def called(*arguments):
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, check=True).stdout


def slug(heading):
    return re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")


def sections():
    """By the anchor of its heading: the text of a section, without the sections below it."""
    parts = re.split(r"^#+ (.+)$", PAGE.read_text(), flags=re.M)
    return dict(zip(map(slug, parts[1::2]), parts[2::2]))


def options_in(text):
    """(name, argument) of every row of the tables: `--max-images N` | .."""
    rows = re.findall(r"^\| `--([a-z-]+)(?: ((?:[^`])+))?` \|", text, flags=re.M)
    return [(name, argument.replace("\\|", "|")) for name, argument in rows]


def options_of(command):
    """The same of what the program prints: two blanks, the option, then its explanation."""
    text = called(command, "--help")
    return re.findall(r"^  --([a-z-]+)(?: (\S+))? ", text[text.index("\noptions:\n"):], flags=re.M)


class CommandLine(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.sections = sections()
        cls.commands = re.findall(r"^  (\w+) +\S", called("--help"), flags=re.M)
        cls.common = options_in(cls.sections["options-of-every-command"])

    def test_every_command_has_a_section(self):
        self.assertGreaterEqual(len(self.commands), 9)
        self.assertEqual([c for c in self.commands if c not in self.sections], [])

    def test_every_option_of_every_command(self):
        for command in self.commands:
            with self.subTest(command=command):
                text = self.sections[command]
                written = list(self.common) + options_in(text)
                for group in GROUP.findall(text.split("\n| option |")[0]):
                    written += options_in(self.sections[group])
                printed = options_of(command)
                self.assertGreaterEqual(len(printed), 7)
                self.assertEqual(sorted(written), sorted(printed))

    def test_the_exit_codes(self):
        """Oracle: the enumeration that the program exits with."""
        header = (PROJECT / "apps/shiftnorm/exit_code.hpp").read_text()
        codes = sorted(int(code) for code in re.findall(r"=\s+(\d+)", header[header.index("enum class ExitCode"):header.index("};")]))
        written = sorted(int(code) for code in re.findall(r"^\| (\d+) \|", self.sections["exit-codes"], flags=re.M))
        self.assertEqual(written, codes)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
