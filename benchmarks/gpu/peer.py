#!/usr/bin/env python3
"""CLIP-GEN's ops and models in PyTorch, timed like `clipgen bench` on the same card: peer.py [--device cuda|cpu] [--compile CASE,CASE] CASE...

One JSON line per case and way to compute it: {"case", "peer", "median_s", "min_s", "max_s", "repeats"}. Ways: float32 as it is, TF32, bfloat16 (autocast), each eager; then,
for the models that --compile names, bfloat16 under torch.compile, which takes a minute each to begin with. Weights are random; sizes are the released models'. Cases that this script does not know are left out with a line on the error stream.
"""
import argparse
import contextlib
import json
import statistics
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

WAYS = {"float32": (False, None), "tf32": (True, None), "bf16": (True, torch.bfloat16)}


class Block(nn.Module):
    """A pre-norm transformer layer with a cache of keys and values for decoding."""

    def __init__(self, width, heads, activation):
        super().__init__()
        self.heads, self.activation = heads, activation
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def split(self, x):
        b, t, _ = x.shape
        return (part.view(b, t, self.heads, -1).transpose(1, 2) for part in self.qkv(self.norm1(x)).chunk(3, dim=-1))

    def merge(self, x, attended):
        x = x + self.out(attended.transpose(1, 2).flatten(2))
        return x + self.down(self.activation(self.up(self.norm2(x))))

    def forward(self, x, causal):
        q, k, v = self.split(x)
        return self.merge(x, F.scaled_dot_product_attention(q, k, v, is_causal=causal))

    def step(self, x, cache, position, mask):
        q, k, v = self.split(x)
        cache[0].index_copy_(2, position, k.to(cache.dtype))
        cache[1].index_copy_(2, position, v.to(cache.dtype))
        return self.merge(x, F.scaled_dot_product_attention(q, cache[0].to(q.dtype), cache[1].to(q.dtype), attn_mask=mask))


class Gpt(nn.Module):
    """gpt2_medium: 24 layers of 1024, 256 codes out of 16384."""

    def __init__(self, layers=24, width=1024, heads=16, vocabulary=16384, length=256):
        super().__init__()
        self.length, self.heads, self.width = length, heads, width
        self.condition, self.codes = nn.Linear(512, width), nn.Embedding(vocabulary, width)
        self.places = nn.Parameter(torch.zeros(1, length, width))
        self.blocks = nn.ModuleList(Block(width, heads, F.gelu) for _ in range(layers))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, vocabulary)

    def forward(self, codes, condition):
        x = torch.cat([self.condition(condition)[:, None], self.codes(codes)], dim=1) + self.places
        for block in self.blocks:
            x = block(x, True)
        return self.head(self.norm(x))

    def step(self, x, caches, position, mask):
        x = x + self.places[:, position]
        for block, cache in zip(self.blocks, caches):
            x = block.step(x, cache, position, mask)
        return self.head(self.norm(x))[:, 0]


def draw(logits, k=500, p=0.95):
    """Top-k, then nucleus, then one draw."""
    logits = logits.float()
    values, places = logits.topk(k)
    shares = values.softmax(-1)
    shares = shares.masked_fill(shares.cumsum(-1) - shares > p, 0)
    return places.gather(1, torch.multinomial(shares, 1))


def decode(model, step, condition, count):
    device = condition.device
    kind = torch.get_autocast_dtype(device.type) if torch.is_autocast_enabled(device.type) else torch.float32
    caches = torch.zeros(len(model.blocks), 2, count, model.heads, model.length, model.width // model.heads, device=device, dtype=kind)
    x = model.condition(condition).expand(count, -1)[:, None]
    places = torch.arange(model.length, device=device)
    codes = []
    for t in range(model.length):
        mask = (places <= t)[None, None, None]
        code = draw(step(x, caches, places[t : t + 1], mask))
        codes.append(code)
        x = model.codes(code)
    return torch.cat(codes, dim=1)


class Residual(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.norm1, self.conv1 = nn.GroupNorm(32, inputs, eps=1e-5), nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm2, self.conv2 = nn.GroupNorm(32, outputs, eps=1e-5), nn.Conv2d(outputs, outputs, 3, padding=1)
        self.short = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x):
        h = self.conv1(F.silu(self.norm1(x)))
        return self.short(x) + self.conv2(F.silu(self.norm2(h)))


class PixelAttention(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm, self.qkv, self.out = nn.GroupNorm(32, width, eps=1e-5), nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x):
        rows = self.norm(x).flatten(2).transpose(1, 2)
        q, k, v = (part[:, None] for part in self.qkv(rows).chunk(3, dim=-1))
        rows = self.out(F.scaled_dot_product_attention(q, k, v)[:, 0])
        return x + rows.transpose(1, 2).view_as(x)


class VqGan(nn.Module):
    """f = 16: 128 channels x 1, 1, 2, 2, 4, two blocks a level (three in the decoder), attention at 16 x 16."""

    def __init__(self):
        super().__init__()
        widths = [128, 128, 256, 256, 512]
        down, width = [nn.Conv2d(3, 128, 3, padding=1)], 128
        for level, wide in enumerate(widths):
            for _ in range(2):
                down.append(Residual(width, wide))
                if level == 4:
                    down.append(PixelAttention(wide))
                width = wide
            if level < 4:
                down += [nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(width, width, 3, stride=2)]
        self.encoder = nn.Sequential(*down, Residual(512, 512), PixelAttention(512), Residual(512, 512), nn.GroupNorm(32, 512), nn.SiLU(), nn.Conv2d(512, 256, 3, padding=1), nn.Conv2d(256, 256, 1))
        up = [nn.Conv2d(256, 256, 1), nn.Conv2d(256, 512, 3, padding=1), Residual(512, 512), PixelAttention(512), Residual(512, 512)]
        for level, wide in reversed(list(enumerate(widths))):
            for _ in range(3):
                up.append(Residual(width, wide))
                if level == 4:
                    up.append(PixelAttention(wide))
                width = wide
            if level > 0:
                up += [nn.Upsample(scale_factor=2), nn.Conv2d(width, width, 3, padding=1)]
        self.decoder = nn.Sequential(*up, nn.GroupNorm(32, 128), nn.SiLU(), nn.Conv2d(128, 3, 3, padding=1))
        self.book = nn.Embedding(16384, 256)

    def quantize(self, z):
        rows = z.permute(0, 2, 3, 1).reshape(-1, 256).float()
        book = self.book.weight.float()
        return (rows.square().sum(1, keepdim=True) - 2 * rows @ book.T + book.square().sum(1)).argmin(1).view(z.shape[0], 16, 16)

    def paint(self, codes):
        return self.decoder(self.book(codes).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last))


class Tower(nn.Module):
    """A tower of CLIP ViT-B/32: of patches, or of tokens."""

    def __init__(self, picture):
        super().__init__()
        width, heads, self.picture = (768, 12, True) if picture else (512, 8, False)
        self.enter = nn.Conv2d(3, width, 32, stride=32, bias=False) if picture else nn.Embedding(49408, width)
        self.first = nn.Parameter(torch.zeros(1, 1, width))
        self.places = nn.Parameter(torch.zeros(1, 50 if picture else 77, width))
        self.before, self.after = nn.LayerNorm(width), nn.LayerNorm(width)
        self.blocks = nn.ModuleList(Block(width, heads, lambda x: x * torch.sigmoid(1.702 * x)) for _ in range(12))
        self.project = nn.Linear(width, 512, bias=False)

    def forward(self, x):
        x = self.enter(x)
        if self.picture:
            x = self.before(torch.cat([self.first.expand(len(x), -1, -1), x.flatten(2).transpose(1, 2)], dim=1) + self.places)
        else:
            x = x + self.places
        for block in self.blocks:
            x = block(x, not self.picture)
        return F.normalize(self.project(self.after(x[:, 0 if self.picture else 12])), dim=-1)


class Lpips(nn.Module):
    """VGG16's five stages, compared feature by feature."""

    def __init__(self):
        super().__init__()
        width, self.stages, self.weights = 3, nn.ModuleList(), nn.ModuleList()
        for level, (wide, convolutions) in enumerate([(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)]):
            layers = [nn.MaxPool2d(2)] if level else []
            for _ in range(convolutions):
                layers += [nn.Conv2d(width, wide, 3, padding=1), nn.ReLU()]
                width = wide
            self.stages.append(nn.Sequential(*layers))
            self.weights.append(nn.Conv2d(wide, 1, 1, bias=False))

    def forward(self, x, y):
        total = 0
        for stage, weight in zip(self.stages, self.weights):
            x, y = stage(x), stage(y)
            total = total + weight((F.normalize(x, dim=1) - F.normalize(y, dim=1)).square()).mean()
        return total


def discriminator():
    layers, width = [nn.Conv2d(3, 64, 4, 2, 1), nn.LeakyReLU(0.2)], 64
    for wide, stride in ((128, 2), (256, 2), (512, 1)):
        layers += [nn.Conv2d(width, wide, 4, stride, 1, bias=False), nn.BatchNorm2d(wide), nn.LeakyReLU(0.2)]
        width = wide
    return nn.Sequential(*layers, nn.Conv2d(width, 1, 4, 1, 1))


class Bench:
    def __init__(self, device, repeats):
        self.device, self.repeats, self.compiles = torch.device(device), repeats, False

    def wait(self):
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def timed(self, run, calls):
        start = time.perf_counter()
        for _ in range(calls):
            run()
        self.wait()
        return (time.perf_counter() - start) / calls

    def time(self, case, way, run, compiled=False):
        tf32, kind = WAYS[way]
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
        peer = f"torch {torch.__version__.split('+')[0]} {way}{' compile' if compiled else ''}"
        try:
            with torch.autocast(self.device.type, kind) if kind else contextlib.nullcontext():
                # What takes long is warm after one run, and repeated less often.
                first, once = self.timed(run, 1), self.timed(run, 1)
                repeats = self.repeats if once < 0.3 else 2
                if once < 0.3:
                    once = self.timed(run, 2)
                # As `clipgen bench` does: what is shorter than a wait is measured many calls at a time.
                calls = int(min(max(2e-3 / once, 1), 100)) if self.device.type == "cuda" else 1
                seconds = [self.timed(run, calls) for _ in range(repeats)]
        except Exception as error:  # one way that fails must not take the others with it
            print(f"peer: {case} {peer}: {type(error).__name__}: {str(error).splitlines()[0]}", file=sys.stderr)
            return
        print(json.dumps({"case": case, "peer": peer, "median_s": statistics.median(seconds), "min_s": min(seconds), "max_s": max(seconds), "repeats": repeats, "calls": calls, "first_s": first}), flush=True)

    def both(self, case, make, ways=("float32", "tf32", "bf16"), compile_ways=("bf16",)):
        """make(compile) gives what to run; eager in every way, compiled in some."""
        for way in () if self.compiles else ways:
            self.time(case, way, make(lambda f: f))
        for way in compile_ways if self.compiles else ():
            torch._dynamo.reset()
            self.time(case, way, make(torch.compile), compiled=True)

    def new(self, make, *arguments):
        """A model whose weights are drawn on the device."""
        with torch.device(self.device):
            model = make(*arguments)
        return model.to(memory_format=torch.channels_last) if isinstance(model, (VqGan, Lpips, nn.Sequential)) else model

    def random(self, *shape):
        return torch.randn(*shape, device=self.device)

    def pictures(self, batch, side):
        return self.random(batch, 3, side, side).contiguous(memory_format=torch.channels_last)

    def run(self, case):
        kind, _, sizes = case.partition(":")
        method = getattr(self, f"case_{kind}", None)
        if method is None:
            print(f"peer: {case}: not known here", file=sys.stderr)
            return
        method(case, sizes)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def case_gemm(self, case, sizes):
        m, n, k = map(int, sizes.split("x"))
        a, b = self.random(m, k), self.random(n, k)
        for way in ("float32", "tf32"):
            self.time(case, way, lambda: a @ b.T)
        a16, b16 = a.bfloat16(), b.bfloat16()
        self.time(case, "bf16", lambda: a16 @ b16.T)

    def case_conv(self, case, sizes):
        channels, side = sizes.split("@")
        inputs, outputs, kernel = map(int, channels.split("-"))
        height, width = map(int, side.split("x"))
        conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2).to(self.device, memory_format=torch.channels_last)
        x = self.random(1, inputs, height, width).contiguous(memory_format=torch.channels_last)
        torch.backends.cudnn.benchmark = True
        with torch.no_grad():
            for way in ("float32", "tf32"):
                self.time(case, way, lambda: conv(x))
            conv16, x16 = conv.bfloat16(), x.bfloat16()
            self.time(case, "bf16", lambda: conv16(x16))

    def case_attention(self, case, sizes):
        q, k, v = (self.random(int(sizes), 16, 256, 64) for _ in range(3))
        for way in ("float32", "tf32"):
            self.time(case, way, lambda: F.scaled_dot_product_attention(q, k, v, is_causal=True))
        q16, k16, v16 = q.bfloat16(), k.bfloat16(), v.bfloat16()
        self.time(case, "bf16", lambda: F.scaled_dot_product_attention(q16, k16, v16, is_causal=True))

    def case_gpt_decode(self, case, sizes):
        model, condition = self.new(Gpt).eval(), F.normalize(self.random(1, 512))

        def make(compiled):
            step = compiled(model.step) if compiled is not torch.compile else torch.compile(model.step, mode="reduce-overhead")
            return torch.no_grad()(lambda: decode(model, step, condition, int(sizes)))

        self.both(case, make, ways=("float32", "bf16"))

    def case_vqgan_decode(self, case, sizes):
        model, codes = self.new(VqGan).eval(), torch.randint(16384, (int(sizes), 16, 16), device=self.device)
        self.both(case, lambda compiled: torch.no_grad()(lambda paint=compiled(model.paint): paint(codes)))

    def case_vqgan_encode(self, case, sizes):
        model, x = self.new(VqGan).eval(), self.pictures(int(sizes), 256)
        self.both(case, lambda compiled: torch.no_grad()(lambda encode=compiled(lambda p: model.quantize(model.encoder(p))): encode(x)))

    def case_clip_image(self, case, sizes):
        tower, x = self.new(Tower, True).eval(), self.random(int(sizes), 3, 224, 224)
        self.both(case, lambda compiled: torch.no_grad()(lambda tower=compiled(tower): tower(x)))

    def case_clip_text(self, case, sizes):
        tower, x = self.new(Tower, False).eval(), torch.randint(49408, (int(sizes), 77), device=self.device)
        self.both(case, lambda compiled: torch.no_grad()(lambda tower=compiled(tower): tower(x)))

    def case_train_gpt(self, case, sizes):
        batch = int(sizes)
        model = self.new(Gpt).train()
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, betas=(0.9, 0.95), fused=self.device.type == "cuda")
        codes, condition = torch.randint(16384, (batch, 256), device=self.device), F.normalize(self.random(batch, 512))

        def make(compiled):
            forward = compiled(model)

            def step():
                loss = F.cross_entropy(forward(codes[:, :-1], condition).flatten(0, 1).float(), codes.flatten())
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()

            return step

        self.both(case, make)

    def case_train_vqgan(self, case, sizes):
        model, critic, lpips = self.new(VqGan).train(), self.new(discriminator).train(), self.new(Lpips).eval().requires_grad_(False)
        x = self.pictures(int(sizes), 256)
        generator = torch.optim.Adam([*model.parameters()], lr=1e-5, betas=(0.5, 0.9))
        against = torch.optim.Adam(critic.parameters(), lr=1e-5, betas=(0.5, 0.9))
        last = model.decoder[-1].weight

        def make(compiled):
            encode, paint, judge, distance = compiled(model.encoder), compiled(model.decoder), compiled(critic), compiled(lpips)

            def step():
                z = encode(x)
                chosen = model.book(model.quantize(z)).permute(0, 3, 1, 2)
                y = paint(z + (chosen - z).detach())
                content = (y - x).abs().mean() + distance(y, x)
                fooling = -judge(y).mean()
                weight = torch.autograd.grad(content, last, retain_graph=True)[0].norm() / (torch.autograd.grad(fooling, last, retain_graph=True)[0].norm() + 1e-4)
                loss = content + F.mse_loss(z, chosen.detach()) + 0.2 * F.mse_loss(z.detach(), chosen) + 0.8 * weight.clamp(0, 1e4).detach() * fooling
                generator.zero_grad(set_to_none=True)
                loss.backward()
                generator.step()
                hinge = 0.5 * (F.relu(1 - judge(x)).mean() + F.relu(1 + judge(y.detach())).mean())
                against.zero_grad(set_to_none=True)
                hinge.backward()
                against.step()

            return step

        self.both(case, make)

    def case_generate(self, case, sizes):
        count = int(sizes)
        text, eye, gpt, vqgan = (model.eval() for model in (self.new(Tower, False), self.new(Tower, True), self.new(Gpt), self.new(VqGan)))
        tokens = torch.randint(49408, (1, 77), device=self.device)

        def make(compiled):
            step = torch.compile(gpt.step, mode="reduce-overhead") if compiled is torch.compile else gpt.step
            paint = compiled(vqgan.paint)

            @torch.no_grad()
            def run():
                condition = text(tokens)
                codes = decode(gpt, step, condition, count).view(count, 16, 16)
                scores = []
                for first in range(0, count, 8):
                    pictures = F.interpolate(paint(codes[first : first + 8]).float().clamp(-1, 1), size=224, mode="bilinear", antialias=True)
                    scores.append(eye(pictures) @ condition.T)
                return torch.cat(scores).topk(min(8, count), dim=0)

            return run

        self.both(case, make, ways=("float32", "bf16"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="+")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--compile", default="", help="cases that are also measured under torch.compile, after all others")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    bench = Bench(arguments.device, arguments.repeat)
    for case in arguments.cases:
        bench.run(case)
    bench.compiles = True
    for case in filter(None, arguments.compile.split(",")):
        bench.run(case)


main()
