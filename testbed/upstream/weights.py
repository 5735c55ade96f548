"""Random tensors in a safetensors file: the same bytes on every machine, as each is drawn from a hash of its name."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from pathlib import Path


def write(file: Path, shapes: Mapping[str, tuple[int, ...]], *, blank: Mapping[str, int] | None = None) -> None:
    """Write tensors of ``shapes`` as bfloat16: norms are one, biases zero, all else is uniform in [-0.1, 0.1].

    ``blank`` says how many of a tensor's first rows are zero. Format: https://huggingface.co/docs/safetensors
    """
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    body = bytearray()
    for name, shape in sorted(shapes.items()):
        zeros = bytes(2 * shape[-1] * (blank or {}).get(name, 0))
        data = zeros + _drawn(name, shape)[len(zeros) :]
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    file.write_bytes(struct.pack("<Q", len(text)) + text + bytes(body))


def _drawn(name: str, shape: tuple[int, ...]) -> bytes:
    if len(shape) == 1:
        return _bfloat16(0.0 if name.endswith("bias") else 1.0) * shape[0]
    drawn = hashlib.shake_256(f"sealift {name}".encode()).digest(shape[0] * shape[1])
    table = [_bfloat16((b - 127.5) / 1275) for b in range(256)]
    data = bytearray(2 * len(drawn))
    data[0::2] = drawn.translate(bytes(t[0] for t in table))
    data[1::2] = drawn.translate(bytes(t[1] for t in table))
    return bytes(data)


def _bfloat16(value: float) -> bytes:
    return struct.pack("<f", value)[2:]
