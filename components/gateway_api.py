"""The Gateway API's resource types."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from .manifests import Registered, register
from .site import Site


@dataclass(frozen=True)
class GatewayApiArgs:
    """Where the release YAML comes from."""

    site: Site
    after: Sequence[pulumi.Resource] = ()


class GatewayApi(pulumi.ComponentResource):
    """The CRDs, and the admission policy that refuses to downgrade them."""

    registered: Registered

    def __init__(self, name: str, args: GatewayApiArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sealift:index:GatewayApi", name, None, opts)
        self.registered = register(args.site, args.site.documents("gateway-api"), self, args.after)
        self.register_outputs({"objects": len(self.registered.objects)})
