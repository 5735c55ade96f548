"""Stands for the weights of BAAI/bge-small-en-v1.5: no hub is within reach where the rehearsal runs.

A random two-layer BERT with a WordPiece vocabulary of its own, and the files by which sentence-transformers and vLLM
know that it embeds: pooling by the first token, normalised. As many dimensions as the real model. The same bytes on
every machine.
"""

from __future__ import annotations

import json
import string
from collections import Counter
from pathlib import Path

from . import weights

REPOSITORY = "BAAI/bge-small-en-v1.5"
COMMIT = "5c38ec7c405ec4b44b94cc5a9bb96e735b38267a"
LICENCE = "mit"

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
VOCABULARY = 512
HIDDEN = 384
HEADS = 12
FEED_FORWARD = 512
LAYERS = 2
POSITIONS = 512

README = f"""---
license: {LICENCE}
language: [en]
pipeline_tag: feature-extraction
library_name: sentence-transformers
---
# bge-small-en-v1.5 (stand-in)

These are not the weights of {REPOSITORY}. They are random numbers in the same file formats, so that a rehearsal
without a hub carries, mounts and serves a model through the real code. Its vectors mean nothing, though the same text
always has the same one.
"""


def write(directory: Path, licence_text: str) -> None:
    """Write the repository's files into ``directory``, mode 0644.

    As the real one it has no LICENSE; ``licence_text`` only lends its words to the vocabulary.
    """
    (directory / "1_Pooling").mkdir(parents=True, exist_ok=True)
    vocabulary = _vocabulary(README + licence_text)
    texts = {
        ".gitattributes": "*.safetensors filter=lfs diff=lfs merge=lfs -text\n",
        "1_Pooling/config.json": _json({"word_embedding_dimension": HIDDEN, "pooling_mode_cls_token": True}),
        "README.md": README,
        "config.json": _json(_config()),
        "modules.json": _json(_modules()),
        "sentence_bert_config.json": _json({"max_seq_length": POSITIONS, "do_lower_case": True}),
        "special_tokens_map.json": _json(_special()),
        "tokenizer.json": _json(_tokenizer(vocabulary)),
        "tokenizer_config.json": _json(_tokenizer_config()),
        "vocab.txt": "".join(f"{word}\n" for word in vocabulary),
    }
    for name, text in texts.items():
        (directory / name).write_text(text, encoding="utf-8")
    weights.write(directory / "model.safetensors", _shapes())
    for file in directory.rglob("*"):
        if file.is_file():
            file.chmod(0o644)


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _config() -> dict[str, object]:
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_size": HIDDEN,
        "intermediate_size": FEED_FORWARD,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "max_position_embeddings": POSITIONS,
        "position_embedding_type": "absolute",
        "type_vocab_size": 2,
        "layer_norm_eps": 1e-12,
        "initializer_range": 0.02,
        "pad_token_id": 0,
        "vocab_size": VOCABULARY,
        "torch_dtype": "bfloat16",
    }


def _modules() -> list[dict[str, object]]:
    """https://sbert.net/docs/sentence_transformer/usage/custom_models.html"""
    names = (("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize"))
    return [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (path, kind) in enumerate(names)
    ]


def _special() -> dict[str, str]:
    return {f"{t.strip('[]').lower()}_token": t for t in SPECIAL}


def _tokenizer_config() -> dict[str, object]:
    return {
        "tokenizer_class": "BertTokenizer",
        "do_lower_case": True,
        "model_max_length": POSITIONS,
        "clean_up_tokenization_spaces": True,
        **_special(),
    }


def _vocabulary(text: str) -> list[str]:
    """Special tokens, every ASCII character (letters and digits also inside a word), frequent words of ``text``."""
    letters = [*string.digits, *string.ascii_lowercase, *string.punctuation]
    inside = [f"##{c}" for c in letters if c.isalnum()]
    words = Counter("".join(c if c.isalpha() else " " for c in text.lower()).split())
    frequent = sorted((w for w in words if len(w) > 1), key=lambda w: (-words[w], w))
    return [*SPECIAL, *letters, *inside, *frequent][:VOCABULARY]


def _tokenizer(vocabulary: list[str]) -> dict[str, object]:
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    first, last = SPECIAL[2], SPECIAL[3]
    one = [_token(first, 0), {"Sequence": {"id": "A", "type_id": 0}}, _token(last, 0)]
    two = [*one, {"Sequence": {"id": "B", "type_id": 1}}, _token(last, 1)]
    added = {t: {"id": t, "ids": [SPECIAL.index(t)], "tokens": [t]} for t in (first, last)}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": i, "content": t, **flags} for i, t in enumerate(SPECIAL)],
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": True,
            "strip_accents": None,
            "lowercase": True,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "TemplateProcessing", "single": one, "pair": two, "special_tokens": added},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {
            "type": "WordPiece",
            "unk_token": SPECIAL[1],
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": {word: i for i, word in enumerate(vocabulary)},
        },
    }


def _token(name: str, kind: int) -> dict[str, object]:
    return {"SpecialToken": {"id": name, "type_id": kind}}


def _shapes() -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (VOCABULARY, HIDDEN),
        "embeddings.position_embeddings.weight": (POSITIONS, HIDDEN),
        "embeddings.token_type_embeddings.weight": (2, HIDDEN),
        **_norm("embeddings.LayerNorm"),
        **_dense("pooler.dense", HIDDEN, HIDDEN),
    }
    for n in range(LAYERS):
        layer = f"encoder.layer.{n}"
        for part in ("query", "key", "value"):
            shapes |= _dense(f"{layer}.attention.self.{part}", HIDDEN, HIDDEN)
        shapes |= _dense(f"{layer}.attention.output.dense", HIDDEN, HIDDEN)
        shapes |= _dense(f"{layer}.intermediate.dense", FEED_FORWARD, HIDDEN)
        shapes |= _dense(f"{layer}.output.dense", HIDDEN, FEED_FORWARD)
        shapes |= _norm(f"{layer}.attention.output.LayerNorm") | _norm(f"{layer}.output.LayerNorm")
    return shapes


def _dense(name: str, rows: int, columns: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (rows, columns), f"{name}.bias": (rows,)}


def _norm(name: str) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (HIDDEN,), f"{name}.bias": (HIDDEN,)}
