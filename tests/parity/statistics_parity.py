"""Statistics after `recalibrate`, for every estimator with a twin in PyTorch (or a formula, named), read back by PyTorch."""
import copy

from support import ParityCase, build, images, main, norms, read_safetensors, run, set_training, torch

EMA = ("--semantics", "batch", "--estimator", "ema", "--batch", 5, "--shuffle", "off")
COUNT = 22  # with batches of 5 the last one is ragged
# One architecture of each family; inception_v3 has a test of its own.
FAMILIES = ("cifar_wrn40_2", "chexnet", "densenet121", "efficientnet_b0", "googlenet", "mnasnet0_5", "mobilenet_v2", "mobilenet_v3_small",
            "regnet_x_400mf", "regnet_y_400mf", "resnet18", "resnet50", "resnext50_32x4d", "shufflenet_v2_x0_5", "vgg11_bn", "xrv_densenet121")


@torch.no_grad()
def layerwise(model, x):
    """One pass per BatchNorm, every earlier one already on its target statistics; population variance (Li et al. 2016)."""
    model = copy.deepcopy(model)
    for bn in norms(model).values():
        seen = []
        hook = bn.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].double()))
        for part in x.split(8):
            model(part)
        hook.remove()
        values = torch.cat(seen).transpose(0, 1).flatten(1)
        bn.running_mean.copy_(values.mean(1))
        bn.running_var.copy_(values.var(1, unbiased=False))
    return model


@torch.no_grad()
def layerwise_at_once(model, x):
    """The same in one pass of one batch: every BatchNorm gets its statistics just before it runs, so that whatever comes
    later is already fed by it."""
    model = copy.deepcopy(model)

    def settle(bn, inputs):
        values = inputs[0].double().transpose(0, 1).flatten(1)
        bn.running_mean.copy_(values.mean(1))
        bn.running_var.copy_(values.var(1, unbiased=False))

    for bn in norms(model).values():
        bn.register_forward_pre_hook(settle)
    model(x)
    return model


@torch.no_grad()
def train_mode(model, x, batch, momentum, reset=False):
    model = copy.deepcopy(model)
    set_training(model, True)
    for bn in norms(model).values():
        if reset:
            bn.reset_running_stats()
        bn.momentum = momentum
    for part in x.split(batch):
        model(part)
    return model.eval()


@torch.no_grad()
def pooled(model, x, batch):
    """fvcore's update_bn_stats: every batch normalised with its own statistics, the moments pooled over all values."""
    model = copy.deepcopy(model)
    set_training(model, True)
    seen = {n: [] for n in norms(model)}
    hooks = [bn.register_forward_pre_hook(lambda _, inputs, n=n: seen[n].append(inputs[0].double())) for n, bn in norms(model).items()]
    for part in x.split(batch):
        model(part)
    for hook in hooks:
        hook.remove()
    for n, bn in norms(model).items():
        values = torch.cat(seen[n]).transpose(0, 1).flatten(1)
        bn.running_mean.copy_(values.mean(1))
        bn.running_var.copy_(values.var(1, unbiased=False))
    return model.eval()


@torch.no_grad()
def source_normalised(model, x):
    model, seen = copy.deepcopy(model), {}
    hooks = [bn.register_forward_pre_hook(lambda _, inputs, n=n: seen.__setitem__(n, inputs[0].double())) for n, bn in norms(model).items()]
    model(x)
    for hook in hooks:
        hook.remove()
    for n, bn in norms(model).items():
        values = seen[n].transpose(0, 1).flatten(1)
        bn.running_mean.copy_(values.mean(1))
        bn.running_var.copy_(values.var(1, unbiased=False))
    return model


@torch.no_grad()
def blended_forward(model, x, weight):
    """One batch, every BatchNorm with weight * source + (1 - weight) * the batch's own population statistics."""
    model = copy.deepcopy(model)

    def settle(bn, inputs):
        values = inputs[0].double().transpose(0, 1).flatten(1)
        bn.running_mean.copy_(weight * bn.running_mean + (1 - weight) * values.mean(1))
        bn.running_var.copy_(weight * bn.running_var + (1 - weight) * values.var(1, unbiased=False))

    for bn in norms(model).values():
        bn.register_forward_pre_hook(settle)
    return model(x)


def nearest_channels(source, target, layer, layers):
    """The target's statistics in the share 1 - l/(L-1) of channels that moved least, the source's in the others."""
    moved = (source[0] - target[0]) ** 2 + (source[1].sqrt() - target[1].sqrt()) ** 2
    kept = len(moved) * (layers - 1 - layer) // (layers - 1)
    mean, var = source[0].clone(), source[1].clone()
    chosen = moved.argsort()[:kept]
    mean[chosen], var[chosen] = target[0][chosen], target[1][chosen]
    return mean, var


class Statistics(ParityCase):
    def check(self, name, expected, *options):
        run("recalibrate", self.at / "net.pth", "--arch", name, "--data", self.at / "x.npy", "--out", self.at / "adapted.pth", *options)
        self.assert_statistics(torch.load(self.at / "adapted.pth"), expected.saved() if hasattr(expected, "saved") else expected.state_dict())

    def start(self, name, count=COUNT):
        model, x = build(name), images(name, count)
        self.save(model, x)
        return model, x

    def test_layerwise(self):
        model, x = self.start("cifar_resnet20")
        self.check("cifar_resnet20", layerwise(model, x))
        self.check("cifar_resnet20", layerwise_at_once(model, x))

    def test_every_family(self):
        """32 images, batches of 16: with a few values per channel in the deepest layers float32's own rounding, PyTorch's too,
        is amplified beyond 1e-4."""
        for name in FAMILIES:
            with self.subTest(name):
                model, x = self.start(name, 32)
                self.check(name, layerwise_at_once(model, x))
                self.check_update_bn(name, model, x, 16)

    def check_update_bn(self, name, model, x, batch):
        expected = train_mode(model, x, batch, None, reset=True)
        for layer, bn in norms(expected).items():
            if bn.num_batches_tracked == 0:  # of a classifier that only training uses: not measured, not changed
                bn.load_state_dict(norms(model)[layer].state_dict())
        self.check(name, expected, "--semantics", "batch", "--estimator", "batch-mean", "--batch", batch, "--shuffle", "off")

    def test_layerwise_of_inception(self):
        """Against PyTorch in float64: 94 layers amplify the rounding of float32, PyTorch's own too. We may be off by twice as
        much as PyTorch's float32 is from its float64, the same statistics summed in another order."""
        model, x = self.start("inception_v3", 32)
        exact = layerwise_at_once(copy.deepcopy(model).double(), x.double()).state_dict()
        rounding = self.deviation(layerwise_at_once(model, x).state_dict(), exact)
        self.assertLess(rounding, 1e-3)
        run("recalibrate", self.at / "net.pth", "--arch", "inception_v3", "--data", self.at / "x.npy", "--out", self.at / "adapted.pth")
        self.assertLess(self.deviation(torch.load(self.at / "adapted.pth"), exact), max(1e-4, 2 * rounding))
        self.check_update_bn("inception_v3", model, x, 16)

    def test_update_bn(self):
        """torch.optim.swa_utils.update_bn: cumulative average over batches, each counting once."""
        for name in ("cifar_resnet20", "resnet18"):
            with self.subTest(name):
                model, x = self.start(name)
                self.check_update_bn(name, model, x, 5)

    def test_exponential_average(self):
        model, x = self.start("cifar_resnet20")
        for momentum in (0.01, 0.1, 0.5, 1.0):
            with self.subTest(momentum):
                self.check("cifar_resnet20", train_mode(model, x, 5, momentum), "--semantics", "batch", "--estimator", "ema", "--momentum", momentum,
                           "--batch", 5, "--shuffle", "off")
        self.check("cifar_resnet20", train_mode(model, x, 5, 0.1), "--semantics", "batch", "--estimator", "ema", "--batch", 5, "--shuffle", "off")

    def test_the_convention_is_the_weights_files(self):
        """The same average of a state_dict that an ONNX file describes: from opset 14 on ONNX's own variance is the population's,
        and its momentum may be another; PyTorch's file keeps the sample variance."""
        model, x = self.start("cifar_resnet20")
        for opset in (13, 17):
            with self.subTest(opset=opset):
                torch.onnx.export(model, x[:1], self.at / "net.onnx", opset_version=opset, training=torch.onnx.TrainingMode.PRESERVE,
                                  do_constant_folding=False)
                run("recalibrate", self.at / "net.pth", "--graph", self.at / "net.onnx", "--data", self.at / "x.npy", "--out", self.at / "adapted.pth",
                    *EMA)
                self.assert_statistics(torch.load(self.at / "adapted.pth"), train_mode(model, x, 5, 0.1).state_dict())

    def test_a_pickled_module_says_its_own_epsilon_and_momentum(self):
        """torch.save(model): its BatchNorms stand before what --arch or --graph says of them."""
        model, x = self.start("cifar_resnet20")
        torch.onnx.export(model, x[:1], self.at / "net.onnx", opset_version=17, training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False)
        for bn in norms(model).values():
            bn.eps, bn.momentum = 0.05, 0.3
        torch.save(model, self.at / "whole.pth")
        with torch.no_grad():
            expected = model(x)
        for described in (("--arch", "cifar_resnet20"), ("--graph", self.at / "net.onnx")):
            with self.subTest(described):
                run("evaluate", self.at / "whole.pth", *described, "--data", self.at / "x.npy", "--outputs", self.at / "y.safetensors")
                (found,) = read_safetensors(self.at / "y.safetensors").values()
                self.assert_logits(found, expected)
                run("recalibrate", self.at / "whole.pth", *described, "--data", self.at / "x.npy", "--out", self.at / "adapted.pth", *EMA)
                self.assert_statistics(torch.load(self.at / "adapted.pth").state_dict(), train_mode(model, x, 5, 0.3).state_dict())

    def test_exponential_average_from_nothing(self):
        model, x = self.start("cifar_resnet20")
        self.check("cifar_resnet20", train_mode(model, x, 5, 0.1, reset=True), "--semantics", "batch", "--estimator", "ema-reset", "--momentum", 0.1,
                   "--batch", 5, "--shuffle", "off")

    def test_population_over_batches(self):
        model, x = self.start("cifar_resnet20")
        self.check("cifar_resnet20", pooled(model, x, 5), "--semantics", "batch", "--estimator", "population", "--batch", 5, "--shuffle", "off")

    def test_source_normalised(self):
        model, x = self.start("cifar_resnet20")
        self.check("cifar_resnet20", source_normalised(model, x), "--semantics", "source")

    def test_update_bn_itself(self):
        """The function of PyTorch, not its definition; one image a batch and a ragged last batch, too."""
        model, x = self.start("cifar_resnet20")
        for batch in (1, 5, 8, COUNT):
            with self.subTest(batch=batch):
                twin = copy.deepcopy(model)
                torch.optim.swa_utils.update_bn(x.split(batch), twin)
                self.check("cifar_resnet20", twin, "--semantics", "batch", "--estimator", "batch-mean", "--batch", batch, "--shuffle", "off")

    def test_divisors(self):
        """One batch of everything: an exponential average of weight 1 keeps the sample variance, population the other."""
        model, x = self.start("cifar_resnet20")
        sample, population = train_mode(model, x, COUNT, 1.0), pooled(model, x, COUNT)
        values = COUNT * 32 * 32
        first, second = (next(iter(norms(m).values())).running_var for m in (sample, population))
        self.assertTrue(torch.allclose(first, second * values / (values - 1), rtol=1e-5, atol=0))
        self.check("cifar_resnet20", sample, "--semantics", "batch", "--estimator", "ema", "--momentum", 1, "--batch", COUNT, "--shuffle", "off")
        self.check("cifar_resnet20", population, "--semantics", "batch", "--estimator", "population", "--batch", COUNT, "--shuffle", "off")

    def test_dua(self):
        """Mirza et al. 2022: image after image, the momentum falls from 0.1 by 0.94 towards 0.005."""
        model, x = self.start("cifar_resnet20")
        twin, momentum = copy.deepcopy(model), 0.1
        set_training(twin, True)
        with torch.no_grad():
            for image in x.split(1):
                momentum *= 0.94
                for bn in norms(twin).values():
                    bn.momentum = momentum + 0.005
                twin(image)
        self.check("cifar_resnet20", twin, "--semantics", "batch", "--estimator", "dua", "--batch", 1, "--shuffle", "off")

    def test_policy_batch(self):
        """Prediction-time BN (Nado et al. 2020): training mode of the BatchNorms; with blend the formula, layer by layer."""
        model, x = self.start("cifar_resnet20")
        for batch in (1, 5):
            for weight in (0.0, 0.25):
                with self.subTest(batch=batch, weight=weight):
                    found = self.outputs("net.pth", "cifar_resnet20", "--mode", "batch", "--batch", batch,
                                         *(("--source-weight", weight) if weight else ()))
                    with torch.no_grad():
                        expected = torch.cat([blended_forward(model, part, weight) for part in x.split(batch)])
                    self.assert_logits(found, expected)
        self.assert_logits(self.outputs("net.pth", "cifar_resnet20", "--mode", "instance"), torch.cat([blended_forward(model, part, 0) for part in x.split(1)]))

    def test_policies_by_formula(self):
        """What each policy makes of source and target statistics (docs/reference/estimators.md#policies)."""
        model, x = self.start("cifar_resnet20")
        target, total = layerwise(model, x), len(norms(model))
        n = torch.tensor(0.25)
        formulas = {
            ("mixture", "--source-weight", 0.25): lambda s, t, i: (n * s[0] + (1 - n) * t[0], n * s[1] + (1 - n) * t[1] + n * (1 - n) * (s[0] - t[0]) ** 2),
            ("mean-only",): lambda s, t, i: (t[0], s[1]),
            ("variance-only",): lambda s, t, i: (s[0], t[1]),
            ("disabled",): lambda s, t, i: (torch.zeros_like(s[0]), torch.full_like(s[1], 1 - 1e-5)),
            ("hybrid-decay",): lambda s, t, i: nearest_channels(s, t, i, total),
        }
        for (policy, *options), formula in formulas.items():
            with self.subTest(policy):
                expected = copy.deepcopy(model)
                for i, (bn, t) in enumerate(zip(norms(expected).values(), norms(target).values())):
                    mean, var = formula((bn.running_mean.clone(), bn.running_var.clone()), (t.running_mean, t.running_var), i)
                    bn.running_mean.copy_(mean)
                    bn.running_var.copy_(var)
                self.check("cifar_resnet20", expected, "--policy", policy, *options)

    def test_without_running_statistics(self):
        """track_running_stats=False: no buffers in the file, each batch by itself in PyTorch's eval mode."""
        model, x = build("cifar_resnet20"), images("cifar_resnet20", COUNT)
        for bn in norms(model).values():
            bn.track_running_stats = False
            bn.running_mean = bn.running_var = bn.num_batches_tracked = None
        self.save(model, x)
        self.assertFalse([name for name in model.state_dict() if "running" in name])
        found = self.outputs("net.pth", "cifar_resnet20", "--mode", "batch", "--batch", 5)
        with torch.no_grad():
            self.assert_logits(found, torch.cat([model(part) for part in x.split(5)]))

    def test_blend(self):
        """Schneider et al. 2020: lambda = N / (N + n), applied to the statistics after measuring."""
        model, x = self.start("cifar_resnet20")
        target = layerwise(model, x)
        weight = 16 / (16 + COUNT)
        for bn, t in zip(norms(model).values(), norms(target).values()):
            bn.running_mean.mul_(weight).add_((1 - weight) * t.running_mean)
            bn.running_var.mul_(weight).add_((1 - weight) * t.running_var)
        self.check("cifar_resnet20", model, "--policy", "blend", "--prior-images", 16)


if __name__ == "__main__":
    main()
