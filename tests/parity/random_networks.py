"""Networks drawn by seed: what no published architecture puts side by side. Own generator; the modules are PyTorch's."""
import math
import random

import torch
import torch.nn as nn
import torch.nn.functional as F

CONV = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
NORM = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
MAX_POOL = {1: nn.MaxPool1d, 2: nn.MaxPool2d, 3: nn.MaxPool3d}
AVERAGE_POOL = {1: nn.AvgPool1d, 2: nn.AvgPool2d, 3: nn.AvgPool3d}
ACTIVATIONS = [nn.ReLU, nn.ReLU, nn.ReLU, nn.ReLU6, lambda: nn.LeakyReLU(0.1), nn.SiLU, nn.Hardswish, nn.ELU, nn.GELU, nn.Sigmoid, nn.Identity]
PIXELS = {1: (7, 64), 2: (7, 64), 3: (7, 16)}
LEAST, MOST = 8, 96  # channels
COSTS = (2e6,) * 6 + (5e6,) * 3 + (90e6,)  # products of one convolution on one image: hundreds of networks are to take minutes


class Same(nn.Module):
    """A convolution to the same size: an even kernel or an uneven dilation asks for more zeros behind than before."""

    def __init__(self, axes, cin, cout, kernel, dilation=1, groups=1, bias=False):
        super().__init__()
        reach = [dilation * (k - 1) for k in kernel]
        self.pads = [side for r in reversed(reach) for side in (r // 2, r - r // 2)]
        self.even = all(r % 2 == 0 for r in reach)
        self.conv = CONV[axes](cin, cout, kernel, dilation=dilation, groups=groups, bias=bias, padding=[r // 2 for r in reach] if self.even else 0)

    def forward(self, x):
        return self.conv(x if self.even else F.pad(x, self.pads))


class PostActivation(nn.Module):
    """act(bn(conv(x)) + shortcut): He et al. 2015; without a projection the convolution's source is what is added."""

    def __init__(self, convs, norms, act, project):
        super().__init__()
        self.convs, self.norms, self.act, self.project = nn.ModuleList(convs), nn.ModuleList(norms), act, project

    def forward(self, x):
        y = x
        for i, (conv, norm) in enumerate(zip(self.convs, self.norms)):
            y = norm(conv(y if i == 0 else self.act(y)))
        return self.act(y + (x if self.project is None else self.project(x)))


class PreActivation(nn.Module):
    """x + conv(act(bn(x))): He et al. 2016; where it widens, the shortcut may start behind the first activation."""

    def __init__(self, convs, norms, act, project):
        super().__init__()
        self.convs, self.norms, self.act, self.project = nn.ModuleList(convs), nn.ModuleList(norms), act, project

    def forward(self, x):
        y, ready = x, None
        for conv, norm in zip(self.convs, self.norms):
            y = self.act(norm(y))
            ready = y if ready is None else ready
            y = conv(y)
        return y + (x if self.project is None else self.project(ready))


class Dense(nn.Module):
    """cat(x, conv(act(bn(x)))), a few times: Huang et al. 2017."""

    def __init__(self, steps, order):
        super().__init__()
        self.steps, self.order = nn.ModuleList(steps), order

    def forward(self, x):
        for step, new_first in zip(self.steps, self.order):
            y = step(x)
            x = torch.cat((y, x) if new_first else (x, y), 1)
        return x


class Excite(nn.Module):
    """Hu et al. 2018, around what stands before it."""

    def __init__(self, axes, channels, inner, gate):
        super().__init__()
        self.axes, self.gate = tuple(range(2, axes + 2)), gate
        self.down, self.up = CONV[axes](channels, inner, 1), CONV[axes](inner, channels, 1)

    def forward(self, x):
        return x * self.gate(self.up(F.relu(self.down(x.mean(self.axes, keepdim=True)))))


class Branches(nn.Module):
    """Convolutions side by side; with `shared` one BatchNorm stands behind all of them."""

    def __init__(self, convs, norms, act, join):
        super().__init__()
        self.convs, self.norms, self.act, self.join = nn.ModuleList(convs), nn.ModuleList(norms), act, join

    def forward(self, x):
        parts = [self.act(self.norms[i % len(self.norms)](conv(x))) for i, conv in enumerate(self.convs)]
        if self.join == "cat":
            return torch.cat(parts, 1)
        out = parts[0]
        for part in parts[1:]:
            out = out * part if self.join == "multiply" else out + part
        return out


class Network(nn.Module):
    """`blocks` in turn, then a head; a side output is what stands behind that block, as a map or as its means."""

    def __init__(self, axes, blocks, head, side, side_map):
        super().__init__()
        self.axes, self.side, self.side_map = tuple(range(2, axes + 2)), side, side_map
        self.blocks, self.head = nn.ModuleList(blocks), head

    def forward(self, x):
        extra = None
        for i, block in enumerate(self.blocks):
            x = block(x)
            if i == self.side:
                extra = x * 0.5 if self.side_map else x.mean(self.axes)
        logits = self.head(x.mean(self.axes))
        return logits if extra is None else (logits, extra)


class Builder:
    """Draws blocks, and knows the channels and pixels that they leave."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.axes = self.random.choice((1, 2, 2, 2, 2, 3))
        low, high = PIXELS[self.axes]
        self.size = [self.random.randint(low, high) for _ in range(self.axes)]
        if self.random.random() < 0.5:
            self.size = [self.size[0]] * self.axes
        self.input = [self.random.choice((1, 3, 3, 3, 4, 16)), *self.size]
        self.channels = self.input[0]
        self.shares = False
        self.cost = self.random.choice(COSTS)

    def chance(self, p):
        return self.random.random() < p

    def act(self):
        return self.random.choice(ACTIVATIONS)()

    def width(self):
        """Multiples of eight and sixteen, and what is none."""
        wide = self.random.choice((8, 16, 16, 24, 32, 32, 48, 64, 64, 80, 96, self.random.randint(LEAST, MOST)))
        return max(LEAST, min(wide, int(self.cost / (9 * self.channels * max(1, math.prod(self.size))))))

    def kernel(self, odd=False):
        sizes = (1, 3, 3, 3, 5) if odd else (1, 2, 3, 3, 3, 3, 4, 5, 7)
        if self.axes == 3:
            sizes = tuple(k for k in sizes if k < 5)
        first = self.random.choice(sizes)
        return [first] * self.axes if self.chance(0.75) else [self.random.choice(sizes) for _ in range(self.axes)]

    def groups(self, cin, cout):
        if self.chance(0.7):
            return 1
        return self.random.choice([g for g in range(1, math.gcd(cin, cout) + 1) if math.gcd(cin, cout) % g == 0])

    def norm(self, channels):
        return NORM[self.axes](channels, eps=self.random.choice((1e-5, 1e-5, 1e-3)))

    def same(self, cin, cout, kernel=None, groups=None):
        kernel = kernel or self.kernel()
        dilation = 2 if self.chance(0.15) else 1
        return Same(self.axes, cin, cout, kernel, dilation, groups or self.groups(cin, cout), bias=self.chance(0.3))

    def strided(self, cout):
        """A convolution that may leave fewer pixels, padded by fewer or by more zeros than half its kernel."""
        kernel = self.kernel()
        stride = [self.random.choice((1, 2, 2, 3)) if self.chance(0.8) else 1 for _ in range(self.axes)]
        padding = [self.random.randint(0, k - 1) for k in kernel]
        left = [(n + 2 * p - k) // s + 1 for n, p, k, s in zip(self.size, padding, kernel, stride)]
        if min(left) < 3:
            return self.same(self.channels, cout)
        self.size = left
        return CONV[self.axes](self.channels, cout, kernel, stride, padding, groups=self.groups(self.channels, cout), bias=self.chance(0.3))

    def plain(self):
        cout = self.width()
        block = [self.strided(cout), self.norm(cout), self.act()]
        if self.chance(0.15):
            block.insert(1, nn.ReLU())  # the order of older networks
        self.channels = cout
        return nn.Sequential(*block)

    def residual(self, kind):
        project, cin, cout = None, self.channels, self.channels
        if self.chance(0.4):
            cout = self.width()
            project = self.same(cin, cout, [1] * self.axes, 1)
            if kind is PostActivation and self.chance(0.7):
                project = nn.Sequential(project, self.norm(cout))
        depth = self.random.choice((1, 1, 2, 3))
        widths = [cin] + [self.width() for _ in range(depth - 1)] + [cout]
        usual = [3] * self.axes if self.chance(0.6) else None
        convs = [self.same(a, b, usual, 1 if usual else None) for a, b in zip(widths, widths[1:])]
        norms = [self.norm(c) for c in (widths[1:] if kind is PostActivation else widths[:-1])]
        self.channels = cout
        return kind(convs, norms, self.act(), project)

    def inverted(self):
        """Sandler et al. 2018, with or without a gate, with or without what it adds."""
        inner = min(4 * self.channels, 192)
        cout = self.channels if self.chance(0.6) else self.width()
        act = self.act()
        parts = [self.same(self.channels, inner, [1] * self.axes, 1), self.norm(inner), act,
                 Same(self.axes, inner, inner, [self.random.choice((3, 5)) if self.axes < 3 else 3] * self.axes, 1, inner), self.norm(inner), act]
        if self.chance(0.5):
            parts.append(Excite(self.axes, inner, max(4, inner // 8), self.random.choice((nn.Sigmoid(), nn.Hardsigmoid()))))
        parts += [self.same(inner, cout, [1] * self.axes, 1)]
        body = nn.Sequential(*parts)
        adds = cout == self.channels
        self.channels = cout
        if not adds:
            return nn.Sequential(body, self.norm(cout))
        return PostActivation([body], [self.norm(cout)], nn.Identity(), None)

    def dense(self):
        steps, order = [], []
        for _ in range(self.random.randint(1, 3)):
            growth = self.random.choice((8, 12, 16, 16, 24))
            if self.channels + growth > 2 * MOST:
                break
            steps.append(nn.Sequential(self.norm(self.channels), self.act(), self.same(self.channels, growth)))
            order.append(self.chance(0.2))
            self.channels += growth
        return Dense(steps, order)

    def excite(self):
        return Excite(self.axes, self.channels, max(4, self.channels // 4), nn.Sigmoid())

    def transposed(self):
        cout = self.width()
        kernel, stride = self.random.choice(((2, 2), (3, 2), (4, 2), (3, 1)))
        padding = self.random.randint(0, (kernel - 1) // 2)
        extra = 1 if stride == 2 and self.chance(0.3) else 0
        grown = [(n - 1) * stride - 2 * padding + kernel + extra for n in self.size]
        if math.prod(grown) * cout * self.channels * kernel ** self.axes > 2 * self.cost or max(grown) > 2 * PIXELS[self.axes][1]:
            return self.plain()
        block = nn.Sequential(TRANSPOSED[self.axes](self.channels, cout, kernel, stride, padding, extra, groups=self.groups(self.channels, cout), bias=self.chance(0.3)),
                              self.norm(cout), self.act())
        self.channels, self.size = cout, grown
        return block

    def pool(self):
        kernel = self.random.choice((2, 3))
        left = [(n - kernel + 2 * (kernel // 2)) // 2 + 1 for n in self.size]
        if min(left) < 3:
            return self.excite()
        self.size = left
        kind = self.random.choice((MAX_POOL, AVERAGE_POOL))[self.axes]
        return kind(kernel, 2, kernel // 2)

    def branches(self):
        join = self.random.choice(("cat", "add", "add", "multiply"))
        cout, count = max(LEAST, self.width() // 2), self.random.randint(2, 3)
        shared = self.chance(0.5)
        self.shares = self.shares or shared
        block = Branches([self.same(self.channels, cout) for _ in range(count)], [self.norm(cout) for _ in range(1 if shared else count)], self.act(), join)
        self.channels = cout * count if join == "cat" else cout
        return block

    def head(self):
        classes = self.random.randint(2, 12)
        if self.chance(0.6):
            return nn.Linear(self.channels, classes)
        inner = self.width()
        return nn.Sequential(nn.Linear(self.channels, inner, bias=self.chance(0.5)), nn.BatchNorm1d(inner), nn.ReLU(), nn.Linear(inner, classes))

    def network(self):
        kinds = [self.plain, lambda: self.residual(PostActivation), lambda: self.residual(PostActivation), lambda: self.residual(PreActivation),
                 self.inverted, self.dense, self.excite, self.transposed, self.pool, self.branches]
        blocks = [self.plain()] + [self.random.choice(kinds)() for _ in range(self.random.randint(3, 6))]
        side = self.random.randrange(len(blocks)) if self.chance(0.3) else None
        return Network(self.axes, blocks, self.head(), side, self.chance(0.5))


def norms(model):
    return {n: m for n, m in model.named_modules() if isinstance(m, (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d))}


@torch.no_grad()
def draw(seed, count):
    """A network in evaluation mode whose statistics are near those of its own activations, `count` images for it that lie
    elsewhere, and whether a BatchNorm is used twice."""
    builder = Builder(seed)
    torch.manual_seed(seed)
    model = builder.network()
    for bn in norms(model).values():
        nn.init.uniform_(bn.weight, 0.5, 1.5)
        nn.init.uniform_(bn.bias, -0.3, 0.3)
        bn.momentum = None
        bn.train()
    model(torch.randn(2 * count, *builder.input))
    for bn in norms(model).values():
        bn.momentum = 0.1
        bn.running_mean += 0.1 * bn.running_var.sqrt() * torch.randn_like(bn.running_mean)
        bn.running_var *= torch.empty_like(bn.running_var).uniform_(0.7, 1.4)
    return model.eval(), torch.randn(count, *builder.input) * 1.3 + 0.4, builder.shares
