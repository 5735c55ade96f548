"""Release YAML as the projects publish it on their release pages, made from the Go modules' configuration."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from mirror.errors import BadInput

KNATIVE_RELEASE = "1.23.0"
SERVING = "gcr.io/knative-releases/knative.dev/serving/cmd"
NET_ISTIO = "gcr.io/knative-releases/knative.dev/net-istio/cmd"
GATEWAY_API = "github.com/kubernetes-sigs/gateway-api/releases/download/v1.5.1/standard-install.yaml"
_KNATIVE = f"releases/download/knative-v{KNATIVE_RELEASE}"
SERVING_CRDS_YAML = f"github.com/knative/serving/{_KNATIVE}/serving-crds.yaml"
SERVING_CORE_YAML = f"github.com/knative/serving/{_KNATIVE}/serving-core.yaml"
NET_ISTIO_YAML = f"github.com/knative-extensions/net-istio/{_KNATIVE}/net-istio.yaml"
NET_ISTIO_SOURCE = Path(__file__).parent / "standins" / "net-istio" / "net-istio.yaml"

Module = Callable[[str], Path]
Digest = Callable[[str], str]
"""From ``repository:tag`` to the digest that the rehearsal's registry has for it."""


def texts(module: Module, digest: Digest) -> dict[str, str]:
    """Every release file by its URL without scheme."""
    return {
        GATEWAY_API: _joined(_gateway_api(module)),
        SERVING_CRDS_YAML: _serving(_crds(module), digest),
        SERVING_CORE_YAML: _serving(_core(module), digest),
        NET_ISTIO_YAML: _net_istio(digest),
    }


def _gateway_api(module: Module) -> list[Path]:
    return sorted((module("sigs.k8s.io/gateway-api") / "config" / "crd" / "standard").glob("*.yaml"))


def _crds(module: Module) -> list[Path]:
    """What hack/generate-yamls.sh of Knative Serving takes; four CRDs are symlinks, which a module's archive lacks."""
    networking, caching = module("knative.dev/networking") / "config", module("knative.dev/caching") / "config"
    linked = [networking / f"{n}.yaml" for n in ("certificate", "domain-claim", "ingress", "serverlessservice")]
    return [caching / "image.yaml", *sorted([*_config(module, "300-resources"), *linked], key=lambda p: p.name)]


def _core(module: Module) -> list[Path]:
    """As upstream: the CRDs stand in serving-core.yaml too."""
    core = module("knative.dev/serving") / "config" / "core"
    network = module("knative.dev/networking") / "config" / "config-network.yaml"
    files = [core / "100-namespace.yaml", *_config(module, "200-roles"), core / "200-serviceaccount.yaml"]
    files += [*_crds(module), core / "300-knativecertificate.yaml", core / "999-cache.yaml"]
    return [
        *files,
        *_config(module, "configmaps"),
        network,
        *_config(module, "deployments"),
        *_config(module, "webhooks"),
    ]


def _config(module: Module, folder: str) -> list[Path]:
    return sorted((module("knative.dev/serving") / "config" / "core" / folder).glob("*.yaml"))


def _joined(files: list[Path]) -> str:
    if not files:
        raise BadInput("the module's configuration", "it has no *.yaml files", "Look at its new layout.")
    return "---\n".join(f.read_text().removeprefix("---\n").rstrip("\n") + "\n" for f in files)


def _serving(files: list[Path], digest: Digest) -> str:
    def resolve(found: re.Match[str]) -> str:
        name = f"{SERVING}/{found[1]}"
        return f"{name}@{digest(f'{name}:v{KNATIVE_RELEASE}')}"

    text = re.sub(r"ko://knative\.dev/serving/cmd/([a-z-]+)", resolve, _joined(files))
    if "ko://" in text:
        raise BadInput("Knative Serving's configuration", "it names an image of another folder", "Publish that too.")
    return text.replace("app.kubernetes.io/version: devel", f'app.kubernetes.io/version: "{KNATIVE_RELEASE}"')


def _net_istio(digest: Digest) -> str:
    def resolve(found: re.Match[str]) -> str:
        return f"{found[0]}@{digest(f'{found[0]}:v{KNATIVE_RELEASE}')}"

    if not NET_ISTIO_SOURCE.is_file():
        raise BadInput(str(NET_ISTIO_SOURCE), "there is no such file", "Write the stand-in's manifest.")
    return re.sub(rf"{re.escape(NET_ISTIO)}/[a-z]+(?![\w@/:-])", resolve, NET_ISTIO_SOURCE.read_text())
