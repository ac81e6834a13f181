"""Logits of every architecture with random weights and realistic BatchNorm statistics, plainly and under the modes that
PyTorch can be asked for."""
from support import EVERYTHING, ParityCase, build, images, main, norms, set_training, torch

ARCHITECTURES = ["cifar_resnet20", "cifar_resnet32", "cifar_resnet44", "cifar_resnet56", "cifar_resnet110",
                 "resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "densenet121", "vgg11_bn", "resnext50_32x4d",
                 "mobilenet_v2", "mobilenet_v3_small", "mnasnet0_5", "shufflenet_v2_x0_5", "shufflenet_v2_x1_0", "efficientnet_b0",
                 "regnet_x_400mf", "regnet_y_400mf", "googlenet", "inception_v3", "cifar_wrn40_2", "chexnet", "xrv_densenet121"]
# Larger members of families that are represented above, and the sizes of images that networks were made for: with
# SHIFTNORM_PARITY_ALL set in the environment.
MORE = ["cifar_wrn28_10", "densenet161", "densenet169", "densenet201", "vgg13_bn", "vgg16_bn", "vgg19_bn", "resnext101_32x8d",
        "resnext101_64x4d", "wide_resnet50_2", "wide_resnet101_2", "mobilenet_v3_large", "mnasnet0_75", "mnasnet1_0", "mnasnet1_3",
        "shufflenet_v2_x1_5", "shufflenet_v2_x2_0", *(f"efficientnet_b{i}" for i in range(1, 8)), "efficientnet_v2_s", "efficientnet_v2_m",
        "efficientnet_v2_l", *(f"regnet_{kind}_{size}" for kind in "xy" for size in ("800mf", "1_6gf", "3_2gf", "8gf", "16gf", "32gf"))]
if EVERYTHING:
    ARCHITECTURES += MORE


class Logits(ParityCase):
    def test_every_architecture(self):
        for name in ARCHITECTURES:
            with self.subTest(name):
                model, x = build(name), images(name, 3)
                self.save(model, x)
                with torch.no_grad():
                    self.assert_logits(self.outputs("net.pth", name), model(x))

    def test_another_number_of_classes(self):
        model, x = build("resnet18"), images("resnet18", 2)
        model.fc = torch.nn.Linear(512, 3)
        self.save(model, x)
        with torch.no_grad():
            self.assert_logits(self.outputs("net.pth", "resnet18"), model(x))

    def test_disabled_and_identity(self):
        model, x = build("cifar_resnet20"), images("cifar_resnet20", 4)
        self.save(model, x)
        for bn in norms(model).values():
            bn.running_mean.zero_()
            bn.running_var.fill_(1 - bn.eps)
        with torch.no_grad():
            self.assert_logits(self.outputs("net.pth", "cifar_resnet20", "--mode", "disabled"), model(x))
            for bn in norms(model).values():
                bn.weight.fill_(1)
                bn.bias.zero_()
            self.assert_logits(self.outputs("net.pth", "cifar_resnet20", "--mode", "identity"), model(x))

    def test_batch_statistics(self):
        """Every batch normalised with its own statistics, as train mode does; a ragged last batch too."""
        for name, batch in (("cifar_resnet20", 4), ("resnet18", 3)):
            with self.subTest(name):
                model, x = build(name), images(name, 10)
                self.save(model, x)
                set_training(model, True)
                with torch.no_grad():
                    expected = torch.cat([model(part) for part in x.split(batch)])
                self.assert_logits(self.outputs("net.pth", name, "--mode", "batch", "--batch", batch), expected)


if __name__ == "__main__":
    main()
