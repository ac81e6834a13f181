"""The program against Orthanc, started here on the loopback: what arrives is compared with what was given to it.
   orthanc_test.py PROGRAM"""
import ctypes
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request
from pathlib import Path

ORTHANC = shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin")
if not ORTHANC:
    print(f"SKIPPED: {Path(sys.argv[0]).stem}: Orthanc is not installed")
    sys.exit(0)
sys.path.append(str(Path(__file__).resolve().parents[1] / "parity"))
try:
    import dicom_files
    import json_schemas
except ImportError as missing:
    print(f"SKIPPED: {Path(sys.argv[0]).stem}: {missing.name} is not installed")
    sys.exit(0)

PROGRAM = os.path.abspath(sys.argv.pop(1))
ROOT = "1.2.826.0.1.3680043.8.498.77"  # of every UID here
SECRETS = ["Quixote", "Dulcinea", "PID-77", "ACC-77", "19470131", "20210417", "Toboso", "STATION77", "Windmills", ROOT,
           "3680043"]
CR, DX, SECONDARY = "1.2.840.10008.5.1.4.1.1.1", "1.2.840.10008.5.1.4.1.1.1.1", "1.2.840.10008.5.1.4.1.1.7"
# More kinds than one association has contexts for, each with every transfer syntax.
MANY_KINDS = [CR, DX, "1.2.840.10008.5.1.4.1.1.1.2", "1.2.840.10008.5.1.4.1.1.2", SECONDARY]

PROGRESS = re.compile(r"shiftnorm: (find|pull): \d+ of \d+, ")


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def archive_files():
    """40 objects of 8 patients, 5 transfer syntaxes each: study 0 has one series of 5 SOP classes, the others a series of
    3 CR and one of 2 DX objects."""
    files = []
    for study in range(8):
        for number in range(5):
            second = study > 0 and number >= 3
            uids = (f"{ROOT}.{study}", f"{ROOT}.{study}.{1 if second else 0}", f"{ROOT}.{study}.0.{number}")
            sop_class = MANY_KINDS[number] if study == 0 else DX if second else CR
            values = {
                (0x00080020, "DA"): "20210417", (0x00080050, "SH"): f"ACC-77-{study}",
                (0x00080060, "CS"): "DX" if second else "CR", (0x00080080, "LO"): "Toboso Hospital",
                (0x00081010, "SH"): "STATION77", (0x0008103E, "LO"): "Windmills",
                (0x00100010, "PN"): "Quixote^Don" if study < 4 else "Dulcinea",
                (0x00100020, "LO"): f"PID-77-{study}", (0x00100030, "DA"): "19470131",
                (0x00200013, "IS"): str(number)}
            files.append(dicom_files.make_file(dicom_files.SYNTAXES[number], uids, values, seed=5 * study + number,
                                               rows=64 + 16 * study, sop_class=sop_class))
    return files


def die_with_us():
    """In the server's process: a test that is killed leaves none behind."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Orthanc:
    """One server with its own folder and ports, filled with `files`."""

    def __init__(self, files, more=None):
        self.folder = Path(tempfile.mkdtemp(prefix="shiftnorm-orthanc-"))
        self.http, self.dicom, self.store = free_ports(3)
        modality = {"AET": "TOOLKIT", "Host": "127.0.0.1", "Port": self.store, "AllowEcho": True, "AllowFind": True,
                    "AllowGet": True, "AllowMove": True, "AllowStore": False, "UseDicomTls": more is not None}
        config = {
            "StorageDirectory": str(self.folder / "db"), "IndexDirectory": str(self.folder / "db"), "Plugins": [],
            "HttpPort": self.http, "RemoteAccessAllowed": False, "AuthenticationEnabled": False,
            "DicomAet": "ORTHANC", "DicomPort": self.dicom, "DicomCheckCalledAet": True,
            "MaximumStorageCacheSize": 0, "DicomAlwaysAllowEcho": False, "DicomAlwaysAllowStore": False, "DicomAlwaysAllowFind": False,
            "DicomAlwaysAllowGet": False, "DicomAlwaysAllowMove": False,
            "DicomModalities": {"toolkit": modality}, **(more(self.folder) if more else {})}
        (self.folder / "orthanc.json").write_text(json.dumps(config))
        self.log = open(self.folder / "orthanc.log", "wb")
        self.process = subprocess.Popen([ORTHANC, str(self.folder / "orthanc.json")], stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log, preexec_fn=die_with_us)
        self.wait_until_up()
        self.ids = [json.loads(self.rest("/instances", file))["ID"] for file in files]

    def wait_until_up(self):
        for _ in range(300):
            if self.process.poll() is not None:
                break
            try:
                self.rest("/system")
                return
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.1)
        raise RuntimeError("Orthanc did not start:\n" + (self.folder / "orthanc.log").read_text())

    def rest(self, path, body=None):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http}{path}", body, timeout=30) as answer:
            return answer.read()

    def stored_file(self, index):
        """Where it keeps an object on disk."""
        info = json.loads(self.rest(f"/instances/{self.ids[index]}/attachments/dicom/info"))
        return self.folder / "db" / info["Uuid"][:2] / info["Uuid"][2:4] / info["Uuid"]

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def make_certificates(folder):
    """An authority, and certificates of the archive and of us that it signed."""
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.crt", "-days", "2",
            "-subj", "/CN=authority")
    for name in ("archive", "us"):
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj",
                f"/CN={name}")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days",
                "2", "-out", f"{name}.crt")


class Pulling(unittest.TestCase):
    """Runs the program in a folder of its own and looks at everything that it leaves behind."""

    server = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="shiftnorm-pull-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def arguments(self, *more, query=("PatientID=PID-77*",), peer=None, out="cohort"):
        peer = peer or f"ORTHANC@127.0.0.1:{self.server.dicom}"
        return [PROGRAM, "pull", "--peer", peer, *(["--out", out] if out else []),
                *sum((["--query", one] for one in query), []), "--log-level", "debug",
                *(() if "--aet" in more else ("--aet", "TOOLKIT")), *more]

    def pull(self, *more, expect=0, **what):
        done = subprocess.run(self.arguments(*more, **what), cwd=self.folder, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=120)
        self.assertEqual(done.returncode, expect, done.stdout + done.stderr)
        self.check_silent(done.stdout + done.stderr)
        if expect not in (0, 130):
            errors = [line for line in done.stderr.splitlines() if not PROGRESS.match(line)]
            self.assertEqual(len(errors), 1, done.stderr)
        return done

    def check_silent(self, text):
        """Nothing that identifies anybody: not in `text`, a file's name, or the state."""
        names = "\n".join(str(path.relative_to(self.folder)) for path in self.folder.rglob("*"))
        for state in self.folder.rglob("pull.state"):
            names += state.read_text()
        for secret in SECRETS:
            self.assertNotIn(secret, text + names)

    def received(self, out="cohort"):
        """{object: its parts} of the files below a folder, whose names must be hashes."""
        found = {}
        for path in (self.folder / out).rglob("*.dcm"):
            self.assertRegex(str(path.relative_to(self.folder / out)), r"^[0-9a-f]{16}/[0-9a-f]{16}/[0-9a-f]{16}\.dcm$")
            parts = dicom_files.parts(path.read_bytes())
            self.assertNotIn(parts["uid"], found)
            found[parts["uid"]] = parts
        return found

    def check_whole(self, wanted=range(40), out="cohort"):
        given = {parts["uid"]: parts for parts in (dicom_files.parts(self.files[i]) for i in wanted)}
        self.assertEqual(self.received(out), given)
        self.assertFalse(list((self.folder / out / ".incoming").glob("*")))

    def methods(self):
        return {"get": (), "move": ("--method", "move", "--move-port", str(self.server.store))}


class Plain(Pulling):
    @classmethod
    def setUpClass(cls):
        cls.files = archive_files()
        cls.server = Orthanc(cls.files)

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def test_everything_arrives_as_it_was_given(self):
        for name, method in self.methods().items():
            with self.subTest(name):
                document = json_schemas.check("pull.json", json.loads(self.pull("--json", *method, out=name).stdout))
                self.check_whole(out=name)
                self.assertEqual(document["objects"], {"matching": 40, "received": 40, "already": 0, "failed": 0})
                self.assertEqual(document["studies"], {"matching": 8, "received": 8, "already": 0, "failed": 0})
                self.assertEqual(document["transfer_syntaxes"], {uid: 8 for uid in dicom_files.SYNTAXES})
                again = json.loads(self.pull("--json", *method, out=name).stdout)
                self.assertEqual(again["objects"], {"matching": 40, "received": 0, "already": 40, "failed": 0})
                self.assertEqual(again["bytes"], 0)

    def test_what_was_pulled_is_read(self):
        self.pull(query=["Modality=DX"])
        done = subprocess.run([PROGRAM, "inspect", "cohort", "--pixels", "--json"], cwd=self.folder, text=True,
                              capture_output=True, check=True)
        pixels = json.loads(done.stdout)["pixels"]
        self.assertEqual(sum("sha256_stored" in one for one in pixels), 14)
        ids = {one["id"].split("#")[0] for one in pixels if "sha256_stored" in one}
        self.assertEqual(ids, {path.stem for path in (self.folder / "cohort").rglob("*.dcm")})

    def test_queries_at_both_levels(self):
        cases = {
            ("PatientID=PID-77-3",): range(15, 20),
            ("PatientName=quixote*", "Modality=DX"): [8, 9, 13, 14, 18, 19],
            ("StudyDate=20210101-20211231", "AccessionNumber=ACC-77-7"): range(35, 40),
            (f"StudyInstanceUID={ROOT}.1\\{ROOT}.2", "Modality=CR"): [5, 6, 7, 10, 11, 12],
            ("0010,0020=PID-77-5", "SeriesDescription=Wind*"): range(25, 30),
        }
        for number, (query, wanted) in enumerate(cases.items()):
            with self.subTest(number):
                self.pull(query=query, out=str(number))
                self.check_whole(wanted, out=str(number))
        document = json_schemas.check("pull.json", json.loads(self.pull("--json", query=["PatientID=NOBODY"], out="none").stdout))
        self.assertEqual(document["studies"]["matching"], 0)

    def test_a_dry_run_counts_and_writes_nothing(self):
        done = self.pull("--dry-run", out=None)
        self.assertEqual(done.stdout, "8 studies, 15 series, 40 objects match\n")
        self.assertEqual(list(self.folder.iterdir()), [])

    def interrupt(self, method, after):
        """Ctrl-C once some objects are there. A pull that was too fast for that is made again."""
        for _ in range(20):
            shutil.rmtree(self.folder / "cohort", ignore_errors=True)
            process = subprocess.Popen(self.arguments(*method), cwd=self.folder, stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
            while process.poll() is None and len(list((self.folder / "cohort").rglob("*.dcm"))) < after:
                time.sleep(0.001)
            self.server.process.send_signal(signal.SIGSTOP)  # a stop must not wait for the archive's next answer
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
            self.server.process.send_signal(signal.SIGCONT)
            if process.returncode != 0:
                break
        self.assertEqual(process.returncode, 130, out + err)
        self.check_silent(out + err)
        self.assertIn("the same command continues from there", err)

    def test_interrupted_and_resumed(self):
        for name, method in self.methods().items():
            with self.subTest(name):
                self.interrupt(method, 3)
                kept = self.received()
                self.assertTrue(3 <= len(kept) < 40, len(kept))
                times = {path: path.stat().st_mtime_ns for path in (self.folder / "cohort").rglob("*.dcm")}
                document = json.loads(self.pull("--json", *method).stdout)
                self.check_whole()
                self.assertEqual(document["objects"],
                                 {"matching": 40, "received": 40 - len(kept), "already": len(kept), "failed": 0})
                for path, when in times.items():
                    self.assertEqual(path.stat().st_mtime_ns, when, "was fetched again")

    def test_a_lost_object_is_fetched_again_and_a_torn_state_is_no_harm(self):
        self.pull(query=["PatientID=PID-77-2"])
        victim = next((self.folder / "cohort").rglob("*.dcm"))
        victim.unlink()
        state = self.folder / "cohort" / "pull.state"
        state.write_text(state.read_text()[:-4])
        self.pull(query=["PatientID=PID-77-2"])
        self.check_whole(range(10, 15))

    def test_disk_budget(self):
        sizes = [len(file) for file in self.files]
        done = self.pull("--max-disk", "40K", expect=5)
        self.assertIn("--max-disk", done.stderr)
        self.assertFalse(list((self.folder / "cohort" / ".incoming").glob("*")))
        files = list((self.folder / "cohort").rglob("*.dcm"))
        self.assertTrue(files)
        self.assertLessEqual(sum(path.stat().st_size for path in files), 40 << 10)
        self.pull("--max-disk", f"{(sum(sizes) + 40 * 400) // 1024 + 1}K")
        self.check_whole()

    def test_one_pull_at_a_time_and_one_key_for_a_folder(self):
        self.pull(query=["PatientID=PID-77-2"])
        (self.folder / "other").mkdir()
        done = self.pull("--key", "other", query=["PatientID=PID-77-2"], expect=2)
        self.assertIn("another key", done.stderr)
        import fcntl
        with open(self.folder / "cohort" / "pull.state") as state:
            fcntl.flock(state, fcntl.LOCK_EX)
            self.assertIn("another pull", self.pull(expect=2).stderr)

    def test_refusals(self):
        peer = f"ORTHANC@127.0.0.1:{self.server.dicom}"
        cases = [
            (("--aet", "STRANGER"), {}, 5, "peer: "),
            ((), {"peer": f"NOBODY@127.0.0.1:{self.server.dicom}"}, 5, "peer: rejects the association, it has another"),
            ((), {"peer": f"ORTHANC@127.0.0.1:{free_ports(1)[0]}"}, 5, "peer: no connection"),
            ((), {"peer": "ORTHANC@no-such-host.invalid:104"}, 5, "peer: no such host"),
            (("--timeout", "2"), {"peer": f"ORTHANC@127.0.0.1:{self.server.http}"}, 5, "peer: "),
            ((), {"peer": "ORTHANC"}, 2, "--peer: is not the address"),
            ((), {"query": ["PatientNam=Quixote"]}, 2, "--query: PatientNam: is not a query key (nearest is 'PatientName')"),
            ((), {"query": ["Quixote"]}, 2, "--query: a condition without KEY="),
            ((), {"query": []}, 2, "--query: no condition"),
            ((), {"query": ["StudyDate=April"]}, 2, "--query: StudyDate: a value that cannot be matched"),
            (("--aet", "A" * 17), {}, 2, "--aet: an AE title of 17 characters"),
            (("--method", "push"), {}, 2, "--method = push"),
            (("--method", "move"), {}, 2, "--move-port"),
            (("--tls-ca", "x"), {}, 2, "--tls-ca: the connection is not encrypted"),
            (("--tls",), {}, 2, "--tls: no --tls-ca"),
            (("--tls", "--tls-ca", "nowhere"), {}, 3, "TLS authority: no such file"),
            ((), {"out": None}, 2, "pull: no --out"),
        ]
        for number, (more, what, code, text) in enumerate(cases):
            with self.subTest(number, text=text):
                self.assertIn(text, self.pull(*more, expect=code, **{"peer": peer, **what}).stderr)
                self.assertFalse((self.folder / "cohort").exists())

    def test_a_taken_port(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", self.server.store))
            taken.listen()
            done = self.pull("--move-port", str(self.server.store), expect=5)
        self.assertIn("--move-port", done.stderr)

    def test_strangers_at_the_door(self):
        """They connect to the port that the archive sends to while it does."""
        done, knocks = threading.Event(), []

        def knock():
            while not done.is_set():
                for words in (b"", b"GET / HTTP/1.1\r\n\r\n", b"\1\0\0\0\0\4abcd"):
                    try:
                        with socket.create_connection(("127.0.0.1", self.server.store), 1) as stranger:
                            stranger.sendall(words)
                            knocks.append(words)
                    except OSError:
                        time.sleep(0.01)
        thread = threading.Thread(target=knock)
        thread.start()
        try:
            self.pull(*self.methods()["move"])
        finally:
            done.set()
            thread.join()
        self.check_whole()
        self.assertTrue(knocks)

    def test_nobody_answers_in_time(self):
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            start = time.monotonic()
            done = self.pull("--timeout", "2", peer=f"ORTHANC@127.0.0.1:{silent.getsockname()[1]}", expect=5)
            self.assertLess(time.monotonic() - start, 20)
        self.assertIn("peer: ", done.stderr)


class Failing(Pulling):
    """An archive that has lost objects it still lists."""

    @classmethod
    def setUpClass(cls):
        cls.files = archive_files()
        cls.server = Orthanc(cls.files)
        cls.lost = [6, 38]
        cls.kept = {i: cls.server.stored_file(i).read_bytes() for i in cls.lost}

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def test_failed_sub_operations_are_no_success(self):
        for name, method in self.methods().items():
            with self.subTest(name):
                for i in self.lost:
                    self.server.stored_file(i).unlink()
                done = self.pull("--json", *method, out=name, expect=4)
                document = json.loads(done.stdout)
                self.assertGreaterEqual(document["objects"]["failed"], 2)
                self.assertEqual(document["series"]["failed"], 2)
                self.assertEqual(document["studies"]["failed"], 2)
                self.assertIn("objects did not arrive, in 2 series", done.stderr)
                for i in self.lost:
                    self.server.stored_file(i).write_bytes(self.kept[i])
                self.pull(*method, out=name)
                self.check_whole(out=name)


class Secure(Pulling):
    @classmethod
    def setUpClass(cls):
        cls.files = archive_files()

        def tls(folder):
            make_certificates(folder)
            return {"DicomTlsEnabled": True, "DicomTlsCertificate": str(folder / "archive.crt"),
                    "DicomTlsPrivateKey": str(folder / "archive.key"),
                    "DicomTlsTrustedCertificates": str(folder / "ca.crt")}
        cls.server = Orthanc(cls.files, tls)

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def certificate(self, name):
        return ("--tls-key", str(self.server.folder / f"{name}.key"), "--tls-cert", str(self.server.folder / f"{name}.crt"))

    def test_both_directions(self):
        authority = ("--tls", "--tls-ca", str(self.server.folder / "ca.crt"))
        for name, method in self.methods().items():
            with self.subTest(name):
                self.pull(*authority, *self.certificate("us"), *method, out=name)
                self.check_whole(out=name)

    def test_refused_without_what_both_sides_trust(self):
        authority = ("--tls", "--tls-ca", str(self.server.folder / "ca.crt"))
        other = self.folder / "other"
        other.mkdir()
        make_certificates(other)
        strange = ("--tls-key", str(other / "us.key"), "--tls-cert", str(other / "us.crt"))
        cases = [
            (authority, "peer: "),  # no certificate of ours
            ((*authority, *strange), "peer: "),  # one that the archive does not trust
            (("--tls", "--tls-ca", str(other / "ca.crt"), *self.certificate("us")), "peer: no secure connection"),
            ((), "peer: closed the connection"),  # not secured at all
        ]
        for number, (more, text) in enumerate(cases):
            with self.subTest(number):
                self.assertIn(text, self.pull("--timeout", "10", *more, expect=5).stderr)
        mixed = ("--tls-key", str(other / "us.key"), "--tls-cert", str(self.server.folder / "us.crt"))
        self.assertIn("is not the key's", self.pull(*authority, *mixed, expect=3).stderr)


if __name__ == "__main__":
    unittest.main()
