#!/usr/bin/env python3
"""Writes src/model/quant_grids.cc and the cases of src/model/testdata/dequantize.json that follow the first eight, from
the Python package gguf (0.19.0, MIT licence). Run it in the repository's root."""
import json
import pathlib

import gguf
import numpy as np

GRIDS = ["IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ1_S", "IQ3_XXS", "IQ3_S"]
CASES = ["Q2_K", "Q3_K", "IQ4_NL", "IQ4_XS", "TQ1_0", "TQ2_0", "MXFP4", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S",
         "IQ1_S", "IQ1_M"]
# Where blocks have scales in f16, which random bytes could make infinite.
SCALES = {"Q2_K": [80, 82], "Q3_K": [108], "IQ4_NL": [0], "IQ4_XS": [0], "TQ1_0": [52], "TQ2_0": [64], "IQ2_XXS": [0],
          "IQ2_XS": [0], "IQ2_S": [0], "IQ3_XXS": [0], "IQ3_S": [0], "IQ1_S": [0]}
HEAD = """// Which codes stand for which neighbouring weights in the IQ types of GGUF: see quant_grids.h. Written by
// scripts/quant-grids.py from the tables of the Python package gguf, which are ggml's (ggml-common.h). Their licence:
//
// MIT License
//
// Copyright (c) 2023 Georgi Gerganov
//
// Permission is hereby granted, free of charge, to any person obtaining a copy
// of this software and associated documentation files (the "Software"), to deal
// in the Software without restriction, including without limitation the rights
// to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
// copies of the Software, and to permit persons to whom the Software is
// furnished to do so, subject to the following conditions:
//
// The above copyright notice and this permission notice shall be included in all
// copies or substantial portions of the Software.
//
// THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
// IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
// FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
// AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
// LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
// OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
// SOFTWARE.
#include "model/quant_grids.h"

namespace layerboost {

"""


def codes(kind):
    """Each entry's places in the map of values, packed: 2 bits each where there are 3 values, 3 where there are 8."""
    cls = getattr(gguf.quants, kind)
    cls.init_grid()
    values = [float(v) for v in cls.grid_map]
    bits = 2 if len(values) == 3 else 3
    return [sum(values.index(float(v)) << (bits * i) for i, v in enumerate(entry)) for entry in cls.grid.reshape(cls.grid_shape)]


def bf16(values):
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def case(kind, random):
    qtype = gguf.GGMLQuantizationType[kind]
    elements, size = gguf.GGML_QUANT_SIZES[qtype]
    blocks = random.integers(0, 256, (3, size), dtype=np.uint8)
    for at in SCALES.get(kind, []):
        scale = (random.uniform(-0.1, 0.1, 3)).astype(np.float16)
        blocks[:, at:at + 2] = scale.view(np.uint8).reshape(3, 2)
    if kind == "IQ1_M":
        blocks[:, 55] &= 0xBF  # the highest bit but the sign of the scale's exponent
    if kind == "MXFP4":
        blocks[:, 0] = [0, 1, 122]  # two subnormal scales
    values = gguf.quants.dequantize(blocks.reshape(-1), qtype)
    return {"type": kind, "stored": blocks.tobytes().hex(), "bf16": bf16(values).astype(">u2").tobytes().hex()}


def main():
    lines = []
    for kind in GRIDS:
        entries = [f"0x{c:04x}," for c in codes(kind)]
        lines.append(f"const std::uint16_t {kind.lower()}_grid[{len(entries)}] = {{\n")
        for i in range(0, len(entries), 14):
            lines.append("    " + " ".join(entries[i:i + 14]) + "\n")
        lines.append("};\n\n")
    pathlib.Path("src/model/quant_grids.cc").write_text(
        HEAD + "// clang-format off\n" + "".join(lines) + "// clang-format on\n\n}  // namespace layerboost\n")
    path = pathlib.Path("src/model/testdata/dequantize.json")
    cases = json.loads(path.read_text())[:8]
    random = np.random.default_rng(1)
    cases += [case(kind, random) for kind in CASES]
    path.write_text("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")


main()
