"""The real ``pulumi`` command, a real program and a real API server, with the stand-ins in between."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from testbed.pulumi.provider.api import MERGE, Api, ApiError

if TYPE_CHECKING:
    from conftest import Stack

Object = dict[str, Any]


def entry(name: str, version: str, kind: str, metadata: Object, **fields: object) -> Object:
    extra = {key: fields.pop(key) for key in ("after", "secret", "options") if key in fields}
    return {"name": name, "manifest": {"apiVersion": version, "kind": kind, "metadata": metadata, **fields}, **extra}


def namespace(name: str) -> Object:
    # Foreground deletion, the default, waits for the garbage collector to have seen the kind.
    return entry(name, "v1", "Namespace", {"name": name})


def definition(group: str) -> Object:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}},
    }
    names = {"plural": "things", "singular": "thing", "kind": "Thing", "listKind": "ThingList"}
    spec = {"group": group, "scope": "Namespaced", "names": names, "versions": [version]}
    return entry("crd", "apiextensions.k8s.io/v1", "CustomResourceDefinition", {"name": f"things.{group}"}, spec=spec)


def background(**annotations: str) -> Object:
    named = {f"pulumi.com/{key}": value for key, value in annotations.items()}
    return {"annotations": {"pulumi.com/deletionPropagationPolicy": "background", **named}}


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait, at most half a minute, until a condition holds."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.1)


def exists(api: Api, version: str, kind: str, namespace: str | None, name: str) -> bool:
    try:
        api.get(version, kind, namespace, name)
    except ApiError as error:
        assert error.status == 404
        return False
    return True


def test_a_program_is_previewed_made_left_alone_and_destroyed(stack: Stack, api: Api) -> None:
    thing = {"name": "one", "namespace": "whole", **background()}
    stack.objects(
        namespace("whole"),
        definition("whole.example.com"),
        entry("thing", "whole.example.com/v1", "Thing", thing, spec={"size": "1000m"}, after=["crd", "whole"]),
        entry("settings", "v1", "ConfigMap", {"namespace": "whole"}, data={"key": "value"}, after=["whole"]),
        entry(
            "token",
            "v1",
            "Secret",
            {"name": "token", "namespace": "whole"},
            stringData={"key": "plain-text"},
            secret="stringData",
            after=["whole"],
        ),
    )
    assert "+ 6 to create" in stack.run("preview")
    assert not exists(api, "v1", "Namespace", None, "whole")
    assert "+ 6 created" in stack.run("up", "--yes", "--skip-preview")
    settings = json.loads(stack.run("stack", "output", "--json"))["settings"]
    assert settings.startswith("settings-")
    assert api.get("v1", "ConfigMap", "whole", settings)["data"] == {"key": "value"}
    exported = stack.run("stack", "export")
    assert "plain-text" not in exported
    assert "cGxhaW4tdGV4dA==" not in exported  # nor in base64
    assert "6 unchanged" in stack.run("up", "--yes", "--skip-preview")
    assert "- 6 deleted" in stack.run("destroy", "--yes", "--skip-preview")
    assert not exists(api, "v1", "Namespace", None, "whole")
    assert not exists(api, "apiextensions.k8s.io/v1", "CustomResourceDefinition", None, "things.whole.example.com")


def test_drift_is_seen_by_a_refresh_and_undone_by_force_only(stack: Stack, api: Api) -> None:
    spec = {"replicas": 0, "selector": {"matchLabels": {"a": "b"}}}
    spec["template"] = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "one"}]}}
    metadata: Object = {"name": "drifting", "namespace": "default"}
    stack.objects(entry("web", "apps/v1", "Deployment", metadata, spec=spec))
    stack.run("up", "--yes", "--skip-preview")
    live = api.get("apps/v1", "Deployment", "default", "drifting")
    changed = [{"name": "c", "image": "two"}]
    api.patch(live, {"spec": {"template": {"spec": {"containers": changed}}}}, MERGE, fieldManager="somebody")
    refreshed = stack.run("refresh", "--yes", "--skip-preview", "--diff")
    assert '"one" => "two"' in refreshed
    assert 'conflict with "somebody"' in stack.run("up", "--yes", "--skip-preview", succeeds=False)
    stack.objects(entry("web", "apps/v1", "Deployment", {**metadata, **background(patchForce="true")}, spec=spec))
    stack.run("up", "--yes", "--skip-preview")
    live = api.get("apps/v1", "Deployment", "default", "drifting")
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == "one"


def test_ctrl_c_ends_a_wait_at_once_and_keeps_what_was_made(stack: Stack, api: Api) -> None:
    metadata = {"name": "waiting", "namespace": "default", **background(waitFor="jsonpath={.data.answer}=42")}
    stack.objects(entry("settings", "v1", "ConfigMap", metadata, data={"question": "?"}))
    update = stack.start("up", "--yes", "--skip-preview")
    until(lambda: exists(api, "v1", "ConfigMap", "default", "waiting"), "the object")
    interrupted = time.monotonic()
    update.send_signal(signal.SIGINT)
    output, _ = update.communicate(timeout=30)
    assert time.monotonic() - interrupted < 10
    assert update.returncode != 0
    assert "cancelled" in output
    assert "settings" in stack.run("stack", "--show-urns")


def test_a_wait_ends_when_somebody_else_makes_the_object_ready(stack: Stack, api: Api) -> None:
    metadata = {"name": "answered", "namespace": "default", **background(waitFor="jsonpath={.data.answer}=42")}
    stack.objects(entry("settings", "v1", "ConfigMap", metadata, data={"question": "?"}))
    update = stack.start("up", "--yes", "--skip-preview")
    until(lambda: exists(api, "v1", "ConfigMap", "default", "answered"), "the object")
    api.patch(api.get("v1", "ConfigMap", "default", "answered"), {"data": {"answer": "42"}}, MERGE)
    output, _ = update.communicate(timeout=30)
    assert update.returncode == 0, output


POLICY = """
from pulumi_policy import EnforcementLevel, PolicyPack, ResourceValidationPolicy

def named(args, report):
    if args.resource_type == "kubernetes:core/v1:ConfigMap" and args.props["metadata"]["name"] == "forbidden":
        report("that name is forbidden")

PolicyPack("names", enforcement_level=EnforcementLevel.MANDATORY,
           policies=[ResourceValidationPolicy("no-forbidden", "Nothing is called forbidden.", named)])
"""


def test_a_policy_pack_runs_and_a_mandatory_policy_refuses(stack: Stack, api: Api) -> None:
    pack = stack.directory.parent / "policies"
    pack.mkdir()
    (pack / "PulumiPolicy.yaml").write_text("runtime: python\n")
    (pack / "__main__.py").write_text(POLICY)
    stack.objects(entry("settings", "v1", "ConfigMap", {"name": "forbidden", "namespace": "default"}))
    refused = stack.run("preview", "--policy-pack", str(pack), succeeds=False)
    assert "that name is forbidden" in refused
    stack.objects(entry("settings", "v1", "ConfigMap", {"name": "allowed", "namespace": "default"}))
    stack.run("preview", "--policy-pack", str(pack))


def test_a_program_that_fails_says_why(stack: Stack) -> None:
    (stack.directory / "__main__.py").write_text("raise LookupError('no such receipt')\n")
    assert "no such receipt" in stack.run("preview", succeeds=False)


def test_an_object_that_exists_is_refused_by_the_update_not_by_the_preview(stack: Stack) -> None:
    stack.objects(entry("default", "v1", "Namespace", {"name": "default"}))
    stack.run("preview")
    assert "already exists" in stack.run("up", "--yes", "--skip-preview", succeeds=False)
