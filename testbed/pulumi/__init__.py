"""Stand-ins for two Pulumi plugins that no package registry carries: the Python language host, the Kubernetes provider.

They speak the engine's gRPC protocol with the SDK's own protobuf modules, so that the real ``pulumi`` command runs a
real program against a real API server on a machine whose only sources are package registries. ``launch.prepare`` puts
them on PATH only where no real plugin is found; nothing else in the project knows about them.

What the provider does follows the documentation and changelog (to 4.34) of the official one. It differs on purpose:

- a Service is ready 2 s after its endpoints last changed, not 10 s;
- a CustomResourceDefinition is waited for until it is served (the official one only retries the custom resources that
  come too early, for 31 s; this one does that as well);
- a request that met an admission webhook at whose address nothing listened yet is retried for 10 s, with a warning. The
  official one does not retry it; its longer settling of Services is what hides that moment there;
- not there: ``*Patch``, ``*List`` and ``helm.sh`` resources, ``yaml/v2``, ``renderYamlToDirectory``, merging of several
  kubeconfig files, ``PULUMI_K8S_AWAIT_ALL``.
"""
