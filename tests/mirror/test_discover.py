"""Each hiding place of an image, in the shape in which the real manifests have it: found, and rewritten in place."""

import base64
import copy
import json
from string import ascii_lowercase
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirror.discover import Site, find, rewrite
from mirror.reference import Reference, mirrored

HEX = "b" * 64


def inside(text: str) -> str:
    """What the receipt would say: the mirrored name by digest; a text that is no reference is left as it is."""
    try:
        return str(mirrored(Reference.parse(text), "registry.site:5000/sealift").with_digest(f"sha256:{HEX}").pinned())
    except Exception:
        return text


def found(document: dict[str, Any]) -> dict[str, str]:
    return {s.path: s.text for s in find(document)}


def deployment(container: dict[str, Any], **template: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d"},
        "spec": {"template": {**template, "spec": {"containers": [{"name": "c", **container}]}}},
    }


def config_map(**data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": data}


POD = "spec.template.spec.containers[0]"

INJECTOR_VALUES = json.dumps(
    {
        "global": {
            "hub": "docker.io/istio",
            "tag": "1.31.0",
            "variant": "",
            "proxy": {"image": "proxyv2", "logLevel": "warning"},
            "proxy_init": {"image": "proxyv2"},
        },
        "pilot": {"cni": {"enabled": True}},
    },
    indent=2,
)
INJECTOR_TEMPLATE = """
# image: quay.io/in/a-comment:1
templates:
  sidecar: |
    spec:
      containers:
      - name: istio-proxy
      {{- if contains "/" (annotation .ObjectMeta `sidecar.istio.io/proxyImage` .Values.global.proxy.image) }}
        image: "{{ annotation .ObjectMeta `sidecar.istio.io/proxyImage` .Values.global.proxy.image }}"
      {{- else }}
        image: "{{ .ProxyImage }}"
      {{- end }}
      - image: "{{ .ProxyInitImage }}"
  grpc-simple: |
    spec:
      initContainers:
      - image: busybox:1.28
        command: [sh, -c, 'cat > /var/lib/grpc/boot.json']
  agentgateway: |
      - image: "{{ .AgentgatewayImage }}"
"""

PLACES: list[tuple[str, dict[str, Any], dict[str, str]]] = [
    ("a container", deployment({"image": "kserve/agent:v1"}), {f"{POD}.image": "kserve/agent:v1"}),
    (
        "an image volume",
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "p"},
            "spec": {"volumes": [{"name": "m", "image": {"reference": "ghcr.io/m/x:1", "pullPolicy": "Always"}}]},
        },
        {"spec.volumes[0].image.reference": "ghcr.io/m/x:1"},
    ),
    (
        "cert-manager's solver, an argument",
        deployment({"args": ["--v=2", "--acme-http01-solver-image=quay.io/jetstack/solver:v1", "--max=60"]}),
        {f"{POD}.args[1]": "quay.io/jetstack/solver:v1"},
    ),
    (
        "a flag and its value in two arguments",
        deployment({"args": ["--sidecar-image", "agent", "--other", "a/b:c"]}),
        {f"{POD}.args[1]": "agent", f"{POD}.args[3]": "a/b:c"},
    ),
    (
        "environment variables, by name and by looks",
        deployment({"env": [{"name": "RELATED_IMAGE", "value": "busybox"}, {"name": "X", "value": "quay.io/a/b:1"}]}),
        {f"{POD}.env[0].value": "busybox", f"{POD}.env[1].value": "quay.io/a/b:1"},
    ),
    (
        "Knative's queue sidecar, a ConfigMap key; its _example is documentation",
        config_map(**{"queue-sidecar-image": f"gcr.io/k/queue@sha256:{HEX}", "_example": "image: quay.io/a/b:1\n"}),
        {"data.queue-sidecar-image": f"gcr.io/k/queue@sha256:{HEX}"},
    ),
    (
        "Knative's caching Image",
        {
            "apiVersion": "caching.internal.knative.dev/v1alpha1",
            "kind": "Image",
            "metadata": {"name": "q"},
            "spec": {"image": "gcr.io/k/queue:v1"},
        },
        {"spec.image": "gcr.io/k/queue:v1"},
    ),
    (
        "KServe's configuration, JSON in strings",
        config_map(
            agent='{\n  "image" : "kserve/agent:v1",\n  "cpuLimit": "1"\n}',
            localModel='{"enabled": false, "defaultJobImage": "kserve/storage-initializer:v1"}',
            ingress='{"ingressGateway": "knative-serving/knative-ingress-gateway", "urlScheme": "https"}',
            opentelemetryCollector='{"metricReceiverEndpoint": "keda-otel-scaler.keda.svc:4317"}',
        ),
        {"data.agent$.image": "kserve/agent:v1", "data.localModel$.defaultJobImage": "kserve/storage-initializer:v1"},
    ),
    (
        "KServe's explainer, a name beside its default version",
        config_map(explainers='{"art": {"image": "kserve/art", "defaultImageVersion": "v1"}}'),
        {"data.explainers$.art.image": "kserve/art:v1"},
    ),
    (
        "KServe's storage container",
        {
            "apiVersion": "serving.kserve.io/v1alpha1",
            "kind": "ClusterStorageContainer",
            "metadata": {"name": "default"},
            "spec": {"container": {"image": "kserve/si:v1"}, "supportedUriFormats": [{"prefix": "oci://"}]},
        },
        {"spec.container.image": "kserve/si:v1"},
    ),
    (
        "a model image behind a scheme",
        {
            "apiVersion": "serving.kserve.io/v1beta1",
            "kind": "InferenceService",
            "metadata": {"name": "m"},
            "spec": {"predictor": {"model": {"storageUri": "oci+native://ghcr.io/m/x:v1"}}},
        },
        {"spec.predictor.model.storageUri": "ghcr.io/m/x:v1"},
    ),
    (
        "a name in registry, repository and tag",
        {"kind": "X", "metadata": {"name": "x"}, "spec": {"registry": "quay.io", "repository": "a/b", "tag": 1.5}},
        {"spec.repository": "quay.io/a/b:1.5"},
    ),
    (
        "a name in repository and digest",
        {"kind": "X", "metadata": {"name": "x"}, "spec": {"repository": "quay.io/a/b", "digest": f"sha256:{HEX}"}},
        {"spec.repository": f"quay.io/a/b@sha256:{HEX}"},
    ),
    (
        "Istio's hub, image and tag",
        {"kind": "X", "metadata": {"name": "x"}, "spec": {"hub": "docker.io/istio", "image": "pilot", "tag": "1"}},
        {"spec.image": "docker.io/istio/pilot:1"},
    ),
    (
        "Istio's injector: values for the templates beside them",
        config_map(values=INJECTOR_VALUES, config=INJECTOR_TEMPLATE),
        {
            "data.values$.global.proxy.image": "docker.io/istio/proxyv2:1.31.0",
            "data.values$.global.proxy_init.image": "docker.io/istio/proxyv2:1.31.0",
            "data.config:17": "busybox:1.28",
            "data.config:20": "{{ .AgentgatewayImage }}",
        },
    ),
    (
        "a template that joins hub, image and tag",
        config_map(
            values='{"global": {"hub": "docker.io/istio", "tag": "1"}}',
            config='a:\n  image: "{{ .Values.global.hub }}/proxyv2:{{ .Values.global.tag }}"\n',
        ),
        {"data.config:2": "docker.io/istio/proxyv2:1"},
    ),
    (
        "a default in a CRD's schema, not its descriptions",
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": "x"},
            "spec": {
                "names": {"kind": "image"},
                "schema": {
                    "openAPIV3Schema": {
                        "description": "such as quay.io/a/b:1",
                        "properties": {
                            "image": {"type": "string", "default": "busybox:1"},
                            "default": {"description": "image: quay.io/a/b:2"},
                            "protocol": {"default": "TCP"},
                        },
                    }
                },
            },
        },
        {"spec.schema.openAPIV3Schema.properties.image.default": "busybox:1"},
    ),
    (
        "an annotation",
        deployment(
            {}, metadata={"annotations": {"sidecar.istio.io/proxyImage": "proxy:1", "note": "see quay.io/a/b:1."}}
        ),
        {
            'spec.template.metadata.annotations["sidecar.istio.io/proxyImage"]': "proxy:1",
            "spec.template.metadata.annotations.note": "quay.io/a/b:1",
        },
    ),
    (
        "a Secret",
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "s"},
            "data": {"x.json": base64.b64encode(b'{"image": "a/b:1"}').decode(), "tls.key": "/////w=="},
        },
        {'data["x.json"]$.image': "a/b:1"},
    ),
]


@pytest.mark.parametrize(("document", "sites"), [p[1:] for p in PLACES], ids=[p[0] for p in PLACES])
def test_each_hiding_place_is_found(document: dict[str, Any], sites: dict[str, str]) -> None:
    assert found(document) == sites


@pytest.mark.parametrize("document", [p[1] for p in PLACES], ids=[p[0] for p in PLACES])
def test_rewriting_changes_exactly_the_found_places(document: dict[str, Any]) -> None:
    before = copy.deepcopy(document)
    rewritten = rewrite(document, inside)
    assert [(s.path, s.text) for s in find(rewritten)] == [(s.path, inside(s.text)) for s in find(document)]
    assert document == before
    assert rewrite(document, lambda text: text) == document


@pytest.mark.parametrize(
    "document",
    [
        deployment({"image": "auto"}, metadata={"labels": {"sidecar.istio.io/inject": "true"}}),
        deployment({"args": ["--listen=0.0.0.0:8080", "--url=http://a.b/c:1", "istiod.istio-system.svc:15012"]}),
        deployment({"env": [{"name": "IMAGE", "value": ""}, {"name": "A", "value": "serving.knative.dev/release"}]}),
        {"kind": "ClusterRole", "metadata": {"name": "r"}, "rules": [{"resources": ["deployments/scale"]}]},
        {"kind": "X", "metadata": {"name": "x"}, "spec": {"repository": "https://github.com/a/b", "tag": "v1"}},
        config_map(mesh="rootNamespace: istio-system\ndiscoveryAddress: istiod.istio-system.svc:15012\n"),
    ],
)
def test_what_is_no_image_is_left_alone(document: dict[str, Any]) -> None:
    assert find(document) == []


def test_auto_is_an_image_like_any_other_where_nothing_injects() -> None:
    assert found(deployment({"image": "auto"})) == {f"{POD}.image": "auto"}


def test_a_place_that_must_hold_an_image_and_holds_something_else_has_no_reference() -> None:
    (site,) = find(deployment({"image": "Not An Image"}))
    assert site == Site(f"{POD}.image", "Not An Image", None, certain=True)


def test_a_text_that_only_looks_like_an_image_is_uncertain() -> None:
    certain = {s.text: s.certain for s in find(deployment({"image": "a/b:1", "args": ["quay.io/c/d:1"]}))}
    assert certain == {"a/b:1": True, "quay.io/c/d:1": False}


def test_istios_injector_gets_full_names_that_its_templates_take_as_they_are() -> None:
    document = rewrite(config_map(values=INJECTOR_VALUES, config=INJECTOR_TEMPLATE), inside)
    values = json.loads(document["data"]["values"])
    image = f"registry.site:5000/sealift/docker.io/istio/proxyv2@sha256:{HEX}"
    assert values["global"]["proxy"] == {"image": image, "logLevel": "warning"}
    assert values["global"]["proxy_init"]["image"] == image
    assert (values["global"]["hub"], values["global"]["tag"]) == ("docker.io/istio", "1.31.0")
    assert 'image: "{{ .ProxyImage }}"' in document["data"]["config"]
    assert "# image: quay.io/in/a-comment:1" in document["data"]["config"]


def test_a_name_in_parts_stays_joinable_by_a_colon() -> None:
    document = {
        "kind": "X",
        "metadata": {"name": "x"},
        "spec": {"registry": "quay.io", "repository": "a/b", "tag": "1"},
    }
    spec = rewrite(document, inside)["spec"]
    assert spec == {"registry": "registry.site:5000", "repository": "sealift/quay.io/a/b@sha256", "tag": HEX}


def test_json_in_a_string_keeps_its_other_fields() -> None:
    document = rewrite(config_map(agent='{"image": "kserve/agent:v1", "cpu": "1", "on": true}'), inside)
    assert json.loads(document["data"]["agent"]) == {"image": inside("kserve/agent:v1"), "cpu": "1", "on": True}


NAMES = st.text(ascii_lowercase, min_size=1, max_size=8)
IMAGES = st.builds("{}.io/{}/{}:v{}".format, NAMES, NAMES, NAMES, st.integers(0, 99))


def containers(image: str) -> st.SearchStrategy[Any]:
    text = json.dumps({"deep": [{"sidecarImage": image}]})
    return st.sampled_from(
        [
            {"image": image},
            {"args": [f"--the-image={image}", "--n=1"]},
            {"args": ["--image", image, image]},
            {"env": [{"name": "CONFIG", "value": text}]},
            {"script": f"run {image}\n# not {image}\nimage: '{image}'\n"},
            {"repository": image.rpartition(":")[0], "tag": image.rpartition(":")[2]},
            {"hub": image.rpartition("/")[0], "image": "pilot", "tag": "1"},
        ]
    )


@settings(max_examples=200)
@given(st.lists(IMAGES.flatmap(containers), max_size=6), st.sampled_from(["ConfigMap", "Deployment", "Thing"]))
def test_finding_after_rewriting_is_rewriting_what_was_found(parts: list[Any], kind: str) -> None:
    document: dict[str, Any] = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "x"}}
    if kind == "ConfigMap":
        document["data"] = {f"k{i}": json.dumps(p) for i, p in enumerate(parts)}
    else:
        document["spec"] = {"items": parts}
    sites = find(document)
    again = find(rewrite(document, inside))
    assert [s.text for s in again] == [inside(s.text) for s in sites]
    assert [s.path for s in again] == [s.path for s in sites]
    assert len(sites) >= len(parts)
