"""Checkpoints as people have them, restored by an architecture's name: the logits are PyTorch's, or the file is refused."""
from support import *


def fc_replaced(name, head, attribute="fc"):
    """A network of torchvision's (or ours) with another head; its BatchNorm1d layers get statistics of their own."""
    model = build(name)
    parts = attribute.split(".")
    owner = model
    for part in parts[:-1]:
        owner = owner[int(part)] if part.isdigit() else getattr(owner, part)
    if parts[-1].isdigit():
        owner[int(parts[-1])] = head
    else:
        setattr(owner, parts[-1], head)
    for module in head.modules():
        if isinstance(module, nn.BatchNorm1d):
            nn.init.uniform_(module.running_mean, -0.3, 0.3)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.3, 0.3)
    return model.eval()


def behind(prefix, state):
    return {prefix + k: v for k, v in state.items()}


class SqueezeExcite(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.fc1, self.fc2 = nn.Conv2d(channels, channels // 8, 1), nn.Conv2d(channels // 8, channels, 1)

    def forward(self, x):
        return x * torch.sigmoid(self.fc2(F.relu(self.fc1(x.mean((2, 3), keepdim=True)))))


class RestoreTest(ParityCase):
    def write(self, state, x):
        torch.save(state, self.at / "net.pth")
        np.save(self.at / "x.npy", x.numpy())

    def agrees(self, model, name, state=None, *more):
        x = images(name, 3)
        self.write(model.state_dict() if state is None else state, x)
        with torch.no_grad():
            self.assert_logits(self.outputs("net.pth", name, *more), model(x))

    def refused(self, state, name, *texts, exit=3):
        self.write(state, images(name, 1))
        done = subprocess.run([PROGRAM, "evaluate", str(self.at / "net.pth"), "--arch", name, "--data", str(self.at / "x.npy")],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, exit, done.stderr)
        for text in texts:
            self.assertIn(text, done.stderr)

    def test_prefixes(self):
        model = build("cifar_resnet20")
        for prefix in ("_orig_mod.", "module._orig_mod.", "_fsdp_wrapped_module.", "resnet.", "encoder.", "model.resnet."):
            with self.subTest(prefix):
                others = {"criterion.weight": torch.ones(10), "n_averaged": torch.tensor(5), "val_acc.tp": torch.ones(10)}
                self.agrees(model, "cifar_resnet20", {**behind(prefix, model.state_dict()), **others})

    def test_wrappings_inside_of_names(self):
        model = build("cifar_resnet20")
        state = {re.sub(r"(layer\d\.\d)\.", r"_fsdp_wrapped_module.\1._checkpoint_wrapped_module.", k): v for k, v in model.state_dict().items()}
        state = {k if k.startswith("_fsdp") else "_fsdp_wrapped_module." + k: v for k, v in state.items()}
        self.agrees(model, "cifar_resnet20", state)

    def test_data_parallel_around_a_part(self):
        """As PyTorch's ImageNet example wraps VGG; here its convolutions have no biases."""
        model = build("vgg11_bn")
        for module in model.features:
            if isinstance(module, nn.Conv2d):
                module.bias = None
        self.agrees(model, "vgg11_bn", {k.replace("features.", "features.module."): v for k, v in model.state_dict().items()})

    def test_sets_of_weights(self):
        """MoCo's main_lincls.py loads encoder_q, DINO's eval_linear.py the teacher."""
        for used, other in (("module.encoder_q.", "module.encoder_k."), ("teacher.backbone.", "student.backbone.")):
            with self.subTest(used):
                one, two = build("cifar_resnet20", 0), build("cifar_resnet20", 1)
                state = {**behind(other, two.state_dict()), **behind(used, one.state_dict()), "module.queue": torch.randn(4, 8)}
                self.agrees(one, "cifar_resnet20", state)
                self.agrees(two, "cifar_resnet20", state, "--weights", other[:-1])

    def test_biases_of_convolutions(self):
        model = build("cifar_resnet20")
        for module in model.modules():
            if isinstance(module, nn.Conv2d):
                module.bias = nn.Parameter(torch.randn(module.out_channels))
        self.agrees(model, "cifar_resnet20")

    def test_normalisations_without_scale_and_bias(self):
        model = build("cifar_resnet20")
        for bn in norms(model).values():
            bn.weight = bn.bias = None
        self.agrees(model, "cifar_resnet20")

    def test_heads(self):
        def mlp(i, o=5):
            return nn.Sequential(nn.Linear(i, 32), nn.ReLU(), nn.Dropout(), nn.Linear(32, o))
        cases = {
            "dropout": ("resnet18", "fc", nn.Sequential(nn.Dropout(), nn.Linear(512, 4))),
            "two layers": ("resnet18", "fc", mlp(512)),
            "without bias": ("resnet18", "fc", nn.Linear(512, 4, bias=False)),
            "BatchNorm1d": ("resnet18", "fc", nn.Sequential(nn.Linear(512, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 3))),
            "BatchNorm1d first": ("cifar_resnet20", "linear", nn.Sequential(nn.BatchNorm1d(64), nn.Dropout(), nn.Linear(64, 16), nn.ReLU(), nn.BatchNorm1d(16), nn.Dropout(), nn.Linear(16, 3))),
            "no activation": ("cifar_resnet20", "linear", nn.Sequential(nn.Linear(64, 16), nn.Linear(16, 3))),
            "many layers": ("cifar_resnet20", "linear", nn.Sequential(*(m for _ in range(11) for m in (nn.Linear(64, 64), nn.ReLU())), nn.Linear(64, 3))),
            "wide": ("cifar_wrn40_2", "fc", nn.Sequential(nn.Dropout(), nn.Linear(128, 4))),
            "dense": ("densenet121", "classifier", mlp(1024)),
            "vgg's last": ("vgg11_bn", "classifier.6", mlp(4096)),
            "vgg's all": ("vgg11_bn", "classifier", mlp(25088)),
            "mobile's last": ("mobilenet_v3_small", "classifier.3", mlp(1024)),
            "mobile's all": ("mobilenet_v3_small", "classifier", mlp(576)),
            "mobile 2": ("mobilenet_v2", "classifier", mlp(1280)),
            "mobile 2, last": ("mobilenet_v2", "classifier.1", mlp(1280)),
            "shuffled": ("shufflenet_v2_x0_5", "fc", mlp(1024)),
            "regular": ("regnet_x_400mf", "fc", mlp(400)),
            "scaled": ("mnasnet0_5", "classifier", mlp(1280)),
            "efficient": ("efficientnet_b0", "classifier", nn.Linear(1280, 2)),
            "xrv": ("xrv_densenet121", "classifier", nn.Sequential(nn.Dropout(), nn.Linear(1024, 18))),
        }
        for what, (name, attribute, head) in cases.items():
            with self.subTest(what):
                torch.manual_seed(3)
                self.agrees(fc_replaced(name, head, attribute), name)

    def test_a_head_of_chexnet_without_its_sequential(self):
        model = build("chexnet")
        state = {k.replace("classifier.0.", "classifier."): v for k, v in model.state_dict().items()}
        self.agrees(model, "chexnet", state)

    def test_a_head_under_another_name(self):
        model = build("resnet18")
        self.agrees(model, "resnet18", {k.replace("fc.", "last_linear."): v for k, v in model.state_dict().items()})

    def test_without_a_head(self):
        """Features come, and the BatchNorms are measured as with one."""
        for name, attribute in (("resnet18", "fc"), ("cifar_resnet20", "linear"), ("densenet121", "classifier"), ("chexnet", "densenet121.classifier"),
                                ("inception_v3", "fc")):
            with self.subTest(name):
                model = build(name)
                owner = getattr(model, attribute.split(".")[0]) if "." in attribute else model
                setattr(owner, attribute.split(".")[-1], nn.Identity())
                self.agrees(model, name)
        model, x = build("cifar_resnet20"), images("cifar_resnet20", 12)
        found = []
        for without in (False, True):
            if without:
                model.linear = nn.Identity()
            self.write(model.state_dict(), x)
            run("recalibrate", self.at / "net.pth", "--arch", "cifar_resnet20", "--data", self.at / "x.npy", "--out", self.at / f"{without}.pth",
                "--allow-small-cohort")
            found.append(torch.load(self.at / f"{without}.pth"))
        self.assertEqual(set(found[0]) - set(found[1]), {"linear.weight", "linear.bias"})
        for name, values in found[1].items():
            self.assertTrue(torch.equal(values, found[0][name]), name)

    def test_auxiliary_heads_are_left_alone(self):
        for name in ("googlenet", "inception_v3"):
            with self.subTest(name):
                model = build(name)
                self.assertTrue(any(k.lower().startswith("aux") for k in model.state_dict()))
                self.agrees(model, name)

    def test_another_network_is_refused(self):
        """moskomule's and timm's SE-ResNet-18 has every name of a ResNet-18."""
        model = build("resnet18")
        for block in (model.layer1[0], model.layer4[1]):
            block.se = SqueezeExcite(block.conv2.out_channels)
        self.refused(model.state_dict(), "resnet18", "8 tensors that it does not use (layer1.0.se.fc1.weight", "--allow-unused")
        model = build("resnet18")
        model.fc.register_buffer("scale", torch.ones(1))
        self.refused(model.state_dict(), "resnet18", "head layer 'fc' has", "scale [1]")


if __name__ == "__main__":
    main()
