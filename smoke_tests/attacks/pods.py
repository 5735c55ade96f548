"""Pods that take more than they may, alone and in the workloads that would make them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from smoke_tests import probes
from smoke_tests.cluster import Document

from .guard import Guard
from .images import Images
from .requests import ApiAttempt, Variation

NAME = "sealift-attack"
Break = Callable[[Document], None]

_POD = frozenset({Guard.POD_SECURITY, Guard.ADMISSION_POLICY})
_ADMISSION = frozenset({Guard.ADMISSION_POLICY})


def attempts(namespace: str, image: str, images: Images) -> list[ApiAttempt]:
    """Everything that a pod in a model namespace must not be, in ``namespace``; ``image`` is one that may run."""

    def pod() -> Document:
        return probes.pod(namespace, NAME, image, identity="default", mesh=True)

    def deployment() -> Document:
        return workload("Deployment", pod())

    in_workloads = {
        f"A {kind} whose pods would run {what} is made": Variation(
            lambda kind=kind: workload(kind, pod()),  # type: ignore[misc]
            _ADMISSION,
            {f"A {kind} whose pods would {what} is made.": _in_template(break_it)},
        )
        for kind, what, break_it in (
            ("Deployment", "run an image from outside", _image(images.foreign_by_digest)),
            ("DaemonSet", "run an image from outside", _image(images.foreign_by_digest)),
            ("StatefulSet", "run an image by tag", _image(images.internal_by_tag)),
            ("Job", "run an image that never arrived", _image(images.internal_unknown)),
            ("CronJob", "run an image from outside", _image(images.foreign_by_tag)),
            ("Deployment", "be privileged", _security(privileged=True, allowPrivilegeEscalation=True)),
            ("Job", "mount the node's root", _host_path("/")),
        )
    }
    variations = [
        Variation(pod, _POD, _takes_the_node()),
        Variation(pod, _POD, _takes_privileges()),
        Variation(pod, _ADMISSION, _runs_what_never_arrived(images)),
        Variation(pod, _ADMISSION, _leaves_the_mesh()),
        *in_workloads.values(),
    ]
    return [a for v in variations for a in v.attempts()]


def workload(kind: str, pod: Document) -> Document:
    """A workload of ``kind`` that would make ``pod``."""
    labels = pod["metadata"]["labels"]
    template: Document = {"metadata": {"labels": labels}, "spec": pod["spec"]}
    spec: Document = {"template": template}
    if kind in ("Job", "CronJob"):
        template["spec"] = {**template["spec"], "restartPolicy": "Never"}
    else:
        spec["selector"] = {"matchLabels": labels}
    if kind == "StatefulSet":
        spec["serviceName"] = NAME
    if kind == "CronJob":
        spec = {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": spec}}
    version = "batch/v1" if kind in ("Job", "CronJob") else "apps/v1"
    metadata = {"name": NAME, "namespace": pod["metadata"]["namespace"]}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}


def _takes_the_node() -> dict[str, Break]:
    return {
        "A pod in the node's network is made.": _spec(hostNetwork=True),
        "A pod that sees the node's processes is made.": _spec(hostPID=True),
        "A pod in the node's IPC namespace is made.": _spec(hostIPC=True),
        "A pod that mounts the node's root is made.": _host_path("/"),
        "A pod that mounts containerd's socket is made.": _host_path("/run/containerd/containerd.sock"),
        "A pod that listens on the node's own port is made.": _ports(hostPort=22),
    }


def _takes_privileges() -> dict[str, Break]:
    return {
        "A privileged pod is made.": _security(privileged=True, allowPrivilegeEscalation=True),
        "A pod that may gain privileges is made.": _security(allowPrivilegeEscalation=True),
        "A pod that runs as root is made.": _security(runAsUser=0, runAsNonRoot=False),
        "A pod with the capability SYS_ADMIN is made.": _security(capabilities={"add": ["SYS_ADMIN"], "drop": ["ALL"]}),
        "A pod that keeps the default capabilities (NET_RAW: forged packets) is made.": _security(capabilities={}),
        "A pod without a seccomp profile is made.": _security(seccompProfile={"type": "Unconfined"}),
        "A pod that sees all of /proc is made.": _all_of_proc,
        "A pod that sets a kernel parameter of the node is made.": _pod_security(
            sysctls=[{"name": "kernel.msgmax", "value": "65536"}]
        ),
    }


def _runs_what_never_arrived(images: Images) -> dict[str, Break]:
    return {
        "A pod with an image from outside, by tag, is made.": _image(images.foreign_by_tag),
        "A pod with an image from outside, by digest, is made.": _image(images.foreign_by_digest),
        "A pod with an image of the internal registry, by tag, is made.": _image(images.internal_by_tag),
        "A pod with an image of the internal registry that no bundle brought is made.": _image(images.internal_unknown),
        "A pod with a digest that arrived, under another image's name, is made.": _image(images.misnamed),
        "A pod with an init container from outside is made.": _init_container(images.foreign_by_digest),
        "A pod that mounts an image from outside as a volume is made.": _image_volume(images.foreign_by_digest),
        "A pod whose image is pulled again at each start is made.": _container(imagePullPolicy="Always"),
    }


def _leaves_the_mesh() -> dict[str, Break]:
    return {
        "A pod that opts out of the mesh by label is made.": _label("sidecar.istio.io/inject", "false"),
        "A pod that opts out of the mesh by annotation is made.": _annotation("sidecar.istio.io/inject", "false"),
        "A pod whose traffic goes round its sidecar is made.": _annotation(
            "traffic.sidecar.istio.io/excludeOutboundIPRanges", "0.0.0.0/0"
        ),
    }


def _in_template(break_it: Break) -> Break:
    def change(document: Document) -> None:
        spec = document["spec"]
        break_it(spec.get("jobTemplate", {}).get("spec", spec)["template"])

    return change


def _spec(**fields: Any) -> Break:  # noqa: ANN401 - fields of a pod's spec
    return lambda pod: pod["spec"].update(fields)


def _container(**fields: Any) -> Break:  # noqa: ANN401 - fields of a container
    return lambda pod: pod["spec"]["containers"][0].update(fields)


def _image(image: str) -> Break:
    return _container(image=image)


def _ports(**port: int) -> Break:
    return _container(ports=[{"containerPort": next(iter(port.values())), **port}])


def _security(**fields: Any) -> Break:  # noqa: ANN401 - fields of a security context
    return lambda pod: pod["spec"]["containers"][0]["securityContext"].update(fields)


def _pod_security(**fields: Any) -> Break:  # noqa: ANN401 - fields of a pod's security context
    return lambda pod: pod["spec"]["securityContext"].update(fields)


def _all_of_proc(pod: Document) -> None:
    """The API asks for a user namespace with it, so that is not what it is refused for."""
    _spec(hostUsers=False)(pod)
    _security(procMount="Unmasked")(pod)


def _host_path(path: str) -> Break:
    return _spec(volumes=[{"name": "node", "hostPath": {"path": path}}])


def _image_volume(image: str) -> Break:
    return _spec(volumes=[{"name": "weights", "image": {"reference": image, "pullPolicy": "IfNotPresent"}}])


def _init_container(image: str) -> Break:
    return lambda pod: pod["spec"].update(
        initContainers=[{**pod["spec"]["containers"][0], "name": "first", "image": image}]
    )


def _label(name: str, value: str) -> Break:
    return lambda pod: pod["metadata"]["labels"].update({name: value})


def _annotation(name: str, value: str) -> Break:
    return lambda pod: pod["metadata"].setdefault("annotations", {}).update({name: value})
