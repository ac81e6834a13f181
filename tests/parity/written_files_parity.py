"""What PyTorch makes of the files that we wrote: they load, give our logits, and differ from the original in the
BatchNorm vectors alone."""
from collections import OrderedDict

from support import ParityCase, build, images, main, np, run, torch

NAME = "cifar_resnet20"


def changed_bytes(before, after):
    assert len(before) == len(after), "the file changed its length"
    return np.flatnonzero(np.frombuffer(before, np.uint8) != np.frombuffer(after, np.uint8))


class WrittenFiles(ParityCase):
    def adapt(self, save):
        model, x = build(NAME), images(NAME, 12)
        np.save(self.at / "x.npy", x.numpy())
        save(model)
        run("recalibrate", self.at / "net.pth", "--arch", NAME, "--data", self.at / "x.npy", "--out", self.at / "adapted.pth")
        return model, x, torch.load(self.at / "adapted.pth")

    def check_only_norms(self, before, after):
        self.assertEqual(list(before), list(after))
        changed = [k for k in before if not torch.equal(before[k], after[k])]
        self.assertTrue(changed and all(k.endswith(("running_mean", "running_var")) for k in changed), changed)

    def check_logits(self, model, state, x, tolerance=1e-4):
        model.load_state_dict(state)
        with torch.no_grad():
            self.assert_logits(self.outputs("adapted.pth", NAME), model(x), tolerance)

    def test_zip_and_legacy(self):
        for legacy in (False, True):
            with self.subTest(legacy=legacy):
                model, x, after = self.adapt(lambda m: torch.save(m.state_dict(), self.at / "net.pth", _use_new_zipfile_serialization=not legacy))
                before = torch.load(self.at / "net.pth")
                self.check_only_norms(before, after)
                self.check_logits(model, after, x)
                raw_before, raw_after = (self.at / "net.pth").read_bytes(), (self.at / "adapted.pth").read_bytes()
                norms_bytes = sum(v.numel() * 4 for k, v in before.items() if k.endswith(("running_mean", "running_var")))
                # Beside the vectors only checksums: at most 12 bytes per zip member (local, descriptor, central).
                members = sum(k.endswith(("running_mean", "running_var")) for k in before)
                self.assertLessEqual(len(changed_bytes(raw_before, raw_after)), norms_bytes + 12 * members)

    def test_trainers_checkpoint(self):
        def save(model):
            state = OrderedDict(("module." + k, v) for k, v in model.state_dict().items())
            torch.save({"epoch": 3, "arch": NAME, "state_dict": state, "optimizer": torch.optim.SGD(model.parameters(), 0.1, momentum=0.9).state_dict()}, self.at / "net.pth")
        model, x, after = self.adapt(save)
        self.check_only_norms(torch.load(self.at / "net.pth")["state_dict"], after["state_dict"])
        self.check_logits(model, {k[len("module."):]: v for k, v in after["state_dict"].items()}, x)

    def test_half_precision(self):
        for dtype in (torch.float16, torch.bfloat16):
            with self.subTest(dtype):
                model, x, after = self.adapt(lambda m: torch.save({k: v.to(dtype) if v.is_floating_point() else v for k, v in m.state_dict().items()}, self.at / "net.pth"))
                self.check_only_norms(torch.load(self.at / "net.pth"), after)
                self.assertTrue(all(v.dtype == dtype for k, v in after.items() if "running" in k))
                self.check_logits(model, after, x)

    def test_views_and_shared_storage(self):
        """Non-contiguous tensors and several tensors in one storage are written where they lie."""
        def save(model):
            state = model.state_dict()
            flat = torch.cat([state["bn1.running_mean"], state["bn1.running_var"]])
            state["bn1.running_mean"], state["bn1.running_var"] = flat[:16], flat[16:]
            wide = torch.zeros(16, 2)
            wide[:, 0] = state["layer1.0.bn1.running_mean"]
            state["layer1.0.bn1.running_mean"] = wide[:, 0]
            torch.save(state, self.at / "net.pth")
        model, x, after = self.adapt(save)
        self.check_only_norms(torch.load(self.at / "net.pth"), after)
        self.check_logits(model, after, x)

    def test_identity_policy_is_written(self):
        model, x = build(NAME), images(NAME, 6)
        self.save(model, x)
        run("recalibrate", self.at / "net.pth", "--arch", NAME, "--data", self.at / "x.npy", "--policy", "identity", "--out", self.at / "adapted.pth")
        after = torch.load(self.at / "adapted.pth")
        self.assertTrue(bool((after["bn1.weight"] == 1).all()) and bool((after["bn1.bias"] == 0).all()))
        model.load_state_dict(after)
        with torch.no_grad():
            self.assert_logits(self.outputs("adapted.pth", NAME), model(x))


if __name__ == "__main__":
    main()
