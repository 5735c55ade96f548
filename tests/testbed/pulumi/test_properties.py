from __future__ import annotations

import pytest
from google.protobuf import json_format, struct_pb2
from hypothesis import given
from hypothesis import strategies as st

from testbed.pulumi.provider.properties import (
    OUTPUT,
    SECRET,
    SIGNATURE,
    UNKNOWN,
    decode,
    encode,
    has_unknown,
    path_text,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=3),
    max_leaves=10,
)


def struct(value: dict[str, object]) -> struct_pb2.Struct:
    return json_format.ParseDict(value, struct_pb2.Struct())


@given(st.dictionaries(st.text("abcd", min_size=1), JSON, max_size=4))
def test_what_is_encoded_decodes_to_the_same(value: dict[str, object]) -> None:
    assert decode(encode(value)).values == value


def test_integral_doubles_reach_kubernetes_as_integers() -> None:
    values = decode(struct({"replicas": 3.0, "ratio": 0.5})).values
    assert values == {"replicas": 3, "ratio": 0.5}
    assert isinstance(values["replicas"], int)


def test_a_secret_is_unwrapped_and_its_path_kept() -> None:
    bag = decode(struct({"a": [{"b": {SIGNATURE: SECRET, "value": "hidden"}}]}))
    assert bag.values == {"a": [{"b": "hidden"}]}
    assert bag.secrets == {("a", 0, "b")}


def test_a_secret_path_is_wrapped_again_and_only_once() -> None:
    encoded = json_format.MessageToDict(encode({"a": {"b": "hidden"}}, [("a",), ("a", "b")]))
    assert encoded == {"a": {SIGNATURE: SECRET, "value": {"b": "hidden"}}}


def test_an_output_without_a_value_is_unknown() -> None:
    assert has_unknown(decode(struct({"a": [{SIGNATURE: OUTPUT}]})).values)
    assert not has_unknown({"a": ["known", 1, None]})
    assert has_unknown({"a": [{"b": UNKNOWN}]})


def test_an_asset_is_refused_with_its_place() -> None:
    with pytest.raises(ValueError, match=r"spec\.file"):
        decode(struct({"spec": {"file": {SIGNATURE: "c44067f5952c0a294b673a41bacd8c17"}}}))


def test_the_typed_sdks_spelling_of_x_kubernetes_fields_is_the_apis() -> None:
    assert decode(struct({"s": {"x_kubernetes_int_or_string": True}})).values == {
        "s": {"x-kubernetes-int-or-string": True}
    }


def test_paths_are_written_as_pulumi_writes_them() -> None:
    assert path_text(("spec", "ports", 0, "a.b/c")) == 'spec.ports[0]["a.b/c"]'
