"""The Pulumi program of these tests: registers the objects of objects.json in the order in which they stand there.

An entry: ``name``, ``manifest``, and optionally ``after`` (names), ``secret`` (a top-level field to hide), ``options``.
"""

import importlib.metadata
import json
from pathlib import Path
from typing import Any

import pulumi


class KubernetesObject(pulumi.CustomResource):
    def __init__(self, name: str, manifest: dict[str, Any], opts: pulumi.ResourceOptions) -> None:
        version = manifest["apiVersion"] if "/" in manifest["apiVersion"] else f"core/{manifest['apiVersion']}"
        super().__init__(f"kubernetes:{version}:{manifest['kind']}", name, {"metadata": None, **manifest}, opts)


VERSION = importlib.metadata.version("pulumi-kubernetes")
made = {}
for entry in json.loads(Path("objects.json").read_text()):
    manifest = dict(entry["manifest"])
    if "secret" in entry:
        manifest[entry["secret"]] = pulumi.Output.secret(manifest[entry["secret"]])
    options = pulumi.ResourceOptions(
        version=VERSION, depends_on=[made[name] for name in entry.get("after", [])], **entry.get("options", {})
    )
    made[entry["name"]] = KubernetesObject(entry["name"], manifest, options)
for name, resource in made.items():
    pulumi.export(name, resource.metadata["name"])
