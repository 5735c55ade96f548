"""Calls that must not get through, from a pod that is in the mesh, one that is not, and one that serves a model."""

from __future__ import annotations

from dataclasses import dataclass

from smoke_tests.probes import CLIENT, PLAIN, STRANGER, Probe

from .guard import Guard
from .places import Places

FORGED = "spiffe://cluster.local/ns/istio-system/sa/istio-ingressgateway"
_ISOLATED = frozenset({Guard.NETWORK_POLICY, Guard.MUTUAL_TLS})
_MESH = frozenset({Guard.AUTHORIZATION_POLICY, Guard.NETWORK_POLICY, Guard.REGISTRY_ONLY, Guard.MUTUAL_TLS})
_NOT_SERVED = ("/metrics", "/invocations", "/pooling", "/score", "/pause", "/update_weights", "/server_info", "/docs")


@dataclass(frozen=True)
class CallAttempt:
    """A call that must be refused by one of ``guards``, and one that must be answered: they differ by the attack."""

    sentence: str
    source: Probe
    url: str
    guards: frozenset[Guard]
    control: str
    """A URL that answers the caller of the control."""
    options: tuple[str, ...] = ()
    """curl's."""
    control_source: Probe = CLIENT

    def __str__(self) -> str:
        """As an id of a test."""
        return self.sentence


def attempts(places: Places) -> list[CallAttempt]:
    """All of them, against what runs."""
    return [*_other_paths(places), *_forged(places), *_round_the_rules(places), *_insides(places)]


def _other_paths(places: Places) -> list[CallAttempt]:
    """vLLM opens more than the OpenAI API, some of it without any authentication."""
    base, control = f"http://{places.model_service}", f"http://{places.model_service}/v1/models"
    authorization = frozenset({Guard.AUTHORIZATION_POLICY})
    paths = [
        CallAttempt(f"A permitted caller asks a model server for {path}.", CLIENT, base + path, authorization, control)
        for path in _NOT_SERVED
    ]
    tricks = {
        "by a path that climbs out of the API": "/v1/models/../../metrics",
        "by an encoded path that climbs out of the API": "/v1/models/%2e%2e/%2e%2e/metrics",
        "by doubled slashes": "//metrics",
    }
    return paths + [
        CallAttempt(
            f"A permitted caller asks a model server for its metrics {how}.",
            CLIENT,
            base + path,
            frozenset({Guard.AUTHORIZATION_POLICY, Guard.ROUTING}),
            control,
            options=("--path-as-is",),
        )
        for how, path in tricks.items()
    ]


def _forged(places: Places) -> list[CallAttempt]:
    """Another's name: by host, by header, by address."""
    service = f"http://{places.model_service}/v1/models"
    authorization = frozenset({Guard.AUTHORIZATION_POLICY})
    certificate = f"By={FORGED};URI={FORGED}"
    return [
        CallAttempt("A stranger calls a model.", STRANGER, service, authorization, service),
        CallAttempt(
            "A stranger calls a model with the gateway's SPIFFE ID in a header.",
            STRANGER,
            service,
            authorization,
            service,
            options=("--header", f"x-forwarded-client-cert: {certificate}"),
        ),
        CallAttempt(
            "A stranger calls a model under the host name of the gateway.",
            STRANGER,
            service,
            authorization | {Guard.REGISTRY_ONLY, Guard.ROUTING},
            service,
            options=("--header", f"host: {places.model_host}"),
        ),
        CallAttempt(
            "A stranger calls a model at its pod's address.",
            STRANGER,
            f"http://{places.model_pod}/v1/models",
            _MESH,
            service,
        ),
        CallAttempt(
            "A pod outside the mesh calls a model with the gateway's SPIFFE ID in a header.",
            PLAIN,
            f"http://{places.model_pod}/v1/models",
            _ISOLATED,
            service,
            options=("--header", f"x-forwarded-client-cert: {certificate}"),
        ),
    ]


def _round_the_rules(places: Places) -> list[CallAttempt]:
    """The activator and queue-proxy lead to models: they must not lead anybody there."""
    if places.activator is None or places.knative_host is None:
        return []
    control = f"http://{places.knative_service}/v1/models"
    host = ("--header", f"host: {places.knative_host}")
    revision = (
        *host,
        *("--header", f"knative-serving-namespace: {places.knative_namespace}"),
        *("--header", f"knative-serving-revision: {places.knative_revision}"),
    )
    ways = {
        "through the activator by its host name": (f"http://{places.activator}:8012/v1/models", host),
        "through the activator by the headers that name a revision": (
            f"http://{places.activator}:8012/v1/models",
            revision,
        ),
        "through the activator's Service": ("http://activator-service.knative-serving/v1/models", revision),
    }
    listed = []
    for how, (url, options) in ways.items():
        for source, guards in ((STRANGER, _MESH | {Guard.ROUTING}), (PLAIN, _ISOLATED | {Guard.ROUTING})):
            who = "A stranger in the mesh" if source.mesh else "A pod outside the mesh"
            listed.append(CallAttempt(f"{who} reaches a model {how}.", source, url, guards, control, options))
    return listed


def _insides(places: Places) -> list[CallAttempt]:
    """Ports that are the platform's own."""
    control = f"http://{places.model_service}/v1/models"
    ports = {
        "istiod's plaintext port for proxies": f"http://{places.istiod}:15010/",
        "istiod's debug interface": f"http://{places.istiod}:15014/debug/configz",
        "istiod's port for everything": f"http://{places.istiod}:8080/debug/syncz",
        "the gateway's administration": f"http://{places.gateway_pod}:15000/config_dump",
        "a model proxy's administration": f"http://{places.model_address}:15000/config_dump",
        "a model proxy's metrics": f"http://{places.model_address}:15090/stats/prometheus",
        "the etcd of the cluster": f"https://{places.node}:2379/version",
        "the kubelet": f"https://{places.node}:10250/pods",
        "the kubelet's open port": f"http://{places.node}:10255/pods",
    }
    guards = _ISOLATED | {Guard.TLS, Guard.NO_LISTENER, Guard.AUTHENTICATION, Guard.REGISTRY_ONLY}
    return [
        CallAttempt(f"A pod outside the mesh asks {what}.", PLAIN, url, guards, control) for what, url in ports.items()
    ] + [
        CallAttempt(
            "A pod without a token asks the API server for Secrets.",
            PLAIN,
            "https://kubernetes.default.svc.cluster.local/api/v1/secrets",
            frozenset({Guard.RBAC, Guard.AUTHENTICATION, Guard.NETWORK_POLICY}),
            control,
        )
    ]
