"""What a whole pickled module tells of its head beside weights: activations, and what follows the network. Oracle: the
module itself, by PyTorch."""
import csv
import json
import subprocess

from support import PROGRAM, ParityCase, build, images, main, nn, np, read_safetensors, run, torch

NAME, FEATURES = "cifar_resnet20", 64
X = images(NAME, 6)

# Heads for the place of the network's own Linear(64, 10), and whether an output answers for itself or one of all is true.
HEADS = {
    "sigmoid": (lambda: nn.Sequential(nn.Linear(FEATURES, 5), nn.Sigmoid()), "sigmoid"),
    "sigmoid_behind_dropout": (lambda: nn.Sequential(nn.Dropout(0.3), nn.Linear(FEATURES, 5), nn.Dropout(), nn.Sigmoid()), "sigmoid"),
    "softmax": (lambda: nn.Sequential(nn.Linear(FEATURES, 5), nn.Softmax(dim=1)), "softmax"),
    "softmax_without_dim": (lambda: nn.Sequential(nn.Linear(FEATURES, 5), nn.Softmax()), "softmax"),
    "several_activations": (lambda: nn.Sequential(
        nn.Linear(FEATURES, 32), nn.LeakyReLU(0.3), nn.BatchNorm1d(32), nn.Linear(32, 16), nn.Tanh(), nn.Linear(16, 5)), "logits"),
    "nested": (lambda: nn.Sequential(nn.Sequential(nn.Linear(FEATURES, 16), nn.ELU(0.7)), nn.Sequential(nn.Linear(16, 5), nn.Sigmoid())), "sigmoid"),
    "log_softmax": (lambda: nn.Sequential(nn.Linear(FEATURES, 5), nn.LogSoftmax(-1)), "logits"),
}


def with_head(make):
    net = build(NAME)
    torch.manual_seed(3)
    net.linear = make()
    for layer in net.linear.modules():
        if isinstance(layer, nn.BatchNorm1d):
            nn.init.uniform_(layer.running_mean, -0.5, 0.5)
            nn.init.uniform_(layer.running_var, 0.5, 2)
    return net.eval()


class ModuleHeads(ParityCase):
    def setUp(self):
        super().setUp()
        np.save(self.at / "x.npy", X.numpy())

    def asked(self, *more):
        done = subprocess.run([PROGRAM, "evaluate", str(self.at / "net.pth"), "--data", str(self.at / "x.npy"), "--predictions",
                               str(self.at / "p.csv"), "--outputs", str(self.at / "y.safetensors"), *more], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        (self.at / "y.safetensors").rename(self.at / "last.safetensors")
        with open(self.at / "p.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        (self.at / "p.csv").unlink()
        (outputs,) = read_safetensors(self.at / "last.safetensors").values()
        return done.stderr, outputs, np.array([[float(row[f"p_{k}"]) for k in range(outputs.shape[1])] for row in rows])

    def assert_told(self, net, kind, *more):
        """The module's own outputs, and its probabilities: outputs that are some are not made such again."""
        with torch.no_grad():
            expected = net(X)
        said, outputs, probabilities = self.asked(*more)
        self.assert_logits(outputs, expected, 1e-5)
        truth = torch.softmax(expected, 1) if kind == "logits" else expected
        # 1e-6: float32 against the table's six digits.
        self.assertLess(np.abs(probabilities - truth.numpy()).max(), 2e-6)
        return said

    def test_the_head_is_the_modules_own(self):
        for name, (make, kind) in HEADS.items():
            for legacy in (False, True):
                with self.subTest(head=name, legacy=legacy):
                    net = with_head(make)
                    torch.save(net, self.at / "net.pth", _use_new_zipfile_serialization=not legacy)
                    said = self.assert_told(net, kind, "--arch", NAME)
                    self.assertIn("head 'linear' is Linear (linear.", said)
                    self.assertIn("as the file's own module says", said)
                    self.assertNotIn("assumed", said)

    def test_wrapped_and_in_a_checkpoint(self):
        net = with_head(HEADS["sigmoid"][0])
        torch.save({"epoch": 3, "model": nn.DataParallel(net)}, self.at / "net.pth")
        self.assert_told(net, "sigmoid", "--arch", NAME)

    def test_what_follows_the_network_in_a_sequential(self):
        for name, last, kind in (("sigmoid", nn.Sigmoid(), "sigmoid"), ("softmax", nn.Softmax(1), "softmax")):
            with self.subTest(last=name):
                net = nn.Sequential(build(NAME), nn.Dropout(), last).eval()
                torch.save(nn.DataParallel(net), self.at / "net.pth")
                said = self.assert_told(net, kind, "--arch", NAME)
                self.assertIn(f"module 'module.2' ({type(last).__name__}) follows the network and is applied", said)

    def test_a_chain_of_stock_layers_needs_no_architecture(self):
        torch.manual_seed(5)
        for last, kind in ((nn.Sigmoid(), "sigmoid"), (nn.Softmax(1), "softmax"), (nn.Identity(), "logits")):
            with self.subTest(last=kind):
                net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                                    nn.Linear(8, 4), last).eval()
                torch.save(net, self.at / "net.pth")
                self.assert_told(net, kind)

    def test_chexnet_has_one_sigmoid_whoever_tells_it(self):
        net = build("chexnet")
        x = images("chexnet", 2)
        np.save(self.at / "x.npy", x.numpy())
        torch.save(net, self.at / "net.pth")
        with torch.no_grad():
            expected = net(x)
        _, outputs, _ = self.asked("--arch", "chexnet")
        self.assert_logits(outputs, expected)

    def test_what_the_file_does_not_tell_is_said(self):
        net = with_head(HEADS["sigmoid"][0])
        torch.save(net.state_dict(), self.at / "net.pth")  # its _metadata names the module, not what it is
        with torch.no_grad():
            before = torch.logit(net(X).double())
        said, outputs, _ = self.asked("--arch", NAME)
        self.assert_logits(outputs, before, 1e-4)  # through the float32 sigmoid and back
        self.assertIn("head 'linear': the file names 'linear.1' after its last layer but not what it does", said)
        net = build(NAME)
        net.act = nn.Sigmoid()
        torch.save(net, self.at / "net.pth")
        said, outputs, _ = self.asked("--arch", NAME)
        with torch.no_grad():
            self.assert_logits(outputs, net(X), 1e-5)  # CifarResNet.forward uses it nowhere
        self.assertIn("module 'act' is a Sigmoid, and nothing in the file says where it is used: assumed unused", said)

    def test_recalibrated_and_exported_with_its_head(self):
        net = with_head(HEADS["several_activations"][0])
        torch.save(net, self.at / "net.pth")
        run("recalibrate", self.at / "net.pth", "--arch", NAME, "--data", self.at / "x.npy", "--out", self.at / "a.pth")
        adapted = torch.load(self.at / "a.pth")
        with torch.no_grad():
            expected = adapted(X)
        run("export", self.at / "a.pth", "--arch", NAME, "--out", self.at / "a.onnx")
        run("evaluate", self.at / "a.onnx", "--data", self.at / "x.npy", "--outputs", self.at / "y.safetensors")
        (outputs,) = read_safetensors(self.at / "y.safetensors").values()
        self.assert_logits(outputs, expected, 1e-5)
        layers = json.loads(run("inspect", self.at / "net.pth", "--arch", NAME, "--json"))["batchnorms"]
        self.assertIn("linear.2", [layer["name"] for layer in layers])


if __name__ == "__main__":
    main()
