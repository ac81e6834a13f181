"""Logits of every architecture with random weights and realistic BatchNorm statistics, plainly and under the modes that
PyTorch can be asked for."""
import re
import sys
from pathlib import Path

from support import EVERYTHING, ParityCase, build, images, main, norms, set_training, torch

REGNETS = [f"regnet_{kind}_{size}" for kind in "xy" for size in ("400mf", "800mf", "1_6gf", "3_2gf")]
ARCHITECTURES = [*(f"cifar_resnet{depth}" for depth in (20, 32, 44, 56, 110)), "cifar_wrn40_2", "cifar_wrn28_10",
                 *(f"resnet{depth}" for depth in (18, 34, 50, 101, 152)), "resnext50_32x4d", "resnext101_32x8d", "resnext101_64x4d",
                 "wide_resnet50_2", "wide_resnet101_2", *(f"densenet{depth}" for depth in (121, 161, 169, 201)),
                 *(f"vgg{depth}_bn" for depth in (11, 13, 16, 19)), "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large",
                 *(f"mnasnet{width}" for width in ("0_5", "0_75", "1_0", "1_3")), *(f"shufflenet_v2_x{width}" for width in ("0_5", "1_0", "1_5", "2_0")),
                 *(f"efficientnet_b{i}" for i in range(8)), *(f"efficientnet_v2_{size}" for size in "sml"), *REGNETS,
                 "googlenet", "inception_v3", "chexnet", "xrv_densenet121"]
# The largest, and the sizes of images that networks were made for: with SHIFTNORM_PARITY_ALL set in the environment.
LARGEST = [*(f"regnet_{kind}_{size}" for kind in "xy" for size in ("8gf", "16gf", "32gf")), "regnet_y_128gf"]
if EVERYTHING:
    ARCHITECTURES += LARGEST


class Logits(ParityCase):
    def test_list_is_complete(self):
        """docs/formats.md prints the program's own table; a test keeps the two equal."""
        table = (Path(sys.argv[2]) / "docs" / "formats.md").read_text()
        self.assertEqual(sorted({*ARCHITECTURES, *LARGEST}), sorted(re.findall(r"^\| `(\w+)` \|", table, re.M)))

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
