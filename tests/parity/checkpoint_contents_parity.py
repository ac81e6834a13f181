"""Checkpoints as trainers write them: whatever stands beside the weights, several sets of weights, wrappings of their
dict, weights of kinds that are not read. Oracle: the logits of the network whose weights they are, by PyTorch."""
import argparse
import collections
import copyreg
import datetime
import decimal
import enum
import fractions
import functools
import io
import json
import operator
import os
import pathlib
import pickle
import random
import re
import struct
import sys
import types
import uuid
import zipfile
from collections import OrderedDict

from support import PROGRAM, ParityCase, build, images, main, nn, np, read_safetensors, run, torch
from written_files_parity import write_tar

NAME = "cifar_resnet20"
NET, EMA, X = build(NAME), build(NAME, seed=7), images(NAME, 4)
STATE, EMA_STATE = NET.state_dict(), EMA.state_dict()
with torch.no_grad():
    LOGITS = {"model": NET(X), "ema": EMA(X)}


def made_up(module, name, *bases, **members):
    """A class of a package that is not installed anywhere; of a name that there is already, that class."""
    if hasattr(sys.modules.get(module), name) and not members:
        return getattr(sys.modules[module], name)
    parts = module.split(".")
    for i in range(1, len(parts) + 1):
        sys.modules.setdefault(".".join(parts[:i]), types.ModuleType(".".join(parts[:i])))
    made = type(name, bases or (object,), {"__module__": module, "__qualname__": name, **members})
    setattr(sys.modules[module], name, made)
    return made


def function(module, name):
    made_up(module, "Unused")
    if hasattr(sys.modules[module], name):
        return getattr(sys.modules[module], name)

    def called(*arguments, **keywords):
        return 1.0
    called.__module__, called.__qualname__, called.__name__ = module, name, name
    setattr(sys.modules[module], name, called)
    return called


def prefixed(prefix, state=STATE):
    return OrderedDict((prefix + name, value) for name, value in state.items())


class Reduces:
    """An object that pickles as its __reduce__ says."""

    def __init__(self, *parts):
        self.parts = parts

    def __reduce__(self):
        return tuple(part() if callable(part) and i > 2 else part for i, part in enumerate(self.parts))


def reduces(*parts):
    return Reduces(*parts)


class Mode(enum.Enum):
    A = 1


Mode.__module__, Mode.__qualname__ = "mylib.modes", "Mode"
made_up("mylib.modes", "Other")
sys.modules["mylib.modes"].Mode = Mode
Point = collections.namedtuple("Point", "x y", module="mylib.points")
made_up("mylib.points", "Other")
sys.modules["mylib.points"].Point = Point


Slotted = made_up("mylib.slots", "Slotted", __slots__=("a", "b"))
Stateful = made_up("mylib.states", "Stateful", __getstate__=lambda self: self.state)
Keywords = made_up("mylib.keywords", "Keywords", __getnewargs_ex__=lambda self: self.given)
Single = made_up("mylib.single", "Single", __reduce__=lambda self: self.name)


def slotted():
    thing = Slotted()
    thing.a, thing.b = 1, torch.ones(2)
    return thing


def with_state(state):
    thing = Stateful()
    thing.state = state
    return thing


def optimizer():
    chosen = torch.optim.SGD([nn.Parameter(torch.ones(3))], lr=0.1, momentum=0.9)
    chosen.param_groups[0]["params"][0].grad = torch.ones(3)
    chosen.step()
    return chosen


def configuration():
    """victoresque's pytorch-template."""
    config = made_up("parse_config", "ConfigParser")()
    config.__dict__.update(_config=OrderedDict(a=1), _save_dir=pathlib.PosixPath("saved"), resume=None)
    return config


def keyword_object(*arguments, **keywords):
    thing = Keywords()
    thing.given = (arguments, keywords)
    return thing


def single(name):
    """An object that is pickled as the global that it is."""
    here = sys.modules["mylib.single"]
    if not hasattr(here, name):
        setattr(here, name, Single())
        getattr(here, name).name = name
    return getattr(here, name)


class Quiet(torch.Tensor):
    pass


Quiet.__module__ = "mylib.tensors"
made_up("mylib.tensors", "Other")
sys.modules["mylib.tensors"].Quiet = Quiet


BESIDE = {
    # the standard library
    "path": lambda: pathlib.PosixPath("/a/b"),
    "pure_path": lambda: pathlib.PureWindowsPath("c:/a"),
    "datetime": lambda: datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc),
    "timedelta": lambda: datetime.timedelta(1),
    "date": lambda: datetime.date(2024, 1, 1),
    "uuid": lambda: uuid.UUID(int=5),
    "decimal": lambda: decimal.Decimal("0.1"),
    "fraction": lambda: fractions.Fraction(1, 3),
    "enum": lambda: Mode.A,
    "counter": lambda: collections.Counter("aab"),
    "deque": lambda: collections.deque([1, torch.ones(2)], maxlen=5),
    "namedtuple": lambda: Point(1, torch.ones(2)),
    "defaultdict": lambda: collections.defaultdict(list, a=[1]),
    "ordered": lambda: OrderedDict(a=OrderedDict()),
    "chainmap": lambda: collections.ChainMap({"a": 1}, {"b": 2}),
    "userdict": lambda: collections.UserDict(a=1),
    "namespace": lambda: argparse.Namespace(lr=0.1, path=pathlib.PosixPath("x"), tensor=torch.ones(2)),
    "simple_namespace": lambda: types.SimpleNamespace(a=1),
    "mapping_proxy_like": lambda: reduces(function("mylib.maps", "proxy"), ({"a": torch.ones(2)},)),
    "partial": lambda: functools.partial(print, end=""),
    "attrgetter": lambda: operator.attrgetter("a.b"),
    "regex": lambda: re.compile("a+"),
    "random_state": lambda: random.getstate(),
    "random": lambda: random.Random(5),
    "complex_number": lambda: 1 + 2j,
    "bytes": lambda: b"\x00\xff" * 300,
    "bytearray": lambda: bytearray(b"abc"),
    "set": lambda: {1, "a"},
    "frozenset": lambda: frozenset({1}),
    "slice": lambda: slice(1, 2),
    "range": lambda: range(5),
    "ellipsis": lambda: ...,
    "huge": lambda: 10 ** 400,
    "negative": lambda: -10 ** 30,
    "infinite": lambda: float("inf"),
    "none_type": lambda: type(None),
    "exception": lambda: ValueError("x"),
    "bytesio": lambda: io.BytesIO(b"abc"),
    "array": lambda: __import__("array").array("f", [1.0]),
    "bound_method": lambda: optimizer().zero_grad,
    "builtin_function": lambda: len,
    "function": lambda: function("mylib.schedules", "warm_up"),
    "class_reference": lambda: made_up("mylib.models", "Net"),
    "type_int": lambda: int,
    "type_ordered": lambda: OrderedDict,
    "by_class": lambda: {made_up("lightning.callbacks", "Stop"): {"wait": torch.tensor(3)}, int: 1},
    # configurations
    "easydict": lambda: made_up("easydict", "EasyDict", dict)(a=1, b=torch.ones(2)),
    "cfgnode": lambda: made_up("yacs.config", "CfgNode", dict)(a=1),
    "attributedict": lambda: made_up("pytorch_lightning.utilities.parsing", "AttributeDict", dict)(lr=0.1),
    "template_config": configuration,
    "list_subclass": lambda: made_up("omegaconf.listconfig", "ListConfig", list)([1, {"a": 2}]),
    "config_dict": lambda: made_up("mmcv.utils.config", "ConfigDict", dict)(a=made_up("mmcv.utils.config", "ConfigDict", dict)()),
    # other ways of being pickled
    "slots": slotted,
    "state_tuple": lambda: with_state((1, torch.ones(2), None)),
    "state_list": lambda: with_state([1, 2]),
    "state_none": lambda: with_state(None),
    "state_int": lambda: with_state(7),
    "state_pair": lambda: with_state((None, {"a": torch.ones(2)})),
    "keywords": lambda: keyword_object(1, k=torch.ones(2)),
    "kwargs_only": lambda: keyword_object(k=1),
    "reduce_two": lambda: reduces(function("mylib.calls", "make"), (1, torch.ones(2))),
    "reduce_three": lambda: reduces(function("mylib.calls", "make"), (), {"a": 1}),
    "reduce_list_items": lambda: reduces(function("mylib.calls", "make"), (), None, lambda: iter([1, torch.ones(2)])),
    "reduce_dict_items": lambda: reduces(function("mylib.calls", "make"), (), None, None, lambda: iter([("a", 1), (2, torch.ones(2))])),
    "reduce_all": lambda: reduces(function("mylib.calls", "make"), (1,), {"s": 1}, lambda: iter([1]), lambda: iter([("a", 1)])),
    "called_twice": lambda: reduces(functools.partial(function("mylib.calls", "make"), 1), (2,)),
    "reduce_global": lambda: single("LONELY"),
    "reconstructor": lambda: reduces(copyreg._reconstructor, (made_up("mylib.old", "Old"), object, None), {"a": 1}),
    "reconstructor_dict": lambda: reduces(copyreg._reconstructor, (made_up("mylib.old", "OldDict", dict), dict, {"a": 1})),
    "itself": lambda: (lambda d: (d.update(me=d), d)[1])(made_up("mylib.loops", "Loop", dict)()),
    # NumPy
    "numpy_array": lambda: np.arange(6.0).reshape(2, 3),
    "numpy_scalar": lambda: np.float64(0.5),
    "numpy_int": lambda: np.int64(3),
    "numpy_bool": lambda: np.bool_(True),
    "numpy_dtype": lambda: np.dtype("f4"),
    "numpy_strings": lambda: np.array(["a", "bc"]),
    "numpy_objects": lambda: np.array([{"a": 1}, None], dtype=object),
    "numpy_records": lambda: np.zeros(2, dtype=[("a", "f4"), ("b", "i8")]),
    "numpy_state": lambda: np.random.get_state(),
    "numpy_generator": lambda: np.random.default_rng(5),
    "numpy_random_state": lambda: np.random.RandomState(5),
    "numpy_masked": lambda: np.ma.array([1.0, 2.0], mask=[0, 1]),
    "numpy_fortran": lambda: np.asfortranarray(np.ones((2, 3))),
    "numpy_datetime": lambda: np.datetime64("2024-01-01"),
    # torch
    "size": lambda: torch.Size([1, 2]),
    "device": lambda: torch.device("cuda:0"),
    "dtype": lambda: torch.float16,
    "dtypes": lambda: [torch.complex64, torch.qint8, torch.bfloat16],
    "layout": lambda: torch.sparse_coo,
    "qscheme": lambda: torch.per_channel_affine,
    "rng": lambda: torch.get_rng_state(),
    "parameter": lambda: nn.Parameter(torch.ones(2)),
    "attributes": lambda: (lambda p: (setattr(p, "note", "x"), p)[1])(nn.Parameter(torch.ones(2))),
    "tensor_attributes": lambda: (lambda t: (setattr(t, "note", 1), t)[1])(torch.ones(2)),
    "tensor_subclass": lambda: torch.ones(2).as_subclass(Quiet),
    "sparse": lambda: torch.eye(3).to_sparse(),
    "sparse_csr": lambda: torch.eye(3).to_sparse_csr(),
    "quantised": lambda: torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8),
    "quantised_unsigned": lambda: torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.quint8),
    "quantised_wide": lambda: torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint32),
    "quantised_channels": lambda: torch.quantize_per_channel(torch.ones(3, 2), torch.ones(3), torch.zeros(3, dtype=torch.long), 0, torch.qint8),
    "complex": lambda: torch.ones(3, dtype=torch.complex64),
    "complex128": lambda: torch.ones(3, dtype=torch.complex128),
    "meta": lambda: torch.empty(3, device="meta"),
    "storage": lambda: torch.ones(3).storage(),
    "buffer_of_bools": lambda: torch.ones(3, dtype=torch.bool),
    "optimizer_object": optimizer,
    "optimizer_state": lambda: optimizer().state_dict(),
    "scheduler": lambda: torch.optim.lr_scheduler.StepLR(optimizer(), 3),
    "lambda_scheduler": lambda: torch.optim.lr_scheduler.LambdaLR(optimizer(), function("mylib.schedules", "warm_up")).state_dict(),
    "loss_module": lambda: nn.CrossEntropyLoss(weight=torch.ones(10)),
    "grad_scaler": lambda: torch.cuda.amp.GradScaler(enabled=False),
    "activation": lambda: nn.functional.relu,
    "interpolation": lambda: __import__("torchvision").transforms.InterpolationMode.BILINEAR,
    "transforms": lambda: __import__("torchvision").transforms.Compose([__import__("torchvision").transforms.ToTensor()]),
    "bitsandbytes": lambda: reduces(function("bitsandbytes.functional", "QuantState"), (torch.ones(2, dtype=torch.uint8),)),
    "device_mesh": lambda: reduces(function("torch.distributed.device_mesh", "_rebuild"), ("cuda", torch.arange(4))),
    "sharded": lambda: reduces(function("torch._tensor", "_rebuild_wrapper"), (made_up("torch.distributed._tensor.api", "DTensor"), torch.ones(2))),
    "numpy_on_device": lambda: reduces(function("torch._utils", "_rebuild_xla_tensor"), (np.ones(3), torch.float32, "xla:0", False)),
}

# Where the value itself is plain, nothing is opaque.
PLAIN = set("""defaultdict ordered random_state complex_number bytes bytearray set frozenset huge negative infinite
    numpy_scalar numpy_int numpy_bool numpy_dtype numpy_datetime size device dtype rng parameter attributes
    tensor_attributes storage buffer_of_bools optimizer_state type_int type_ordered lambda_scheduler
    loss_module""".split())


class Contents(ParityCase):
    def setUp(self):
        super().setUp()
        np.save(self.at / "x.npy", X.numpy())

    def written(self, value, legacy=False, name="net.pth"):
        torch.save(value, self.at / name, _use_new_zipfile_serialization=not legacy)
        return self.at / name

    def logits(self, *more):
        return self.outputs("net.pth", NAME, *more)

    def assert_which(self, which, *more):
        self.assert_logits(self.logits(*more), LOGITS[which], 1e-5)

    def inspected(self, *more):
        return json.loads(run("inspect", self.at / "net.pth", "--json", *more))

    def refused(self, code, *arguments):
        import subprocess
        done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stderr

    def evaluate(self, *more):
        return ("evaluate", self.at / "net.pth", "--arch", NAME, "--data", self.at / "x.npy", *more)

    def test_anything_may_stand_beside_the_weights(self):
        for name, make in BESIDE.items():
            with self.subTest(beside=name):
                self.written({"epoch": 1, "extra": make(), "state_dict": STATE, "list": [make(), (make(),)]})
                self.assert_which("model")
                opaque = self.inspected()["opaque"]
                self.assertEqual(not opaque, name in PLAIN, opaque)

    def test_all_of_it_at_once_behind_the_weights_and_written_back(self):
        path = self.written({"state_dict": STATE, **{name: make() for name, make in BESIDE.items()}})
        self.assert_which("model")
        run("recalibrate", path, "--arch", NAME, "--data", self.at / "x.npy", "--out", self.at / "adapted.pth")
        with zipfile.ZipFile(path) as before, zipfile.ZipFile(self.at / "adapted.pth") as after:
            changed = [member for member in before.namelist() if before.read(member) != after.read(member)]
            self.assertEqual(before.read("net/data.pkl"), after.read("net/data.pkl"))
        self.assertEqual(len(changed), 2 * 19)  # a storage of each mean and each variance, and nothing else

    def test_all_of_it_in_the_first_container(self):
        plain = {name: make() for name, make in BESIDE.items() if not has_tensors(make())}
        self.assertGreater(len(plain), 60)
        write_tar(self.at / "net.pth", STATE, lambda weights: {"state_dict": weights, **plain})
        self.assert_which("model")
        self.assertIn("datetime.datetime", [row["name"] for row in self.inspected()["opaque"]])

    def test_all_of_it_beside_a_module_and_among_its_attributes(self):
        made = made_up("mynet.models", "Net", type(NET))
        net = build(NAME)
        net.__class__ = made
        for name, make in BESIDE.items():
            if name not in ("loss_module", "parameter", "attributes"):
                object.__setattr__(net, "extra_" + name, make())
        for legacy in (False, True):
            self.written({"model": net, "extra": [make() for make in BESIDE.values()]}, legacy)
            self.assert_which("model")
            names = [row["name"] for row in self.inspected()["opaque"]]
            self.assertIn("easydict.EasyDict", names)
            self.assertNotIn("mynet.models.Net", names)

    def test_a_graph_module_is_a_module(self):
        torch.save(torch.fx.symbolic_trace(NET), self.at / "net.pth")
        self.assert_which("model")

    def test_what_the_weights_may_lie_in(self):
        subclass = made_up("mylib.utils", "StateDict", OrderedDict)
        kept = made_up("mylib.utils", "Kept")()
        kept.weights = STATE
        frozen = reduces(function("flax.core", "FrozenDict"), (dict(STATE),))
        cases = {
            "OrderedDict's subclass": {"state_dict": subclass(STATE)},
            "the same at the top": subclass(STATE),
            "dict's subclass": made_up("easydict", "EasyDict", dict)(state_dict=STATE),
            "a list": [STATE, optimizer().state_dict()],
            "a tuple": (3, STATE, "x"),
            "a Namespace": argparse.Namespace(epoch=3, state_dict=STATE),
            "an attribute": kept,
            "a Namespace in a list": [argparse.Namespace(model=STATE)],
            "an argument": {"state_dict": frozen},
            "Parameters": OrderedDict((k, nn.Parameter(v, requires_grad=False) if v.is_floating_point() else v) for k, v in STATE.items()),
            "a reconstructed dict": reduces(copyreg._reconstructor, (subclass, dict, dict(STATE))),
            "a deque": collections.deque([STATE]),
            "deep": {"a": [{"b": (1, {"c": STATE})}]},
            "a defaultdict": collections.defaultdict(list, STATE),
            "extra state beside": OrderedDict([*STATE.items(), ("_extra_state", io.BytesIO(b"x"))]),
        }
        for name, value in cases.items():
            for legacy in (False, True):
                with self.subTest(inside=name, legacy=legacy):
                    self.written(value, legacy)
                    self.assert_which("model")

    def test_a_weight_of_a_kind_that_is_not_read_is_an_error_that_names_it(self):
        name = "layer1.0.conv1.weight"
        weight = STATE[name]
        kinds = {
            "sparse": (weight.to_sparse(), "torch._utils._rebuild_sparse_tensor"),
            "quantised": (torch.quantize_per_tensor(weight, 0.1, 0, torch.qint8), "torch._utils._rebuild_qtensor"),
            "complex": (weight.to(torch.complex64), "torch.ComplexFloatStorage"),
            "meta": (weight.to("meta"), "torch._utils._rebuild_meta_tensor_no_storage"),
            "of a class": (weight.as_subclass(Quiet), "mylib.tensors.Quiet"),
            "NumPy's": (weight.numpy(), "numpy.core.multiarray._reconstruct"),
            "of a function": (reduces(function("bitsandbytes.nn.modules", "Params4bit"), (weight,)), "bitsandbytes.nn.modules.Params4bit"),
        }
        for kind, (value, maker) in kinds.items():
            for legacy in (False, True):
                with self.subTest(kind=kind, legacy=legacy):
                    self.written({"state_dict": OrderedDict(STATE, **{name: value})}, legacy)
                    said = self.refused(3, *self.evaluate())
                    self.assertIn(f"tensor '{name}': ", said)
                    self.assertIn(f"'{maker}'", said)
                    self.assertEqual([row["name"] for row in self.inspected()["unread"]], [name])
        self.written({"state_dict": OrderedDict((k, v.to(torch.complex64)) for k, v in STATE.items())})
        self.assertIn("tensor 'conv1.weight': the elements of a 'torch.ComplexFloatStorage'", self.refused(3, *self.evaluate()))

    def test_nothing_is_executed(self):
        marker = self.at / "executed"
        evil = reduces(os.system, (f"touch {marker}",))
        eval_ = reduces(eval, (f"open({str(marker)!r}, 'w')",))
        for legacy in (False, True):
            self.written({"state_dict": STATE, "extra": [evil, eval_]}, legacy)
            self.assert_which("model")
            names = [row["name"] for row in self.inspected()["opaque"]]
            self.assertIn("posix.system", names)
            self.assertIn("__builtin__.eval", names)
        self.assertFalse(marker.exists())

    def test_of_several_sets_the_one_that_its_authors_evaluate(self):
        net, ema = build(NAME), build(NAME, seed=7)
        net.__class__ = ema.__class__ = made_up("models.yolo", "DetectionModel", type(NET))
        averaged = OrderedDict([("n_averaged", torch.tensor(5)), *EMA_STATE.items()])
        # keys of the two sets in their order in the file, and which of them counts: docs/formats.md says whose rule it is
        cases = [
            ({"epoch": 3, "state_dict": STATE, "state_dict_ema": EMA_STATE}, "model", "state_dict", ["state_dict_ema"]),
            ({"model_ema": EMA_STATE, "model": STATE, "args": argparse.Namespace(lr=0.1)}, "model", "model", ["model_ema"]),
            ({"model": net, "ema": ema, "epoch": -1}, "ema", "ema", ["model"]),
            ({"model": net, "ema": None}, "model", "model", []),
            ({"model": STATE, "ema": {"module": EMA_STATE, "updates": 5}}, "ema", "ema.module", ["model"]),
            ({"student": STATE, "teacher": EMA_STATE}, "ema", "teacher", ["student"]),
            ({"student": {"state_dict": STATE}, "teacher": {"state_dict": EMA_STATE}}, "ema", "teacher.state_dict", ["student.state_dict"]),
            ({"params": STATE, "params_ema": EMA_STATE}, "ema", "params_ema", ["params"]),
            ({"encoder_k": EMA_STATE, "encoder_q": STATE}, "model", "encoder_q", ["encoder_k"]),
            ({"online_network_state_dict": STATE, "target_network_state_dict": EMA_STATE}, "model", "online_network_state_dict", ["target_network_state_dict"]),
            ({"state_dict": STATE, "ema_state_dict": EMA_STATE}, "model", "state_dict", ["ema_state_dict"]),
            ({"a": {"b": EMA_STATE}, "net": STATE}, "model", "net", ["a.b"]),
            ({"model": STATE, "callbacks": {"EMA": {"state_dict": EMA_STATE}}}, "model", "model", []),
            ({"state_dict": STATE, "best": STATE}, "model", "state_dict", []),
        ]
        for value, which, chosen, others in cases:
            for legacy in (False, True):
                with self.subTest(keys=list(value), legacy=legacy):
                    path = self.written(value, legacy)
                    self.assert_which(which)
                    found = self.inspected()
                    self.assertEqual(found["weights"], {"chosen": chosen, "others": others})
                    said = self.refused(0, *self.evaluate())
                    for line in (said, " ".join(found["assumptions"]), run("inspect", path)):
                        for name in [chosen, *others] if others else []:
                            self.assertIn(f"'{name}'", line)
                    if others:
                        self.assert_which("ema" if which == "model" else "model", "--weights", others[0])
                    self.assert_which(which, "--weights", chosen)
        self.written({"model": STATE, "model_ema": averaged})
        self.assert_which("model")

    def test_sets_that_nothing_tells_apart_are_asked_for(self):
        for value, names in (([STATE, EMA_STATE], ["0", "1"]), ({"models": [STATE, EMA_STATE]}, ["models.0", "models.1"]),
                             ({"fold_a": STATE, "fold_b": EMA_STATE}, ["fold_a", "fold_b"])):
            with self.subTest(sets=names):
                self.written(value)
                said = self.refused(2, *self.evaluate())
                self.assertIn("expected --weights", said)
                for name in names:
                    self.assertIn(name, said)
                self.assert_which("model", "--weights", names[0])
                self.assert_which("ema", "--weights", names[1])
        self.assertIn("'nonsense'", self.refused(2, *self.evaluate("--weights", "nonsense")))

    def test_the_other_set_stays_and_provenance_says_which(self):
        path = self.written({"state_dict": STATE, "state_dict_ema": EMA_STATE, "best": pathlib.PosixPath("/x")})
        for wanted, other, state in (("state_dict", "state_dict_ema", EMA_STATE), ("state_dict_ema", "state_dict", STATE)):
            run("recalibrate", path, "--arch", NAME, "--data", self.at / "x.npy", "--weights", wanted, "--out", self.at / "adapted.pth")
            after = torch.load(self.at / "adapted.pth")
            self.assertEqual(after["best"], pathlib.PosixPath("/x"))
            for name, value in state.items():
                self.assertTrue(torch.equal(after[other][name], value), name)
            self.assertFalse(torch.equal(after[wanted]["bn1.running_mean"], (STATE if wanted == "state_dict" else EMA_STATE)["bn1.running_mean"]))
            provenance = json.loads((self.at / "adapted.pth.provenance.json").read_text())
            self.assertEqual(provenance["weights"], wanted)
            self.assertIn(f"'{other}'", provenance["assumptions"][0])

    def twice(self):
        """Names of the modules twice, as nnU-Net's all_modules and decoder.encoder."""
        state = OrderedDict(STATE)
        for name, value in STATE.items():
            state["all_modules." + name] = value
        return state

    def test_two_names_of_one_storage_both_follow(self):
        path = self.written({"state_dict": self.twice()})
        self.assert_which("model")
        run("recalibrate", path, "--arch", NAME, "--data", self.at / "x.npy", "--out", self.at / "adapted.pth")
        run("recalibrate", path, "--arch", NAME, "--data", self.at / "x.npy", "--out", self.at / "adapted.safetensors")
        after, anew = torch.load(self.at / "adapted.pth")["state_dict"], read_safetensors(self.at / "adapted.safetensors")
        for name in STATE:
            self.assertTrue(torch.equal(after[name], after["all_modules." + name]), name)
            self.assertTrue(np.array_equal(anew[name], anew["all_modules." + name]), name)
            self.assertEqual(torch.equal(after[name], STATE[name]), "running" not in name)

    def test_what_shares_a_storage_without_being_the_same_is_told(self):
        """Oracle: one place holds one value."""
        state = OrderedDict(STATE, **{"layer1.0.bn2.running_mean": STATE["layer1.0.bn1.running_mean"]})
        path = self.written(state)
        job = ("recalibrate", path, "--arch", NAME, "--data", self.at / "x.npy", "--out")
        said = self.refused(3, *job, self.at / "adapted.pth")
        self.assertIn("'layer1.0.bn1.running_mean' and 'layer1.0.bn2.running_mean' share storage in the file", said)
        self.assertFalse((self.at / "adapted.pth").exists())
        run(*job, self.at / "adapted.safetensors")
        ones = torch.ones(16)
        path = self.written(OrderedDict(STATE, **{"bn1.running_var": ones, "layer1.0.bn1.weight": ones}))
        said = self.refused(3, *job, self.at / "adapted.pth")
        self.assertIn("'bn1.running_var' and 'layer1.0.bn1.weight' share storage in the file, and only the first would change", said)
        run(*job, self.at / "adapted.safetensors")
        self.assertTrue(np.array_equal(read_safetensors(self.at / "adapted.safetensors")["layer1.0.bn1.weight"], np.ones(16, np.float32)))

    def test_a_statistic_that_its_type_cannot_hold_is_told(self):
        """Oracle: the largest half is 65504."""
        path = self.written(OrderedDict((k, v.half() if v.is_floating_point() else v) for k, v in STATE.items()))
        np.save(self.at / "x.npy", 3e4 * X.numpy())
        job = ("recalibrate", path, "--arch", NAME, "--data", self.at / "x.npy", "--out")
        for name in ("adapted.pth", "adapted.safetensors"):
            said = self.refused(3, *job, self.at / name)
            self.assertIn("net.pth: tensor 'bn1.running_var': value ", said)
            self.assertIn("too large for float16; expected at most 65504", said)
            self.assertFalse((self.at / name).exists())
        run(*job, self.at / "adapted.onnx")  # float32


def has_tensors(value):
    """Whether pickling it takes torch.save."""
    try:
        data = pickle.dumps(value, 2)
    except Exception:
        return True
    return b"torch" in data


if __name__ == "__main__":
    main()
