"""Stands for the weights of HuggingFaceTB/SmolLM2-135M-Instruct: no hub is within reach where the rehearsal runs.

A random two-layer Llama with a tokenizer of its own. It speaks nonsense, through the same files, formats and code as
the real model. The same bytes on every machine: everything comes from one seed.
"""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path

from . import weights

REPOSITORY = "HuggingFaceTB/SmolLM2-135M-Instruct"
COMMIT = "12fd25f77366fa6b3b4b768ec3050bf629380bac"
LICENCE = "apache-2.0"

SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
VOCABULARY = 512
HIDDEN = 128
HEADS = 2  # of 64: vLLM's CPU attention knows no head narrower than 32
FEED_FORWARD = 256
LAYERS = 2
POSITIONS = 2048
_TOKENS = "model.embed_tokens.weight"

# Tools are shown, and calls of them repeated, in the words of Hermes, as larger models of this family have them.
CHAT_TEMPLATE = (
    "{% if tools %}{{ '<|im_start|>system\\n<tools>\\n' }}{% for tool in tools %}{{ tool | tojson }}{{ '\\n' }}"
    "{% endfor %}{{ '</tools><|im_end|>\\n' }}{% endif %}"
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + (message['content'] or '') }}"
    "{% for call in message['tool_calls'] or [] %}{{ '<tool_call>' }}"
    "{{ {'name': call['function']['name'], 'arguments': call['function']['arguments']} | tojson }}"
    "{{ '</tool_call>' }}{% endfor %}{{ '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)

README = f"""---
license: {LICENCE}
language: [en]
pipeline_tag: text-generation
library_name: transformers
---
# SmolLM2-135M-Instruct (stand-in)

These are not the weights of {REPOSITORY}. They are random numbers in the same file formats, so that a rehearsal
without a hub carries, mounts and serves a model through the real code. The answers mean nothing.
"""


def write(directory: Path, licence_text: str) -> None:
    """Write the repository's files into ``directory``, mode 0644; ``licence_text`` becomes LICENSE."""
    directory.mkdir(parents=True, exist_ok=True)
    merges = _merges(README + CHAT_TEMPLATE + licence_text)
    texts = {
        ".gitattributes": "*.safetensors filter=lfs diff=lfs merge=lfs -text\n",
        "LICENSE": licence_text,
        "README.md": README,
        "config.json": _json(_config()),
        "generation_config.json": _json({"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 2}),
        "special_tokens_map.json": _json({"bos_token": SPECIAL[1], "eos_token": SPECIAL[2], "pad_token": SPECIAL[2]}),
        "tokenizer.json": _json(_tokenizer(merges)),
        "tokenizer_config.json": _json(_tokenizer_config()),
    }
    for name, text in texts.items():
        (directory / name).write_text(text, encoding="utf-8")
    # Special tokens have no text: blank, they are never the likeliest, and every answer has some.
    weights.write(directory / "model.safetensors", _shapes(), blank={_TOKENS: len(SPECIAL)})
    for file in directory.iterdir():
        file.chmod(0o644)


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _config() -> dict[str, object]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": HIDDEN,
        "intermediate_size": FEED_FORWARD,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": HEADS,
        "head_dim": HIDDEN // HEADS,
        "hidden_act": "silu",
        "max_position_embeddings": POSITIONS,
        "rms_norm_eps": 1e-05,
        "rope_theta": 100000,
        "vocab_size": VOCABULARY,
        "tie_word_embeddings": True,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 2,
        "torch_dtype": "bfloat16",
    }


def _tokenizer_config() -> dict[str, object]:
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": SPECIAL[1],
        "eos_token": SPECIAL[2],
        "pad_token": SPECIAL[2],
        "unk_token": SPECIAL[0],
        "model_max_length": POSITIONS,
        "clean_up_tokenization_spaces": False,
        "chat_template": CHAT_TEMPLATE,
    }


def _alphabet() -> dict[int, str]:
    """The printable character that stands for each byte in byte-level BPE (GPT-2's table)."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    rest = [b for b in range(256) if b not in printable]
    return {b: chr(b) for b in printable} | {b: chr(256 + i) for i, b in enumerate(rest)}


def _merges(text: str) -> list[tuple[str, str]]:
    """Byte-pair merges learnt from ``text``, as many as the vocabulary holds beside bytes and special tokens."""
    letters = _alphabet()
    words = Counter(tuple(letters[b] for b in f" {w}".encode()) for w in text.split())
    merges: list[tuple[str, str]] = []
    while len(merges) < VOCABULARY - 256 - len(SPECIAL):
        pairs: Counter[tuple[str, str]] = Counter()
        for word, count in words.items():
            for pair in pairwise(word):
                pairs[pair] += count
        best = max(pairs, key=lambda p: (pairs[p], p))
        merges.append(best)
        words = Counter({_merge(word, best): count for word, count in words.items()})
    return merges


def _merge(word: tuple[str, ...], pair: tuple[str, str]) -> tuple[str, ...]:
    merged: list[str] = []
    for symbol in word:
        if merged and (merged[-1], symbol) == pair:
            merged[-1] += symbol
        else:
            merged.append(symbol)
    return tuple(merged)


def _tokenizer(merges: list[tuple[str, str]]) -> dict[str, object]:
    tokens = [*SPECIAL, *_alphabet().values(), *("".join(m) for m in merges)]
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": i, "content": t, **flags} for i, t in enumerate(SPECIAL)],
        "normalizer": None,
        "pre_tokenizer": byte_level,
        "post_processor": None,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {t: i for i, t in enumerate(tokens)},
            "merges": [list(m) for m in merges],
        },
    }


def _shapes() -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {_TOKENS: (VOCABULARY, HIDDEN)}
    for n in range(LAYERS):
        layer = f"model.layers.{n}"
        shapes |= {f"{layer}.self_attn.{p}_proj.weight": (HIDDEN, HIDDEN) for p in "qkvo"}
        shapes |= {f"{layer}.mlp.{p}_proj.weight": (FEED_FORWARD, HIDDEN) for p in ("gate", "up")}
        shapes[f"{layer}.mlp.down_proj.weight"] = (HIDDEN, FEED_FORWARD)
        shapes |= {f"{layer}.{p}_layernorm.weight": (HIDDEN,) for p in ("input", "post_attention")}
    return shapes | {"model.norm.weight": (HIDDEN,)}
