"""What a stack says of the network around the platform: the API server, DNS, and named needs of the outside."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from components.egress import Need, is_address
from components.flows import Addresses, Peer, Pods
from mirror.document import Strict

Label = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", max_length=63)]


def _block(text: str) -> str:
    """``text``, an address or a CIDR block, as a block; a ValueError for what is neither, or is everything."""
    block = ipaddress.ip_network(text, strict=False)
    if block.prefixlen == 0:
        raise ValueError(f"{text} is every address there is: name the ones that are meant")
    return str(block)


Block = Annotated[str, AfterValidator(_block)]


class PodsConfig(Strict):
    """Pods of a namespace, by one label."""

    namespace: Label
    label: str = Field(pattern=r"^[^=]+=[^=]+$")
    """``key=value``."""
    port: int | None = Field(default=None, ge=1, le=65535)
    """Where their port is not the usual one."""

    def peer(self) -> Pods:
        """As flows name it."""
        key, _, value = self.label.partition("=")
        return Pods(self.namespace, key, (value,), (self.port,) if self.port else ())


PeerConfig = PodsConfig | Block


class EgressConfig(Strict):
    """Something outside the cluster that some namespaces may reach."""

    name: Label
    host: str = Field(min_length=1)
    """Its DNS name or its address."""
    addresses: list[Block] = []
    """Where it answers, as addresses or CIDR blocks; may be left out when ``host`` is an address."""
    port: int = Field(ge=1, le=65535)
    protocol: Literal["HTTPS", "HTTP", "TCP"]
    reason: str = Field(min_length=10)
    namespaces: list[Label] = Field(min_length=1)

    @model_validator(mode="after")
    def _has_addresses(self) -> EgressConfig:
        if not self.addresses and not is_address(self.host):
            raise ValueError(f"egress {self.name}: a NetworkPolicy knows no names, so say the addresses of {self.host}")
        return self

    def need(self) -> Need:
        """As components take it."""
        addresses = tuple(self.addresses) or (_block(self.host),)
        return Need(self.name, self.host, addresses, self.port, self.protocol, self.reason, tuple(self.namespaces))


def peers(configured: Sequence[PeerConfig], name: str) -> list[Peer]:
    """``configured`` as flows name them; addresses together are called ``name``."""
    blocks = tuple(c for c in configured if isinstance(c, str))
    listed: list[Peer] = [c.peer() for c in configured if isinstance(c, PodsConfig)]
    return [*listed, Addresses(name, blocks)] if blocks else listed
