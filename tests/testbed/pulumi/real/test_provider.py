"""The provider stand-in, called as the engine calls it, against a real API server."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import engine_pb2, provider_pb2, status_pb2

from testbed.pulumi.provider import properties
from testbed.pulumi.provider.api import MERGE, Api, ApiError
from testbed.pulumi.provider.properties import SECRET, SIGNATURE, UNKNOWN, decode, encode
from testbed.pulumi.provider.servicer import Provider

Object = dict[str, Any]
SOME = provider_pb2.DiffResponse.DIFF_SOME
NONE = provider_pb2.DiffResponse.DIFF_NONE


class Refused(Exception):
    """What a call was aborted with, and what it said of an object that exists all the same."""

    def __init__(self, text: str, detail: provider_pb2.ErrorResourceInitFailed | None) -> None:
        super().__init__(text)
        self.detail = detail


class Call:
    """The context of one gRPC call."""

    detail: provider_pb2.ErrorResourceInitFailed | None = None

    def set_trailing_metadata(self, metadata: tuple[tuple[str, bytes], ...]) -> None:
        status = status_pb2.Status.FromString(dict(metadata)["grpc-status-details-bin"])
        self.detail = provider_pb2.ErrorResourceInitFailed()
        assert status.details[0].Unpack(self.detail)

    def abort(self, code: grpc.StatusCode, text: str) -> None:
        assert code == grpc.StatusCode.UNKNOWN
        raise Refused(text, self.detail)


class Engine:
    """Keeps what the provider logs."""

    def __init__(self) -> None:
        self.log: list[engine_pb2.LogRequest] = []

    def Log(self, request: engine_pb2.LogRequest) -> None:
        self.log.append(request)


class Driver:
    """The engine's part of one resource's life: check, then create or diff and update, keeping its state."""

    def __init__(self, kubeconfig: Path, **settings: str) -> None:
        self.engine = Engine()
        self.provider = Provider(self.engine)
        args = encode({"kubeconfig": kubeconfig.read_text(), **settings})
        self.provider.Configure(provider_pb2.ConfigureRequest(args=args), Call())

    def resource(self, manifest: Object, secrets: tuple[properties.Path, ...] = ()) -> Resource:
        return Resource(self.provider, manifest, secrets)


class Resource:
    def __init__(self, provider: Provider, manifest: Object, secrets: tuple[properties.Path, ...]) -> None:
        version = manifest["apiVersion"] if "/" in manifest["apiVersion"] else f"core/{manifest['apiVersion']}"
        self.urn = f"urn:pulumi:test::project::kubernetes:{version}:{manifest['kind']}::resource"
        self.provider, self.given = provider, encode(manifest, secrets)
        self.inputs, self.state, self.id = encode({}), encode({}), ""

    def check(self, manifest: Object | None = None) -> provider_pb2.CheckResponse:
        news = self.given if manifest is None else encode(manifest)
        request = provider_pb2.CheckRequest(urn=self.urn, olds=self.inputs, news=news, randomSeed=b"0123456789abcdef")
        return self.provider.Check(request, Call())

    def preview(self) -> Object:
        request = provider_pb2.CreateRequest(urn=self.urn, properties=self.check().inputs, preview=True)
        return decode(self.provider.Create(request, Call()).properties).values

    def create(self, timeout: float = 0) -> Object:
        inputs = self.check().inputs
        request = provider_pb2.CreateRequest(urn=self.urn, properties=inputs, timeout=timeout)
        response = self.provider.Create(request, Call())
        self.inputs, self.state, self.id = inputs, response.properties, response.id
        return self.outputs()

    def diff(self, manifest: Object, ignore: tuple[str, ...] = ()) -> provider_pb2.DiffResponse:
        request = provider_pb2.DiffRequest(
            id=self.id,
            urn=self.urn,
            olds=self.state,
            old_inputs=self.inputs,
            news=self.check(manifest).inputs,
            ignoreChanges=ignore,
        )
        return self.provider.Diff(request, Call())

    def update(self, manifest: Object, ignore: tuple[str, ...] = (), *, preview: bool = False) -> Object:
        news = self.check(manifest).inputs
        request = provider_pb2.UpdateRequest(
            id=self.id,
            urn=self.urn,
            olds=self.state,
            old_inputs=self.inputs,
            news=news,
            ignoreChanges=ignore,
            preview=preview,
        )
        response = self.provider.Update(request, Call())
        if preview:
            return decode(response.properties).values
        self.inputs, self.state = news, response.properties
        return self.outputs()

    def refresh(self) -> bool:
        """Whether the object is still there."""
        request = provider_pb2.ReadRequest(id=self.id, urn=self.urn, properties=self.state, inputs=self.inputs)
        response = self.provider.Read(request, Call())
        if response.id:
            self.inputs, self.state = response.inputs, response.properties
        return bool(response.id)

    def delete(self, timeout: float = 0) -> None:
        request = provider_pb2.DeleteRequest(
            id=self.id, urn=self.urn, properties=self.state, old_inputs=self.inputs, timeout=timeout
        )
        self.provider.Delete(request, Call())

    def outputs(self) -> Object:
        return decode(self.state).values


@pytest.fixture
def driver(kubeconfig: Path) -> Driver:
    return Driver(kubeconfig)


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    return request.node.name.replace("_", "-").replace("[", "-").replace("]", "").lower()[:60].strip("-")


def configmap(name: str | None, data: dict[str, str], **annotations: str) -> Object:
    named = {f"pulumi.com/{key}": value for key, value in annotations.items()}
    metadata: Object = {"annotations": {"pulumi.com/deletionPropagationPolicy": "background", **named}}
    if name:
        metadata["name"] = name
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def deployment(name: str, **annotations: str) -> Object:
    labels = {"app": name}
    containers = [{"name": "c", "image": "example.com/a:1", "resources": {"requests": {"cpu": "1000m"}}}]
    template = {"metadata": {"labels": labels}, "spec": {"containers": containers, "hostNetwork": False}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": configmap(name, {}, **annotations)["metadata"],
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template},
    }


def test_a_preview_knows_defaults_and_hides_what_a_dry_run_invents(driver: Driver, name: str) -> None:
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"ports": [{"port": 80}]}}
    outputs = driver.resource(service).preview()
    assert outputs["spec"]["type"] == "ClusterIP"
    assert outputs["spec"]["clusterIP"] == UNKNOWN
    assert outputs["metadata"]["uid"] == UNKNOWN
    assert outputs["metadata"]["namespace"] == "default"


def test_a_preview_in_a_namespace_of_the_same_program_expects_the_inputs(driver: Driver, name: str) -> None:
    manifest = configmap(name, {"a": "b"})
    manifest["metadata"]["namespace"] = "not-made-yet"
    assert driver.resource(manifest).preview()["data"] == {"a": "b"}


def test_a_custom_resource_of_a_definition_in_the_same_program_is_known_at_preview(driver: Driver) -> None:
    names = {"plural": "gadgets", "kind": "Gadget"}
    version = {"name": "v1", "served": True, "storage": True}
    spec = {"group": "preview.example.com", "scope": "Cluster", "names": names, "versions": [version]}
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "gadgets.preview.example.com"},
        "spec": spec,
    }
    driver.resource(crd).check()
    gadget = {"apiVersion": "preview.example.com/v1", "kind": "Gadget", "metadata": {"name": "one"}}
    outputs = driver.resource(gadget).preview()
    assert outputs["metadata"]["uid"] == UNKNOWN
    assert "namespace" not in outputs["metadata"]  # because it is known to be of the cluster


def test_what_exists_is_refused_by_a_create_and_not_by_a_preview(driver: Driver, name: str) -> None:
    driver.resource(configmap(name, {"a": "1"})).create()
    second = driver.resource(configmap(name, {"a": "2"}))
    assert second.preview()["data"] == {"a": "2"}
    with pytest.raises(Refused, match="already exists"):
        second.create()


def test_what_exists_is_taken_over_when_the_provider_is_told_to(kubeconfig: Path, driver: Driver, name: str) -> None:
    driver.resource(configmap(name, {"a": "1"})).create()
    taking = Driver(kubeconfig, upsertExistingObjects="true")
    assert taking.resource(configmap(name, {"b": "2"})).create()["data"] == {"a": "1", "b": "2"}


def test_an_automatic_name_is_kept_until_a_replacement(driver: Driver, api: Api) -> None:
    resource = driver.resource(configmap(None, {"a": "1"}))
    name = resource.create()["metadata"]["name"]
    assert name == "resource-30313233"
    assert decode(resource.check().inputs).values["metadata"]["name"] == name
    difference = resource.diff(configmap(None, {"a": "2"}))
    assert list(difference.replaces) == ["data.a"]
    assert not difference.deleteBeforeReplace  # the new one gets a name of its own
    api.delete("v1", "ConfigMap", "default", name, "Background")


def test_a_named_configmap_is_deleted_before_it_is_replaced(driver: Driver, name: str) -> None:
    resource = driver.resource(configmap(name, {"a": "1"}))
    resource.create()
    assert resource.diff(configmap(name, {"a": "2"})).deleteBeforeReplace


def test_a_key_that_the_program_drops_leaves_the_object(kubeconfig: Path, api: Api, name: str) -> None:
    resource = Driver(kubeconfig, enableConfigMapMutable="true").resource(configmap(name, {"a": "1", "b": "1"}))
    resource.create()
    difference = resource.diff(configmap(name, {"a": "1"}))
    assert (difference.changes, list(difference.replaces)) == (SOME, [])
    resource.update(configmap(name, {"a": "1"}))
    live = api.get("v1", "ConfigMap", "default", name)
    assert live["data"] == {"a": "1"}
    managers = [(entry["manager"], entry["operation"]) for entry in live["metadata"]["managedFields"]]
    assert len(managers) == 1
    assert managers[0][0].startswith("pulumi-kubernetes-")
    assert managers[0][1] == "Apply"


def test_client_side_apply_drops_keys_too_and_previews_nothing(kubeconfig: Path, api: Api, name: str) -> None:
    driver = Driver(kubeconfig, enableServerSideApply="false", enableConfigMapMutable="true")
    resource = driver.resource(configmap(name, {"a": "1", "b": "1"}))
    assert resource.preview()["data"] == {"a": "1", "b": "1"}
    resource.create()
    resource.update(configmap(name, {"a": "2"}))
    live = api.get("v1", "ConfigMap", "default", name)
    assert live["data"] == {"a": "2"}
    assert {entry["manager"] for entry in live["metadata"]["managedFields"]} == {"pulumi-kubernetes"}


def test_a_deployment_is_waited_for_and_then_unchanged(driver: Driver, name: str) -> None:
    manifest = deployment(name, timeoutSeconds="20")
    manifest["spec"]["replicas"] = 0  # there is no node here; its controller still has to see it
    resource = driver.resource(manifest)
    assert resource.create()["status"]["observedGeneration"] == 1
    assert resource.diff(manifest).changes == NONE  # though the server wrote 1000m as 1 and dropped hostNetwork
    assert resource.refresh()
    assert resource.diff(manifest).changes == NONE


def test_an_unready_deployment_fails_within_its_time_and_is_kept(driver: Driver, name: str) -> None:
    resource = driver.resource(deployment(name, timeoutSeconds="1"))
    with pytest.raises(Refused, match="timed out after 1 s: 0/1 replicas available") as refused:
        resource.create()
    detail = refused.value.detail
    assert detail is not None
    assert detail.id == f"default/{name}"
    assert decode(detail.properties).values["metadata"]["uid"]


def test_an_unready_deployment_is_reported_by_a_refresh(driver: Driver, name: str) -> None:
    resource = driver.resource(deployment(name, skipAwait="true"))
    resource.create()
    assert resource.refresh()  # skipAwait: not judged
    judged = deployment(name)
    resource.inputs = resource.check(judged).inputs
    with pytest.raises(Refused, match="is not ready"):
        resource.refresh()


def test_the_resource_option_limits_the_wait(driver: Driver, name: str) -> None:
    with pytest.raises(Refused, match=r"timed out after 0\.5 s"):
        driver.resource(deployment(name, timeoutSeconds="60")).create(timeout=0.5)


def test_a_cancelled_wait_ends_at_once_and_keeps_the_object(driver: Driver, api: Api, name: str) -> None:
    timer = threading.Timer(0.5, lambda: driver.provider.Cancel(empty_pb2.Empty(), Call()))
    timer.start()
    started = time.monotonic()
    with pytest.raises(Refused, match="cancelled") as refused:
        driver.resource(deployment(name)).create()
    timer.join()
    assert time.monotonic() - started < 20
    assert refused.value.detail is not None
    assert api.get("apps/v1", "Deployment", "default", name)


def test_drift_shows_after_a_refresh_and_conflicts_until_forced(driver: Driver, api: Api, name: str) -> None:
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "labels": {"a": "program"}}}
    resource = driver.resource(account)
    resource.create()
    live = api.get("v1", "ServiceAccount", "default", name)
    api.patch(live, {"metadata": {"labels": {"a": "drifted", "b": "other"}}}, MERGE, fieldManager="somebody")
    resource.refresh()
    difference = resource.diff(account)
    assert list(difference.detailedDiff) == ["metadata.labels.a"]
    with pytest.raises(Refused, match='conflict with "somebody"'):
        resource.update(account)
    account["metadata"]["annotations"] = {"pulumi.com/patchForce": "true"}
    labels = resource.update(account)["metadata"]["labels"]
    assert labels == {"a": "program", "b": "other"}  # and what it never managed stays


def test_an_ignored_field_keeps_its_live_value(driver: Driver, api: Api, name: str) -> None:
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "labels": {"a": "1", "b": "1"}}}
    resource = driver.resource(account)
    resource.create()
    live = api.get("v1", "ServiceAccount", "default", name)
    api.patch(live, {"metadata": {"labels": {"a": "drifted"}}}, MERGE, fieldManager="somebody")
    resource.refresh()
    account["metadata"]["labels"]["b"] = "2"
    ignore = ("metadata.labels.a",)
    assert list(resource.diff(account, ignore).detailedDiff) == ["metadata.labels.b"]
    assert resource.update(account, ignore)["metadata"]["labels"] == {"a": "drifted", "b": "2"}


def test_a_secrets_data_is_secret_wherever_it_goes(driver: Driver, api: Api, name: str) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {"key": "plain"}}
    resource = driver.resource(secret)
    resource.create()
    assert api.get("v1", "Secret", "default", name)["data"] == {"key": "cGxhaW4="}
    for bag in (resource.inputs, resource.state):
        assert bag.fields["data"].struct_value.fields[SIGNATURE].string_value == SECRET
        assert "stringData" not in bag.fields
    assert resource.diff(secret).changes == NONE


def test_a_secret_input_is_a_secret_output(driver: Driver, name: str) -> None:
    resource = driver.resource(configmap(name, {"a": "hidden", "b": "open"}), secrets=(("data", "a"),))
    resource.create()
    data = resource.state.fields["data"].struct_value.fields
    assert data["a"].struct_value.fields[SIGNATURE].string_value == SECRET
    assert data["b"].string_value == "open"


def test_an_object_is_imported_with_its_inputs(driver: Driver, api: Api, name: str) -> None:
    driver.resource(configmap(name, {"a": "1"})).create()
    adopted = driver.resource(configmap(name, {"a": "1"}))
    adopted.id = f"default/{name}"
    assert adopted.refresh()
    inputs = decode(adopted.inputs).values
    assert inputs["data"] == {"a": "1"}
    assert "uid" not in inputs["metadata"]
    assert adopted.diff(configmap(name, {"a": "1"})).changes == NONE


def test_what_is_gone_is_read_as_gone_and_deleted_as_deleted(driver: Driver, api: Api, name: str) -> None:
    resource = driver.resource(configmap(name, {"a": "1"}))
    resource.create()
    resource.delete()
    with pytest.raises(ApiError):
        api.get("v1", "ConfigMap", "default", name)
    assert not resource.refresh()
    resource.delete()


def test_a_deletion_waits_for_finalizers_and_names_them_when_it_gives_up(driver: Driver, api: Api, name: str) -> None:
    manifest = configmap(name, {"a": "1"})
    manifest["metadata"]["finalizers"] = ["example.com/held"]
    resource = driver.resource(manifest)
    resource.create()
    with pytest.raises(Refused, match=r"example\.com/held"):
        resource.delete(timeout=0.5)
    release = threading.Timer(
        0.3,
        lambda: api.patch(api.get("v1", "ConfigMap", "default", name), {"metadata": {"finalizers": None}}, MERGE),
    )
    release.start()
    resource.delete(timeout=10)
    release.join()
    assert not resource.refresh()


@pytest.mark.parametrize(("policy", "survives"), [("orphan", True), ("background", False)])
def test_the_deletion_policy_decides_about_dependents(
    driver: Driver, api: Api, name: str, policy: str, survives: bool
) -> None:
    manifest = deployment(name, skipAwait="true", deletionPropagationPolicy=policy)
    resource = driver.resource(manifest)
    resource.create()

    def replica_sets() -> list[Object]:
        return api.items("apps/v1", "ReplicaSet", "default", labelSelector=f"app={name}")

    end = time.monotonic() + 20
    while not replica_sets():
        assert time.monotonic() < end
        time.sleep(0.1)
    resource.delete()
    end = time.monotonic() + (2 if survives else 20)
    while replica_sets() and time.monotonic() < end:
        time.sleep(0.1)
    assert bool(replica_sets()) == survives


def test_a_create_is_retried_until_its_namespace_is_there(driver: Driver, api: Api, name: str) -> None:
    manifest = configmap("late", {"a": "1"})
    manifest["metadata"]["namespace"] = name
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    later = threading.Timer(0.3, lambda: api.create(body, "test", dry_run=False))
    later.start()
    assert driver.resource(manifest).create()["data"] == {"a": "1"}
    later.join()
    assert [log.severity for log in driver.engine.log] == [engine_pb2.WARNING]


@pytest.fixture
def silent_webhook(api: Api) -> Iterator[str]:
    """A webhook for objects labelled ``webhook: silent`` at an address where nothing listens."""
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}
    webhook = {
        "name": "silent.example.com",
        "clientConfig": {"url": "https://127.0.0.1:9/"},
        "rules": [rule],
        "objectSelector": {"matchLabels": {"webhook": "silent"}},
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "failurePolicy": "Fail",
    }
    version = "admissionregistration.k8s.io/v1"
    configuration = {
        "apiVersion": version,
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "silent"},
        "webhooks": [webhook],
    }
    api.create(configuration, "test", dry_run=False)
    yield "silent"
    try:
        api.delete(version, "ValidatingWebhookConfiguration", None, "silent", "Background")
    except ApiError as error:
        assert error.status == 404


def test_a_webhook_that_does_not_listen_yet_is_asked_again_with_a_warning(
    driver: Driver, api: Api, name: str, silent_webhook: str
) -> None:
    manifest = configmap(name, {"a": "1"})
    manifest["metadata"]["labels"] = {"webhook": silent_webhook}
    version, kind = "admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"
    end = time.monotonic() + 10
    while time.monotonic() < end:  # the API server learns of a webhook a moment after it is made
        try:
            api.create({**manifest, "metadata": {**manifest["metadata"], "name": f"{name}-probe"}}, "t", dry_run=True)
        except ApiError as error:
            assert error.is_silent_webhook
            break
        time.sleep(0.1)
    later = threading.Timer(0.7, lambda: api.delete(version, kind, None, silent_webhook, "Background"))
    later.start()
    assert driver.resource(manifest).create()["data"] == {"a": "1"}
    later.join()
    warnings = [log.message for log in driver.engine.log if log.severity == engine_pb2.WARNING]
    assert warnings
    assert all("failed calling webhook" in text for text in warnings)


def test_an_unready_job_is_replaced_when_annotated(driver: Driver, name: str) -> None:
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "example.com/a:1"}]}}
    annotations = {"pulumi.com/skipAwait": "true", "pulumi.com/replaceUnready": "true"}
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "annotations": annotations},
        "spec": {"template": template},
    }
    resource = driver.resource(job)
    resource.create()
    difference = resource.diff(job)
    assert list(difference.replaces) == ['metadata.annotations["pulumi.com/replaceUnready"]']


def test_another_cluster_replaces_and_the_same_by_another_kubeconfig_does_not(driver: Driver, kubeconfig: Path) -> None:
    here = kubeconfig.read_text()
    elsewhere = here.replace("https://127.0.0.1", "https://127.0.0.2")

    def replaced(old: Object, new: Object) -> list[str]:
        request = provider_pb2.DiffRequest(old_inputs=encode(old), news=encode(new))
        return list(driver.provider.DiffConfig(request, Call()).replaces)

    assert replaced({"kubeconfig": here}, {"kubeconfig": elsewhere}) == ["kubeconfig"]
    assert replaced({"kubeconfig": here}, {"kubeconfig": str(kubeconfig)}) == []
    assert (
        replaced({"kubeconfig": here, "clusterIdentifier": "a"}, {"kubeconfig": elsewhere, "clusterIdentifier": "a"})
        == []
    )
    assert replaced({"clusterIdentifier": "a"}, {"clusterIdentifier": "b"}) == ["clusterIdentifier"]
