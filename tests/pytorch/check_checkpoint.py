"""Checks with PyTorch that what `clipgen train` writes is a PyTorch checkpoint.

Trains the three models for a few steps at tiny sizes, then for each latest.pt:
  1. torch.load reads it, restricted to tensors and plain values (weights_only), and its pickle asks for nothing else;
  2. the model, rebuilt here from PyTorch's own modules and functions, gives what `clipgen trace` gives;
  3. PyTorch's Adam or AdamW takes the optimiser's state and makes a step with it.

    python3 tests/pytorch/check_checkpoint.py [--clipgen "dotnet run -c Release --project src/ClipGen.Cli --"]

Needs PyTorch 1.13 or newer, nothing else. Prints the differences; exit code 1 when one is above 1e-5 of the output's norm.
"""
import argparse
import json
import math
import pickle
import pickletools
import shlex
import struct
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

# Two float32 implementations that add in different orders differ by a few 1e-6 through networks of this depth.
TOLERANCE = 1e-5
DATA = "--ds shapes --scenes 32 --val-share 0.1 --bs 4 --size 32 --epochs 2 --max-steps 10 --log-every 10".split()
VQGAN = "--channels 32 --groups 8 --multipliers 1,2 --blocks 1 --attention-levels 1 --codes 64 --code-size 16 --disc-channels 8 --disc-start 2steps".split()
CLIP = "--patch 8 --embedding 32 --vision-width 64 --vision-layers 2 --text-width 32 --text-layers 2".split()
# What torch.load(weights_only=True) lets a file of tensors ask for, and of that what these files need.
ALLOWED = {"collections OrderedDict", "torch._utils _rebuild_tensor_v2", "torch FloatStorage", "torch LongStorage", "torch BoolStorage"}
TYPES = {"F32": (torch.float32, "f"), "I64": (torch.int64, "q")}
failures = []


def check(what, condition, found=""):
    print(f"{'ok  ' if condition else 'FAIL'} {what}{'' if found == '' else f': {found}'}")
    if not condition:
        failures.append(what)


def close(what, ours, theirs):
    difference = (ours.double() - theirs.double()).norm() / theirs.double().norm()
    check(what, bool(difference <= TOLERANCE), f"relative difference {difference:.2e}")


def write_safetensors(path, tensors):
    header, data = {}, b""
    for name, tensor in tensors.items():
        kind = "F32" if tensor.dtype == torch.float32 else "I64"
        values = struct.pack(f"<{tensor.numel()}{TYPES[kind][1]}", *tensor.flatten().tolist())
        header[name] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": [len(data), len(data) + len(values)]}
        data += values
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    Path(path).write_bytes(struct.pack("<Q", len(text)) + text + data)


def read_safetensors(path):
    content = Path(path).read_bytes()
    (length,) = struct.unpack_from("<Q", content)
    tensors = {}
    for name, entry in json.loads(content[8:8 + length]).items():
        if name == "__metadata__":
            continue
        dtype, letter = TYPES[entry["dtype"]]
        first, last = entry["data_offsets"]
        values = struct.unpack(f"<{(last - first) // struct.calcsize(letter)}{letter}", content[8 + length + first:8 + length + last])
        tensors[name] = torch.tensor(values, dtype=dtype).reshape(entry["shape"])
    return tensors


class Program:
    def __init__(self, command, folder):
        self.command, self.folder = shlex.split(command), Path(folder)

    def run(self, *args):
        done = subprocess.run([*self.command, *map(str, args)], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"clipgen {' '.join(map(str, args))} failed: {done.stderr}")

    def train(self, kind, *sizes):
        self.run("train", kind, *DATA, *sizes, "--out", self.folder / kind)
        return self.folder / kind / "latest.pt"

    def trace(self, kind, checkpoint, **inputs):
        write_safetensors(self.folder / "in.safetensors", inputs)
        self.run("trace", kind, "--checkpoint", checkpoint, "--input", self.folder / "in.safetensors", "--out", self.folder / "out.safetensors")
        return read_safetensors(self.folder / "out.safetensors")


def load(path):
    with zipfile.ZipFile(path) as archive:
        check(f"{path.parent.name}: checksums of the zip", archive.testzip() is None)
        operations = list(pickletools.genops(archive.read(f"{archive.namelist()[0].split('/')[0]}/data.pkl")))
    asked = {argument for operation, argument, _ in operations if operation.name in ("GLOBAL", "STACK_GLOBAL", "INST")}
    check(f"{path.parent.name}: its pickle asks for known things alone", asked <= ALLOWED, ", ".join(sorted(asked)))
    how = "weights_only=True"
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        # The restricted reader of PyTorch 1.13 does not know floating-point numbers (opcode 71, BINFLOAT); that of 2.0 does.
        if not torch.__version__.startswith("1.") or "Unsupported operand 71" not in str(error):
            raise
        checkpoint, how = torch.load(path, map_location="cpu"), "unrestricted: this PyTorch's weights_only lacks BINFLOAT"
    check(f"{path.parent.name}: torch.load ({how})", {"model", "epoch", "step"} <= checkpoint.keys(), ", ".join(checkpoint))
    check(f"{path.parent.name}: stands at step 10", checkpoint["clipgen"]["global_step"] == "10")
    return checkpoint


def step(what, optimizer_type, state, parameters, **settings):
    """Loads the state and makes a step; parameters in the order of the state."""
    groups = [{"params": [parameters[i] for i in group["params"]]} for group in state["param_groups"]]
    optimizer = optimizer_type(groups, lr=1, **settings)
    optimizer.load_state_dict(state)
    for i, entry in state["state"].items():
        check_shape = entry["exp_avg"].shape == entry["exp_avg_sq"].shape == parameters[i].shape
        if not check_shape or entry["step"].dtype != torch.float32:
            check(f"{what}: state of parameter {i}", False)
    for parameter in parameters:
        parameter.grad = torch.ones_like(parameter)
    before = [parameter.detach().clone() for parameter in parameters]
    optimizer.step()
    moved = all(not torch.equal(old, new) and bool(torch.isfinite(new).all()) for old, new in zip(before, parameters))
    check(f"{what}: a step with the stored moments of {len(state['state'])} parameters", moved and len(state["state"]) == len(parameters))


class Gpt(nn.Module):
    """The reference's GPT out of PyTorch's own transformer layers; names and order of the state dict are theirs."""

    class Block(nn.Module):
        def __init__(self, width, heads, positions):
            super().__init__()
            self.encoder = nn.TransformerEncoderLayer(width, heads, 4 * width, dropout=0, activation="gelu", batch_first=True, norm_first=True)
            self.register_buffer("mask", torch.triu(torch.ones(positions, positions, dtype=torch.bool), 1))

        def forward(self, x):
            return self.encoder(x, self.mask[:x.shape[1], :x.shape[1]])

    def __init__(self, model, heads):
        super().__init__()
        _, positions, width = model["pos_emb"].shape
        self.pos_emb = nn.Parameter(torch.zeros(1, positions, width))
        self.tok_emb = nn.Embedding(*model["tok_emb.weight"].shape)
        self.cond_proj = nn.Linear(model["cond_proj.weight"].shape[1], width)
        layers = sum(name.endswith(".mask") for name in model)
        self.blocks = nn.Sequential(*(self.Block(width, heads, positions) for _ in range(layers)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, model["head.weight"].shape[0])

    def forward(self, codes, embed):
        x = torch.cat([self.cond_proj(embed).unsqueeze(1), self.tok_emb(codes)], 1)
        return self.head(self.norm(self.blocks(x + self.pos_emb[:, :x.shape[1]])))


class VqGan:
    """Encoder, codebook and decoder as functions over the state dict."""

    def __init__(self, model, groups):
        self.m, self.groups = model, groups

    def conv(self, name, x, **options):
        return F.conv2d(x, self.m[f"{name}.weight"], self.m[f"{name}.bias"], **options)

    def norm(self, name, x):
        return F.group_norm(x, self.groups, self.m[f"{name}.weight"], self.m[f"{name}.bias"], 1e-5)

    def step(self, name, x, up):
        if f"{name}.conv.weight" in self.m:
            if up:
                return self.conv(f"{name}.conv", F.interpolate(x, scale_factor=2, mode="nearest"), padding=1)
            return self.conv(f"{name}.conv", F.pad(x, (0, 1, 0, 1)), stride=2)
        if f"{name}.attn.in_proj_weight" in self.m:
            rows = self.norm(f"{name}.norm", x).flatten(2).transpose(1, 2)
            attention = nn.MultiheadAttention(rows.shape[2], 1, batch_first=True)
            attention.load_state_dict({key[len(name) + 6:]: value for key, value in self.m.items() if key.startswith(f"{name}.attn.")})
            return x + attention(rows, rows, rows, need_weights=False)[0].transpose(1, 2).reshape(x.shape)
        hidden = self.conv(f"{name}.block.2", F.silu(self.norm(f"{name}.block.0", x)), padding=1)
        hidden = self.conv(f"{name}.block.6", F.silu(self.norm(f"{name}.block.3", hidden)), padding=1)
        return hidden + (self.conv(f"{name}.shortcut", x) if f"{name}.shortcut.weight" in self.m else x)

    def steps(self, name, x, up):
        for i in range(len({key[len(name) + 1:].split(".")[0] for key in self.m if key.startswith(f"{name}.")})):
            x = self.step(f"{name}.{i}", x, up)
        return x

    def __call__(self, x):
        x = self.conv("encoder.conv_in", x, padding=1)
        x = self.steps("encoder.mid", self.steps("encoder.down", x, False), False)
        x = self.conv("encoder.final.3", self.conv("encoder.final.2", F.silu(self.norm("encoder.final.0", x)), padding=1))
        rows = x.permute(0, 2, 3, 1)
        codes = torch.cdist(rows.flatten(0, 2).double(), self.m["quantizer.embedding.weight"].double()).argmin(1).reshape(rows.shape[:3])
        chosen = self.m["quantizer.embedding.weight"][codes]
        x = (rows + (chosen - rows)).permute(0, 3, 1, 2)
        x = self.conv("decoder.conv_in", self.conv("decoder.quant_conv_in", x), padding=1)
        x = self.steps("decoder.up", self.steps("decoder.mid", x, True), True)
        return codes, self.conv("decoder.final.2", F.silu(self.norm("decoder.final.0", x)), padding=1)


class Clip:
    """Both towers as functions over the state dict, in OpenAI's form."""

    def __init__(self, model, vision_heads, text_heads):
        self.m, self.vision_heads, self.text_heads = model, vision_heads, text_heads

    def norm(self, name, x):
        return F.layer_norm(x, x.shape[-1:], self.m[f"{name}.weight"], self.m[f"{name}.bias"])

    def linear(self, name, x):
        return F.linear(x, self.m[f"{name}.weight"], self.m[f"{name}.bias"])

    def blocks(self, name, x, heads, mask=None):
        i = 0
        while f"{name}.{i}.ln_1.weight" in self.m:
            block = f"{name}.{i}"
            attention = nn.MultiheadAttention(x.shape[2], heads, batch_first=True)
            attention.load_state_dict({key[len(block) + 6:]: value for key, value in self.m.items() if key.startswith(f"{block}.attn.")})
            rows = self.norm(f"{block}.ln_1", x)
            x = x + attention(rows, rows, rows, need_weights=False, attn_mask=mask)[0]
            hidden = self.linear(f"{block}.mlp.c_fc", self.norm(f"{block}.ln_2", x))
            x = x + self.linear(f"{block}.mlp.c_proj", hidden * torch.sigmoid(1.702 * hidden))
            i += 1
        return x

    def image(self, x):
        patches = F.conv2d(x, self.m["visual.conv1.weight"], stride=self.m["visual.conv1.weight"].shape[-1]).flatten(2).transpose(1, 2)
        rows = torch.cat([self.m["visual.class_embedding"].expand(x.shape[0], 1, -1), patches], 1) + self.m["visual.positional_embedding"]
        rows = self.blocks("visual.transformer.resblocks", self.norm("visual.ln_pre", rows), self.vision_heads)
        return self.norm("visual.ln_post", rows[:, 0]) @ self.m["visual.proj"]

    def text(self, tokens):
        rows = self.m["token_embedding.weight"][tokens] + self.m["positional_embedding"]
        mask = torch.full((tokens.shape[1],) * 2, -math.inf).triu(1)
        rows = self.norm("ln_final", self.blocks("transformer.resblocks", rows, self.text_heads, mask))
        return rows[torch.arange(tokens.shape[0]), tokens.argmax(1)] @ self.m["text_projection"]


def check_vqgan(program):
    path = program.train("vqgan", *VQGAN)
    checkpoint = load(path)
    groups = json.loads(checkpoint["clipgen"]["configuration"])["model"]["groups"]
    image = torch.rand(2, 3, 32, 32) * 2 - 1
    traced = program.trace("vqgan", path, image=image)
    with torch.no_grad():
        codes, painted = VqGan(checkpoint["model"], groups)(image)
    check("vqgan: codes are equal", torch.equal(codes, traced["indices"]), f"{codes.numel()} codes, {codes.unique().numel()} different")
    close("vqgan: reconstruction", traced["out"], painted)
    norms = [value.dtype == torch.int64 and value.shape == () for name, value in checkpoint["model"].items() if name.endswith("num_batches_tracked")]
    check("vqgan: num_batches_tracked is a 64-bit integer", len(norms) == 3 and all(norms))
    trained = [(name, nn.Parameter(value)) for name, value in checkpoint["model"].items() if value.dtype == torch.float32 and "running_" not in name]
    step("vqgan: opt_g", torch.optim.Adam, checkpoint["opt_g"], [value for name, value in trained if not name.startswith("discriminator.")])
    step("vqgan: opt_d", torch.optim.Adam, checkpoint["opt_d"], [value for name, value in trained if name.startswith("discriminator.")])
    return path


def check_clip(program):
    path = program.train("clip", *CLIP)
    checkpoint = load(path)
    heads = json.loads(checkpoint["clipgen"]["configuration"])["model"]
    model = checkpoint["model"]
    image = torch.randn(3, 3, 32, 32)
    tokens = torch.randint(1, model["token_embedding.weight"].shape[0], (3, model["positional_embedding"].shape[0]))
    traced = program.trace("clip", path, image=image, tokens=tokens)
    with torch.no_grad():
        clip = Clip(model, heads["vision_heads"], heads["text_heads"])
        close("clip: picture", traced["out.image"], clip.image(image))
        close("clip: text", traced["out.text"], clip.text(tokens))
    ordered = sorted((nn.Parameter(value) for value in model.values()), key=lambda value: value.dim() < 2)
    step("clip: optimizer", torch.optim.AdamW, checkpoint["optimizer"], ordered)
    return path


def check_gpt(program, vqgan, clip):
    path = program.train("gpt", "--vqgan-ckpt", vqgan, "--clip-ckpt", clip, "--gpt", "3x64x4", "--dropout", "0.1")
    checkpoint = load(path)
    model = checkpoint["model"]
    gpt = Gpt(model, json.loads(checkpoint["clipgen"]["configuration"])["model"]["heads"])
    check("gpt: names of the state dict", list(gpt.state_dict()) == list(model), f"{len(model)} entries")
    check("gpt: load_state_dict(strict=True)", str(gpt.load_state_dict(model, strict=True)) == "<All keys matched successfully>")
    codes, embed = torch.randint(0, 64, (2, 40)), F.normalize(torch.randn(2, 32), dim=1)
    traced = program.trace("gpt", path, codes=codes, embed=embed)
    with torch.no_grad():
        logits = gpt.train()(codes, embed)
    close("gpt: logits", traced["out"], logits)
    check("gpt: masks are booleans", all(value.dtype == torch.bool for name, value in model.items() if name.endswith(".mask")))
    named = sorted(gpt.named_parameters())
    decays = [name.endswith("in_proj_weight") or (value.dim() == 2 and name.endswith(".weight") and name != "tok_emb.weight") for name, value in named]
    ordered = [value for (_, value), decay in zip(named, decays) if decay] + [value for (_, value), decay in zip(named, decays) if not decay]
    step("gpt: optimizer", torch.optim.AdamW, checkpoint["optimizer"], ordered)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--clipgen", default="dotnet run -c Release --project src/ClipGen.Cli --", help="command that starts clipgen")
    torch.manual_seed(0)
    print(f"PyTorch {torch.__version__}")
    with tempfile.TemporaryDirectory() as folder:
        program = Program(arguments.parse_args().clipgen, folder)
        check_gpt(program, check_vqgan(program), check_clip(program))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
