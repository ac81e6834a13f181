"""A DICOM archive as a user hands it over, against pydicom, numpy, PIL and PyTorch: what `recalibrate` measures on it with
the preset of CheXNet and no option more, and that the adapted file differs in the BatchNorm statistics alone."""
import os
import subprocess
import sys
from pathlib import Path

from support import F, ParityCase, main, np, run, torch, torchvision

try:
    import pydicom
    from PIL import Image
except ImportError as missing:
    print(f"SKIPPED: dicom_archive_parity: {missing.name} is not installed")
    sys.exit(0)

SOURCE = Path(sys.argv[2])


def picture(path):
    """8-bit grey as the NIH release has it: rescale, the file's window (PS3.3 C.11.2.1.2), MONOCHROME1 inverted."""
    d = pydicom.dcmread(path)
    m = d.pixel_array.astype(np.float64) * float(d.RescaleSlope) + float(d.RescaleIntercept)
    c, w = float(d.WindowCenter), float(d.WindowWidth)
    y = (m - c) / w + 0.5 if d.VOILUTFunction == "LINEAR_EXACT" else (m - (c - 0.5)) / (w - 1) + 0.5
    y = np.clip(y, 0, 1)
    if d.PhotometricInterpretation == "MONOCHROME1":
        y = 1 - y
    return Image.fromarray((y.astype(np.float32) * 255 + 0.5).astype(np.uint8))


def network_input(path):
    small = np.asarray(picture(path).resize((224, 224), Image.BILINEAR), np.float32) / 255
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return (torch.from_numpy(small)[None].expand(3, -1, -1) - mean[:, None, None]) / std[:, None, None]


class DicomArchive(ParityCase):
    def test_densenet_of_random_weights(self):
        # Syntaxes that pydicom decodes by itself.
        subprocess.run([os.environ["SHIFTNORM_PHANTOM"], self.at / "archive", "--patients", "8", "--syntaxes", "explicit,implicit,rle"],
                       check=True)
        subprocess.run([sys.executable, SOURCE / "scripts" / "random_checkpoint.py", "densenet121", self.at / "densenet121.pth"], check=True)
        run("recalibrate", self.at / "densenet121.pth", "--arch", "densenet121", "--data", self.at / "archive", "--preprocess",
            "cxr-chexnet", "--max-bad", "2", "--out", self.at / "adapted.pth", folder=self.at)
        before, after = torch.load(self.at / "densenet121.pth"), torch.load(self.at / "adapted.pth")
        self.assertEqual(list(before), list(after))
        for name, value in before.items():
            if not name.endswith(("running_mean", "running_var")):
                self.assertTrue(torch.equal(value, after[name]), name)

        pictures = [p for p in sorted((self.at / "archive").glob("?/*/*/SE?/IM1")) if int(p.parts[-4][1:]) <= 8]
        self.assertEqual(len(pictures), 32)
        x = torch.stack([network_input(p) for p in pictures])
        with torch.no_grad():
            y = F.conv2d(x, before["features.conv0.weight"], stride=2, padding=3).double()
        self.assert_close("mean", after["features.norm0.running_mean"], y.mean((0, 2, 3)))
        self.assert_close("variance", after["features.norm0.running_var"], y.var((0, 2, 3), unbiased=False))

    def assert_close(self, what, ours, theirs):
        # 1e-4: as for all statistics; some pixels lie between two of 8 bits and are rounded either way.
        worst = float(((ours - theirs).abs() / (theirs.abs() + 1e-3 * theirs.abs().max())).max())
        self.assertLess(worst, 1e-4, what)


main()
