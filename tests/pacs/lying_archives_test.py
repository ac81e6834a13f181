"""The program against archives that lie, break off or mean harm. Only the standard library.
   lying_archives_test.py PROGRAM"""
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

PROGRAM = os.path.abspath(sys.argv.pop(1))
SECRET = "Rosinante"
SECONDARY, CR = "1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.1"
EXPLICIT = "1.2.840.10008.1.2.1"
STUDY, SERIES = "1.2.77", "1.2.77.1"
STORE, GET, FIND, RESPONSE = 0x0001, 0x0010, 0x0020, 0x8000
LEVEL, NAME = 0x00080052, 0x00100010
DATASET = b"a data set, which nobody looks into" * 3


def element(tag, value):
    if isinstance(value, int):
        value = struct.pack("<H", value)
    elif isinstance(value, str):
        value = value.encode() + b"\0" * (len(value) % 2)
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(value)) + value


def encode(elements):
    return b"".join(element(tag, value) for tag, value in sorted(elements.items()))


def decode(data):
    elements, at = {}, 0
    while at < len(data):
        group, number, size = struct.unpack("<HHI", data[at:at + 8])
        elements[group << 16 | number] = data[at + 8:at + 8 + size]
        at += 8 + size
    return elements


class Parted(Exception):
    pass


class Connection:
    """One association, from the archive's side; accepts every context of `classes`, or all."""

    def __init__(self, stream, archive):
        self.stream, self.archive = stream, archive
        self.contexts = {}
        kind, body = self.read_pdu()
        assert kind == 1
        self.accept(body)

    def read_exactly(self, size):
        data = b""
        while len(data) < size:
            part = self.stream.recv(size - len(data))
            if not part:
                raise Parted
            data += part
        return data

    def read_pdu(self):
        head = self.read_exactly(6)
        return head[0], self.read_exactly(struct.unpack(">I", head[2:])[0])

    def write_pdu(self, kind, body):
        self.stream.sendall(struct.pack(">BBI", kind, 0, len(body)) + body)

    @staticmethod
    def items(data):
        at = 0
        while at < len(data):
            kind, size = data[at], struct.unpack(">H", data[at + 2:at + 4])[0]
            yield kind, data[at + 4:at + 4 + size]
            at += 4 + size

    @staticmethod
    def item(kind, body):
        return struct.pack(">BBH", kind, 0, len(body)) + body

    def accept(self, body):
        answer, roles = b"", b""
        for kind, part in self.items(body[68:]):
            if kind == 0x10:
                answer += self.item(0x10, part)
            if kind == 0x20:
                inner = list(self.items(part[4:]))
                abstract = next(value for k, value in inner if k == 0x30)
                syntax = next(value for k, value in inner if k == 0x40)
                result = 3 if self.archive.knows_nothing else 0
                answer += self.item(0x21, bytes([part[0], 0, result, 0]) + self.item(0x40, syntax))
                self.contexts[part[0]] = (abstract.decode().rstrip("\0"), syntax.decode().rstrip("\0"))
            if kind == 0x50:
                for k, value in self.items(part):
                    if k == 0x54:
                        roles += self.item(0x54, value)
        user = self.item(0x51, struct.pack(">I", 16384)) + self.item(0x52, b"1.2.3") + roles
        self.write_pdu(2, body[:68] + answer + self.item(0x50, user))

    def context(self, abstract, syntax=None):
        return next(id for id, (a, s) in self.contexts.items() if a == abstract and syntax in (None, s))

    def send(self, context, command, data=None):
        command = {0x00000800: 0x0101 if data is None else 1, **command}
        body = encode(command)
        body = encode({0: struct.pack("<I", len(body))}) + body
        for header, part in [(3, body)] + ([] if data is None else [(2, data)]):
            while True:
                now, part = part[:16000], part[16000:]
                flag = header if not part else header & 1
                self.write_pdu(4, struct.pack(">IBB", len(now) + 2, context, flag) + now)
                if not part:
                    break

    def receive(self):
        """The next (context, command, data set or None)."""
        collected, done, context = {1: b"", 0: b""}, set(), None
        while True:
            kind, body = self.read_pdu()
            if kind == 5:
                self.write_pdu(6, b"\0" * 4)
                raise Parted
            if kind != 4:
                raise Parted
            while body:
                size, context, header = struct.unpack(">IBB", body[:6])
                collected[header & 1] += body[6:4 + size]
                body = body[4 + size:]
                if header & 2:
                    done.add(header & 1)
            if 1 in done:
                command = decode(collected[1])
                if command[0x00000800] == b"\1\1":
                    return context, command, None
                if 0 in done:
                    return context, command, collected[0]

    def respond(self, context, to, status, more=None, data=None):
        field = struct.unpack("<H", to[0x00000100])[0] | RESPONSE
        self.send(context, {0x00000002: to[0x00000002], 0x00000100: field, 0x00000120: to[0x00000110],
                            0x00000900: status, **(more or {})}, data)

    def store(self, uid, sop_class=SECONDARY, data=DATASET, number=1):
        """Sends an object; the status that it gets."""
        self.send(self.context(sop_class, EXPLICIT),
                  {0x00000002: sop_class, 0x00000100: STORE, 0x00000110: number, 0x00000700: 0, 0x00001000: uid}, data)
        return struct.unpack("<H", self.receive()[1][0x00000900])[0]


class Archive:
    """Two objects, in one series of one study. Tests change what it says and does."""

    def __init__(self):
        self.knows_nothing = False
        self.studies = [{0x0020000D: STUDY, NAME: SECRET + "^X", 0x00201208: "2"}]
        self.series = [{0x0020000E: SERIES, 0x00080060: "OT", 0x00201209: "2"}]
        self.images = [{0x00080018: "1.2.3.1", 0x00080016: SECONDARY}, {0x00080018: "1.2.3.2", 0x00080016: SECONDARY}]
        self.find_status = {"STUDY": 0, "SERIES": 0, "IMAGE": 0}
        self.raw_answer = None  # bytes in place of the first answer to the query for studies
        self.greeting = None    # bytes in place of the association
        self.asked = []
        self.statuses = []      # what our C-STOREs were answered
        self.door = socket.socket()
        self.door.bind(("127.0.0.1", 0))
        self.door.listen()
        self.port = self.door.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def get(self, connection, identifier):
        """Sends the objects; (final status, more elements of the answer)."""
        self.statuses = [connection.store(one[0x00080018]) for one in self.images]
        return 0, {0x00001021: len(self.images), 0x00001022: 0, 0x00001023: 0}

    def serve(self):
        while True:
            try:
                stream, _ = self.door.accept()
            except OSError:
                return
            with stream:
                try:
                    if self.greeting is not None:
                        stream.recv(65536)
                        stream.sendall(self.greeting)
                        continue
                    self.converse(Connection(stream, self))
                except (Parted, ConnectionError):
                    pass

    def converse(self, connection):
        while True:
            context, command, data = connection.receive()
            field = struct.unpack("<H", command[0x00000100])[0]
            identifier = decode(data)
            if field == FIND:
                level = identifier[LEVEL].decode().strip()
                self.asked.append((level, identifier))
                answers = {"STUDY": self.studies, "SERIES": self.series, "IMAGE": self.images}[level]
                for answer in answers if self.find_status[level] == 0 else []:
                    raw = self.raw_answer if level == "STUDY" and self.raw_answer is not None else encode(answer)
                    connection.respond(context, command, 0xFF00, data=raw)
                connection.respond(context, command, self.find_status[level])
            else:
                assert field == GET
                status, more = self.get(connection, identifier)
                connection.respond(context, command, status, more)


class LyingArchives(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="shiftnorm-pull-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name) / "inner" / "place"
        self.folder.mkdir(parents=True)
        self.archive = Archive()
        self.addCleanup(self.archive.door.close)

    def pull(self, *more, expect=0, query=("StudyInstanceUID=*",), says=""):
        queries = sum((["--query", one] for one in query), [])
        done = subprocess.run([PROGRAM, "pull", "--peer", f"LIAR@127.0.0.1:{self.archive.port}", "--out", "cohort",
                               "--log-level", "debug", "--json", *queries, *more], cwd=self.folder, timeout=120,
                              capture_output=True, text=True, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, expect, done.stdout + done.stderr)
        self.assertIn(says, done.stderr)
        names = [str(path.relative_to(self.folder.parent.parent)) for path in self.folder.parent.parent.rglob("*")]
        self.assertNotIn(SECRET, done.stdout + done.stderr + "".join(names))
        self.assertNotIn("1.2.3.", done.stdout + done.stderr + "".join(names))
        for path in self.folder.parent.parent.rglob("*"):
            self.assertTrue(path.is_relative_to(self.folder) or path == self.folder.parent, path)
        for path in self.objects():
            self.assertTrue(path.read_bytes().endswith(DATASET), path)
        self.assertFalse(list((self.folder / "cohort" / ".incoming").glob("*")))
        return json.loads(done.stdout)["objects"] if done.stdout else None

    def objects(self):
        return list((self.folder / "cohort").rglob("*.dcm"))

    def test_an_honest_one(self):
        self.assertEqual(self.pull(), {"matching": 2, "received": 2, "already": 0, "failed": 0})
        self.assertEqual(len(self.objects()), 2)
        self.assertEqual(self.archive.statuses, [0, 0])

    def test_success_without_objects(self):
        self.archive.get = lambda connection, identifier: (0, {0x00001021: 2, 0x00001022: 0})
        self.assertEqual(self.pull(expect=4, says="2 of 2 objects did not arrive, in 1 series (the archive's last status is 0000 (success, it says))")["received"], 0)

    def test_success_with_half_of_the_objects_and_the_rest_later(self):
        def half(connection, identifier):
            connection.store("1.2.3.2")
            return 0, {0x00001021: 2, 0x00001022: 0}
        self.archive.get = half
        self.assertEqual(self.pull(expect=4), {"matching": 2, "received": 1, "already": 0, "failed": 1})
        wanted = []

        def rest(connection, identifier):
            wanted.append(identifier[0x00080018].decode().strip("\0"))
            connection.store("1.2.3.1")
            return 0, {}
        self.archive.get = rest
        self.assertEqual(self.pull(), {"matching": 2, "received": 1, "already": 1, "failed": 0})
        self.assertEqual(wanted, ["1.2.3.1"])

    def test_names_that_would_leave_the_folder(self):
        def evil(connection, identifier):
            self.archive.statuses = [connection.store(uid) for uid in ("../../evil", "/tmp/evil", "", "1.2.3.1")]
            return 0, {}
        self.archive.get = evil
        self.pull(expect=4)
        self.assertEqual(self.archive.statuses, [0xA900, 0xA900, 0xA900, 0])
        self.assertEqual(len(self.objects()), 1)

    def test_objects_that_nobody_asked_for(self):
        honest = self.archive.get

        def more(connection, identifier):
            self.extra = connection.store("1.2.9.9")
            return honest(connection, identifier)
        self.archive.get = more
        self.pull(says="1 objects arrived that were not requested")
        self.assertEqual(self.extra, 0xA900)
        self.assertEqual(len(self.objects()), 2)

    def test_uids_that_are_none(self):
        self.archive.studies[0][0x0020000D] = "../../" + SECRET
        self.pull(expect=5, says="an invalid UID")

    def test_a_deeply_nested_answer(self):
        sequence = struct.pack("<HHI", 8, 0x1140, 0xFFFFFFFF) + struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
        ends = struct.pack("<HHI", 0xFFFE, 0xE00D, 0) + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
        self.archive.raw_answer = sequence * 20000 + ends * 20000 + encode(self.archive.studies[0])
        self.pull()

    def test_answers_that_cannot_be_read(self):
        for raw in (b"\x10\0\x10\0\xff\xff\xff\x7f", b"\x10", struct.pack("<HHI", 8, 0x1140, 0xFFFFFFFF)):
            self.archive.raw_answer = raw
            self.pull(expect=5, says="peer: a data set ")

    def test_an_answer_without_end(self):
        self.archive.raw_answer = element(0x00104000, b"x" * (3 << 20))
        self.pull(expect=5, says="a message without end")

    def test_garbage(self):
        for greeting in (b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0" * 1000, b"\2\0\xff\xff\xff\xff" + b"x" * 100, b""):
            self.archive.greeting = greeting
            self.pull("--timeout", "2", expect=5, says="peer: ")

    def test_breaking_off_inside_an_object(self):
        def half(connection, identifier):
            context = connection.context(SECONDARY, EXPLICIT)
            command = encode({0x00000002: SECONDARY, 0x00000100: STORE, 0x00000110: 1, 0x00000800: 1,
                              0x00001000: "1.2.3.1"})
            for header, part in ((3, command), (0, DATASET)):
                connection.write_pdu(4, struct.pack(">IBB", len(part) + 2, context, header) + part)
            raise Parted
        self.archive.get = half
        self.pull(expect=5, says="aborted the association")
        self.assertEqual(self.objects(), [])

    def test_falling_silent(self):
        def silent(connection, identifier):
            connection.store("1.2.3.1")
            time.sleep(20)
            raise Parted
        self.archive.get = silent
        start = time.monotonic()
        self.pull("--timeout", "1", expect=5, says="silent for 1 s")
        self.assertLess(time.monotonic() - start, 15)
        self.assertEqual(len(self.objects()), 1)

    def test_interrupted_while_nobody_answers(self):
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            process = subprocess.Popen([PROGRAM, "pull", "--peer", f"LIAR@127.0.0.1:{silent.getsockname()[1]}", "--out",
                                        "cohort", "--query", "PatientID=*"], cwd=self.folder, stderr=subprocess.PIPE,
                                       text=True, stdin=subprocess.DEVNULL)
            stream, _ = silent.accept()
            with stream:
                stream.recv(6)
                process.send_signal(signal.SIGINT)
                start = time.monotonic()
                err = process.communicate(timeout=50)[1]
                self.assertLess(time.monotonic() - start, 20)
        self.assertEqual(process.returncode, 130, err)

    def test_ignoring_the_query(self):
        self.archive.studies.append({0x0020000D: "1.2.78", NAME: "Panza", 0x00201208: "1"})
        counts = self.pull(query=["PatientName=Rosi*"], says="included 1 studies or series that do not match")
        self.assertEqual(counts["received"], 2)

    def test_refusing_queries(self):
        self.archive.find_status["STUDY"] = 0xA700
        self.pull(expect=5, says="refuses the query at level STUDY with status A700")
        self.archive.knows_nothing = True
        self.pull(expect=5, says="peer: ")

    def test_telling_nothing_of_objects(self):
        del self.archive.series[0][0x00201209]
        self.archive.find_status["IMAGE"] = 0xA900
        self.assertEqual(self.pull()["received"], 2)
        self.assertEqual(self.pull()["already"], 2)

    def test_telling_nothing_and_failing(self):
        del self.archive.series[0][0x00201209]
        self.archive.find_status["IMAGE"] = 0xA900

        def one(connection, identifier):
            connection.store("1.2.3.1")
            return 0xB000, {0x00001021: 1, 0x00001022: 1}
        self.archive.get = one
        self.assertEqual(self.pull(expect=4, says="last status is B000"),
                         {"matching": 2, "received": 1, "already": 0, "failed": 1})

    def test_an_endless_object_meets_the_budget(self):
        def endless(connection, identifier):
            connection.store("1.2.3.1", data=b"x" * (4 << 20))
            return 0, {}
        self.archive.get = endless
        self.pull("--max-disk", "1M", expect=5, says="--max-disk")
        self.assertEqual(self.objects(), [])


if __name__ == "__main__":
    unittest.main()
