"""Stand-in for pulumi-resource-kubernetes, in no registry: create, update and delete one object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from testbed.pulumi.provider import annotation, ignored, ownership
from testbed.pulumi.provider.api import JSON_PATCH, MERGE, Api, ApiError, is_absent
from testbed.pulumi.provider.await_rules import rule_for
from testbed.pulumi.provider.kinds import NoMatch
from testbed.pulumi.provider.settings import Settings
from testbed.pulumi.provider.state import split_identity
from testbed.pulumi.provider.waiting import Wait, until_gone, until_ready, with_retries

Object = dict[str, Any]

TEN_MINUTES = 600.0
DEFAULT_TIMEOUTS = {"PersistentVolume": 300.0, "PersistentVolumeClaim": 300.0}

EXISTS = (
    "The resource already exists in the cluster: import it, give it another name, "
    "or set upsertExistingObjects on the provider to take it over."
)


def default_timeout(manifest: Object) -> float:
    """How long an object of this kind may take to become ready, in seconds."""
    return DEFAULT_TIMEOUTS.get(manifest["kind"], TEN_MINUTES)


@dataclass(frozen=True)
class Operations:
    """What can be done with objects of one API server, under the provider's settings."""

    api: Api
    settings: Settings

    def preview_create(self, inputs: Object) -> Object | None:
        """What a create would make, by a dry run; None when that cannot be known yet.

        It cannot when the kind or the namespace is part of the same program, when the caller may not, or when the name
        is taken (as by the object that this one replaces): the update itself will tell.
        """
        if not self.settings.server_side_apply:
            return None
        try:
            return self._send_create(inputs, ownership.CREATOR, dry_run=True)
        except NoMatch:
            return None
        except ApiError as error:
            if error.status in (403, 404) or error.is_already_exists:
                return None
            raise

    def create(self, inputs: Object, manager: str, wait: Wait) -> Object:
        """Make the object; it may not be ready yet. Raises ApiError, NoMatch, or FileExistsError when it exists."""
        try:
            return with_retries(lambda: self._send_create(inputs, manager, dry_run=False), wait)
        except ApiError as error:
            if error.is_already_exists:
                raise FileExistsError(f"{error}\n{EXISTS}") from error
            raise

    def update(
        self, inputs: Object, old_inputs: Object, manager: str, ignored_paths: list[str], wait: Wait, *, preview: bool
    ) -> Object:
        """Bring the object to the inputs; it may not be ready yet."""
        meta = inputs["metadata"]
        live = self.api.get(inputs["apiVersion"], inputs["kind"], meta.get("namespace"), meta["name"])
        for path in ignored_paths:
            inputs = ignored.keep_live(inputs, live, ignored.parse(path))
        inputs = self._scoped(inputs)
        if not self.settings.server_side_apply:
            query = {"dryRun": "All"} if preview else {}
            change = merge_patch(old_inputs, inputs)
            return with_retries(
                lambda: self.api.patch(live, change, MERGE, fieldManager=ownership.CREATOR, **query), wait
            )
        force = self._forces(inputs) or (preview and ownership.created_by_post(live))
        if not preview and (patch := ownership.takeover(live, manager)):
            self.api.patch(live, patch, JSON_PATCH)
        return with_retries(lambda: self.api.apply(inputs, manager, force=force, dry_run=preview), wait)

    def await_ready(self, live: Object, inputs: Object, wait: Wait) -> Object:
        """Wait as the kind and the annotations want. Raises NotReady, with the object as it was last seen."""
        rule = rule_for(inputs)
        return live if rule is None else until_ready(live, rule, self.api, wait)

    def delete(self, manifest: Object, identity: str, uid: str | None, wait: Wait) -> None:
        """Delete the object and wait until it is gone; one that is gone already, or whose kind is, is deleted."""
        version, kind = manifest["apiVersion"], manifest["kind"]
        namespace, name = split_identity(identity)
        try:
            self.api.delete(version, kind, namespace, name, annotation.propagation_policy(manifest))
        except (ApiError, NoMatch) as error:
            if is_absent(error):
                return
            raise
        if annotation.awaits_deletion(manifest):
            until_gone(lambda: self.api.get(version, kind, namespace, name), uid, wait)

    def _send_create(self, inputs: Object, manager: str, *, dry_run: bool) -> Object:
        manifest = self._scoped(inputs)
        if self.settings.upsert_existing and self.settings.server_side_apply:
            return self.api.apply(manifest, manager, force=dry_run or self._forces(inputs), dry_run=dry_run)
        return self.api.create(manifest, ownership.CREATOR, dry_run=dry_run)

    def _forces(self, inputs: Object) -> bool:
        return self.settings.patch_force or annotation.is_true(inputs, annotation.PATCH_FORCE)

    def _scoped(self, inputs: Object) -> Object:
        """Without a namespace when the kind turns out to have none: a check may have had to guess."""
        if self.api.kinds.find(inputs["apiVersion"], inputs["kind"]).namespaced:
            return inputs
        return {**inputs, "metadata": {key: item for key, item in inputs["metadata"].items() if key != "namespace"}}


def merge_patch(old: Object, new: Object) -> Object:
    """The JSON merge patch (RFC 7386) for client-side apply: what is new, and null for what went away."""
    patch: Object = {key: None for key in old if key not in new}
    for key, item in new.items():
        before = old.get(key)
        patch[key] = merge_patch(before, item) if isinstance(before, dict) and isinstance(item, dict) else item
    return patch
