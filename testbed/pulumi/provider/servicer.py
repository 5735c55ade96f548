"""Stand-in for pulumi-resource-kubernetes, in no registry: the gRPC service that the engine calls."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

import grpc
import yaml
from google.protobuf import empty_pb2
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, plugin_pb2, provider_pb2, provider_pb2_grpc

from testbed.pulumi.provider import checking, kubeconfig, planning, settings, state
from testbed.pulumi.provider.annotation import timeout_seconds
from testbed.pulumi.provider.api import Api, ApiError, is_absent
from testbed.pulumi.provider.await_rules import refresh_rule_for
from testbed.pulumi.provider.difference import prune
from testbed.pulumi.provider.explanation import explain
from testbed.pulumi.provider.failures import InitFailed, answered
from testbed.pulumi.provider.kinds import NoMatch
from testbed.pulumi.provider.operations import TEN_MINUTES, Object, Operations, default_timeout
from testbed.pulumi.provider.ownership import manager_for
from testbed.pulumi.provider.properties import Bag, decode, encode, has_unknown
from testbed.pulumi.provider.waiting import NotReady, Wait, look_once

VERSION = "4.34.2"  # of the SDK whose provider this stands for
Context = grpc.ServicerContext


class Provider(provider_pb2_grpc.ResourceProviderServicer):
    """One configured provider: one API server."""

    def __init__(self, engine: engine_pb2_grpc.EngineStub) -> None:
        self._engine = engine
        self._cancelled = threading.Event()
        self._operations: Operations | None = None
        self._settings = settings.Settings.read({})

    def end(self) -> None:
        """End every wait: the operations that wait fail and keep what they have made."""
        self._cancelled.set()

    # The plugin itself.

    def Handshake(
        self, request: provider_pb2.ProviderHandshakeRequest, context: Context
    ) -> provider_pb2.ProviderHandshakeResponse:
        """Agree to the protocol: secrets come as secrets, and the engine may propose names."""
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True, supports_autonaming_configuration=True)

    def GetPluginInfo(self, request: empty_pb2.Empty, context: Context) -> plugin_pb2.PluginInfo:
        """Report the version that this stands for."""
        return plugin_pb2.PluginInfo(version=VERSION)

    def GetSchema(self, request: provider_pb2.GetSchemaRequest, context: Context) -> provider_pb2.GetSchemaResponse:
        """Report a schema without types: the SDK brings its own."""
        return provider_pb2.GetSchemaResponse(schema=json.dumps({"name": "kubernetes", "version": VERSION}))

    def Cancel(self, request: empty_pb2.Empty, context: Context) -> empty_pb2.Empty:
        """End every wait: the user pressed Ctrl-C."""
        self.end()
        return empty_pb2.Empty()

    # Its configuration.

    def CheckConfig(self, request: provider_pb2.CheckRequest, context: Context) -> provider_pb2.CheckResponse:
        """Accept the configuration as it is."""
        return provider_pb2.CheckResponse(inputs=request.news)

    @answered
    def DiffConfig(self, request: provider_pb2.DiffRequest, context: Context) -> provider_pb2.DiffResponse:
        """Say whether a changed configuration means another cluster."""
        old, new = decode(request.old_inputs).values, decode(request.news).values
        changed = settings.changed(old, new)
        return provider_pb2.DiffResponse(
            changes=provider_pb2.DiffResponse.DIFF_SOME if changed else provider_pb2.DiffResponse.DIFF_NONE,
            diffs=changed,
            replaces=settings.replacing(old, new) if changed else [],
        )

    @answered
    def Configure(self, request: provider_pb2.ConfigureRequest, context: Context) -> provider_pb2.ConfigureResponse:
        """Take the settings, and the cluster when it is known already."""
        given = decode(request.args).values
        self._settings = settings.Settings.read(given)
        if settings.is_reachable(given):
            api = Api(kubeconfig.access(given.get("kubeconfig") or "", given.get("context"), given.get("cluster")))
            api.namespace = given.get("namespace") or api.namespace
            self._operations = Operations(api, self._settings)
        return provider_pb2.ConfigureResponse(
            acceptSecrets=True, supportsPreview=True, supports_autonaming_configuration=True
        )

    # Resources.

    @answered
    def Check(self, request: provider_pb2.CheckRequest, context: Context) -> provider_pb2.CheckResponse:
        """Name the object, give it its namespace, and bring it to the form in which the API server returns it."""
        api = self._operations.api if self._operations else None
        return checking.check(request, api)

    @answered
    def Diff(self, request: provider_pb2.DiffRequest, context: Context) -> provider_pb2.DiffResponse:
        """Say what changes, and whether the object must be replaced."""
        api = self._operations.api if self._operations else None
        return planning.diff(request, self._settings, api)

    @answered
    def Create(self, request: provider_pb2.CreateRequest, context: Context) -> provider_pb2.CreateResponse:
        """Make the object and wait until it is ready; in a preview, try it by a dry run."""
        inputs = decode(request.properties)
        if request.preview:
            return self._preview_create(inputs)
        operations = self._configured()
        manager = manager_for(inputs.values, {})
        wait = self._wait(request.urn, timeout_seconds(inputs.values, request.timeout, default_timeout(inputs.values)))
        live = operations.create(inputs.values, manager, wait)
        live = self._ready(live, inputs, manager, wait)
        properties = state.outputs(live, inputs.values, manager, inputs.secrets)
        return provider_pb2.CreateResponse(id=state.identity(live), properties=properties)

    @answered
    def Update(self, request: provider_pb2.UpdateRequest, context: Context) -> provider_pb2.UpdateResponse:
        """Apply the new inputs and wait until the object is ready; in a preview, try it by a dry run."""
        inputs, old = decode(request.news), decode(request.olds).values
        if request.preview and (self._operations is None or has_unknown(inputs.values)):
            return provider_pb2.UpdateResponse(properties=request.news)
        operations, manager = self._configured(), manager_for(inputs.values, old)
        wait = self._wait(request.urn, timeout_seconds(inputs.values, request.timeout, default_timeout(inputs.values)))
        old_inputs, paths = decode(request.old_inputs).values, list(request.ignoreChanges)
        live = operations.update(inputs.values, old_inputs, manager, paths, wait, preview=request.preview)
        if not request.preview:
            live = self._ready(live, inputs, manager, wait)
        properties = state.outputs(live, inputs.values, manager, inputs.secrets, preview=request.preview)
        return provider_pb2.UpdateResponse(properties=properties)

    @answered
    def Read(self, request: provider_pb2.ReadRequest, context: Context) -> provider_pb2.ReadResponse:
        """Read the live object, for a refresh (its inputs show drift), an import or a ``.get()``."""
        operations, old, inputs = self._configured(), decode(request.properties).values, decode(request.inputs)
        version, kind = checking.version_and_kind(request.urn)
        namespace, name = state.split_identity(request.id)
        try:
            live = operations.api.get(inputs.values.get("apiVersion", version), kind, namespace, name)
        except (ApiError, NoMatch) as error:
            if is_absent(error):
                return provider_pb2.ReadResponse()
            raise
        is_refresh = "metadata" in inputs.values
        seen = Bag(prune(live, inputs.values) if is_refresh else state.imported_inputs(live), inputs.secrets)
        manager = manager_for(inputs.values, old)
        if is_refresh and (rule := refresh_rule_for(inputs.values)):
            self._kept(seen, manager, lambda: look_once(live, rule, operations.api))
        properties = state.outputs(live, seen.values, manager, seen.secrets)
        encoded = encode(seen.values, state.secret_paths(live, seen.secrets))
        return provider_pb2.ReadResponse(id=state.identity(live), properties=properties, inputs=encoded)

    @answered
    def Delete(self, request: provider_pb2.DeleteRequest, context: Context) -> empty_pb2.Empty:
        """Delete the object and wait until it is gone."""
        live = decode(request.properties).values
        manifest = decode(request.old_inputs).values or live
        wait = self._wait(request.urn, timeout_seconds(manifest, request.timeout, TEN_MINUTES))
        self._configured().delete(manifest, request.id, (live.get("metadata") or {}).get("uid"), wait)
        return empty_pb2.Empty()

    @answered
    def Invoke(self, request: provider_pb2.InvokeRequest, context: Context) -> provider_pb2.InvokeResponse:
        """Answer the one function that the SDK's own YAML resources call."""
        if request.tok != "kubernetes:yaml:decode":
            raise NotImplementedError(f"function {request.tok} is not supported by this stand-in")
        documents = [found for found in yaml.safe_load_all(decode(request.args).values["text"]) if found]
        response = provider_pb2.InvokeResponse()
        getattr(response, "return").CopyFrom(encode({"result": documents}))  # a field that Python cannot spell
        return response

    def _configured(self) -> Operations:
        if self._operations is None:
            raise ValueError("the provider's kubeconfig is not known")
        return self._operations

    def _preview_create(self, inputs: Bag) -> provider_pb2.CreateResponse:
        live = None
        if self._operations is not None and not has_unknown(inputs.values):
            live = self._operations.preview_create(inputs.values)
        if live is None:
            return provider_pb2.CreateResponse(properties=state.expected(inputs.values, inputs.secrets))
        manager = manager_for(inputs.values, {})
        return provider_pb2.CreateResponse(
            properties=state.outputs(live, inputs.values, manager, inputs.secrets, preview=True)
        )

    def _ready(self, live: Object, inputs: Bag, manager: str, wait: Wait) -> Object:
        operations = self._configured()
        return self._kept(inputs, manager, lambda: operations.await_ready(live, inputs.values, wait))

    def _kept(self, inputs: Bag, manager: str, look: Callable[[], Object]) -> Object:
        """The object when it is ready; else an error that makes the engine keep it in its state all the same."""
        try:
            return look()
        except NotReady as error:
            live = error.live
            raise InitFailed(
                identity=state.identity(live),
                properties=state.outputs(live, inputs.values, manager, inputs.secrets),
                inputs=encode(inputs.values, state.secret_paths(inputs.values, inputs.secrets)),
                reasons=[
                    f"{live['kind']} {state.identity(live)} is not ready: {error}",
                    *explain(live, self._configured().api),
                ],
            ) from error

    def _wait(self, urn: str, seconds: float) -> Wait:
        def say(text: str, severity: engine_pb2.LogSeverity.ValueType, *, ephemeral: bool) -> None:
            self._engine.Log(engine_pb2.LogRequest(severity=severity, message=text, urn=urn, ephemeral=ephemeral))

        return Wait(
            seconds,
            self._cancelled,
            report=lambda text: say(text, engine_pb2.INFO, ephemeral=True),
            warn=lambda text: say(text, engine_pb2.WARNING, ephemeral=False),
        )
