"""Release YAML, made from a small copy of the modules' layout."""

from pathlib import Path

import pytest
import yaml

from mirror.errors import BadInput
from testbed.upstream import releases

DIGEST = "sha256:" + "a" * 64
FILES = {
    "sigs.k8s.io/gateway-api/config/crd/standard/gateways.yaml": "kind: CustomResourceDefinition\n",
    "knative.dev/serving/config/core/100-namespace.yaml": "kind: Namespace\nmetadata: {name: knative-serving}\n",
    "knative.dev/serving/config/core/200-serviceaccount.yaml": "---\nkind: ServiceAccount\n",
    "knative.dev/serving/config/core/200-roles/a.yaml": "kind: Role\n",
    "knative.dev/serving/config/core/300-resources/service.yaml": "kind: CustomResourceDefinition\n",
    "knative.dev/serving/config/core/300-knativecertificate.yaml": "kind: Certificate\n",
    "knative.dev/serving/config/core/999-cache.yaml": "kind: Image\nimage: ko://knative.dev/serving/cmd/queue\n",
    "knative.dev/serving/config/core/configmaps/deployment.yaml": "kind: ConfigMap\n",
    "knative.dev/serving/config/core/deployments/webhook.yaml": (
        "kind: Deployment\nlabels:\n  app.kubernetes.io/version: devel\nimage: ko://knative.dev/serving/cmd/webhook\n"
    ),
    "knative.dev/serving/config/core/webhooks/a.yaml": "kind: Secret\n",
    **{
        f"knative.dev/networking/config/{n}.yaml": f"kind: {n}\n"
        for n in ("certificate", "domain-claim", "ingress", "serverlessservice", "config-network")
    },
    "knative.dev/caching/config/image.yaml": "kind: CustomResourceDefinition\n",
}


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def texts(modules: Path) -> dict[str, str]:
    return releases.texts(lambda name: modules / name, lambda _: DIGEST)


def test_every_file_has_the_url_that_the_catalog_names(modules: Path) -> None:
    catalog = yaml.safe_load((Path(__file__).parents[3] / "catalog" / "platform.yaml").read_text())
    wanted = {u for p in catalog["parts"] if p["source"]["kind"] == "manifest" for u in p["source"]["urls"]}
    assert wanted == {f"https://{url}" for url in texts(modules)}


def test_images_are_pinned_by_digest_and_the_version_is_the_releases(modules: Path) -> None:
    text = texts(modules)[releases.SERVING_CORE_YAML]
    assert f"image: gcr.io/knative-releases/knative.dev/serving/cmd/webhook@{DIGEST}" in text
    assert "ko://" not in text
    assert 'app.kubernetes.io/version: "1.23.0"' in text


def test_each_document_stands_for_itself(modules: Path) -> None:
    core = list(yaml.safe_load_all(texts(modules)[releases.SERVING_CORE_YAML]))
    assert None not in core
    assert [d["kind"] for d in core][:3] == ["Namespace", "Role", "ServiceAccount"]


def test_net_istios_images_are_pinned(modules: Path) -> None:
    text = texts(modules)[releases.NET_ISTIO_YAML]
    assert f"{releases.NET_ISTIO}/controller@{DIGEST}" in text
    assert f"{releases.NET_ISTIO}/webhook@{DIGEST}" in text


def test_an_image_that_nothing_builds_is_refused(modules: Path) -> None:
    file = modules / "knative.dev/serving/config/core/configmaps/deployment.yaml"
    file.write_text("kind: ConfigMap\nimage: ko://knative.dev/serving/pkg/cleanup\n")
    with pytest.raises(BadInput, match="another folder"):
        texts(modules)


def test_an_empty_module_is_refused(modules: Path) -> None:
    (modules / "sigs.k8s.io/gateway-api/config/crd/standard/gateways.yaml").unlink()
    with pytest.raises(BadInput, match=r"no \*\.yaml"):
        texts(modules)
