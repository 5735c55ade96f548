"""A model server that models can name: vLLM, unprivileged, read-only, and silent towards the outside."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from mirror.receipt import ReceivedRuntime

from .documents import Document
from .manifests import Registered, register
from .site import Site
from .size import Size

PORT = 8080
USER = 2000
"""vLLM's images know the user ``vllm`` by this number; an unknown one has no home and no name."""

START_SECONDS = 600
"""How long a model server may take to start, when its model does not say."""
_PERIOD = 4

# Caches that vLLM, Hugging Face's libraries and Triton write go to the pod's own scratch space.
_CACHES = ("HF_HOME", "VLLM_CACHE_ROOT", "VLLM_CONFIG_ROOT", "TRITON_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR")
_QUIET = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "VLLM_LOGGING_LEVEL": "INFO",
    "VLLM_MEDIA_URL_ALLOW_REDIRECTS": "0",
}


@dataclass(frozen=True)
class RuntimesArgs:
    """The runtimes that a stack's models name."""

    site: Site
    names: Sequence[str]
    after: Sequence[pulumi.Resource] = ()


class Runtimes(pulumi.ComponentResource):
    """One ClusterServingRuntime for each runtime."""

    registered: Registered

    def __init__(self, name: str, args: RuntimesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sealift:index:Runtimes", name, None, opts)
        received = [args.site.receipt.runtime(n) for n in sorted(set(args.names))]
        documents = [serving_runtime(r, args.site.size) for r in received]
        self.registered = register(args.site, documents, self, args.after, guarded=True)
        self.register_outputs({"names": [r.name for r in received]})


def serving_runtime(runtime: ReceivedRuntime, size: Size) -> Document:
    """The ClusterServingRuntime of ``runtime``. It is only used by models that name it."""
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "ClusterServingRuntime",
        "metadata": {"name": runtime.name},
        "spec": {
            "supportedModelFormats": [{"name": runtime.engine, "version": "1", "autoSelect": False}],
            "protocolVersions": ["v1", "v2"],
            "containers": [_container(runtime, size)],
            "volumes": [
                {"name": "tmp", "emptyDir": {"sizeLimit": size.scratch}},
                {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}},
            ],
        },
    }


def startup_probe(seconds: int) -> dict[str, Any]:
    """The probe that leaves a server ``seconds`` to start: loading weights takes minutes."""
    health = {"path": "/health", "port": PORT}
    return {"httpGet": health, "periodSeconds": _PERIOD, "failureThreshold": math.ceil(seconds / _PERIOD)}


def _container(runtime: ReceivedRuntime, size: Size) -> dict[str, Any]:
    on_cpu = runtime.accelerator == "cpu"
    # {{.Name}} is KServe's: the InferenceService's name becomes the model's name in the OpenAI API.
    args = ["--model", "/mnt/models", "--served-model-name", "{{.Name}}", "--host", "0.0.0.0", "--port", str(PORT)]  # noqa: S104
    # A prompt or an answer is nobody's to read in a log; both are off by default today, and stay so by being said.
    args += ["--no-enable-log-requests", "--no-enable-log-outputs"]
    args += ["--disable-uvicorn-access-log"]  # it writes addresses whole, queries too; the proxies' own has the rest
    environment = {"HOME": "/tmp", "USER": "vllm", "LOGNAME": "vllm", **_QUIET}  # noqa: S108 - the pod's emptyDir
    environment |= {name: f"/tmp/{name.lower()}" for name in _CACHES}  # noqa: S108
    resources: dict[str, Any] = {
        "requests": {"cpu": size.runtime_cpu, "memory": size.runtime_memory},
        "limits": {"cpu": size.runtime_cpu_limit, "memory": size.runtime_memory_limit},
    }
    if on_cpu:
        args += ["--dtype", "bfloat16", "--enforce-eager"]
        environment["VLLM_CPU_KVCACHE_SPACE"] = str(size.kv_cache_gib)
        # Else the first request for log probabilities starts a C++ compiler (17 s), or fails where the image has none.
        environment["TORCH_COMPILE_DISABLE"] = "1"
    else:
        resources["limits"]["nvidia.com/gpu"] = "1"
    return {
        "name": "kserve-container",
        "image": runtime.image,
        "args": args,
        "ports": [{"containerPort": PORT, "protocol": "TCP"}],
        "env": [{"name": k, "value": v} for k, v in environment.items()],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "resources": resources,
        "startupProbe": startup_probe(START_SECONDS),
        "readinessProbe": {"httpGet": {"path": "/health", "port": PORT}, "periodSeconds": 5},
        "livenessProbe": {"httpGet": {"path": "/health", "port": PORT}, "periodSeconds": 10, "failureThreshold": 6},
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}, {"name": "shm", "mountPath": "/dev/shm"}],  # noqa: S108
    }
