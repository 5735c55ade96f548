"""The table of docs/network.md, from the flows themselves: python -m components.network_page."""

from __future__ import annotations

from . import callers, egress
from .callers import Called
from .egress import Need
from .flows import Addresses, Flow, Surroundings, platform_flows

_API_SERVER = (Addresses("the API server", (), (6443,)), Addresses("its Service", (), (443,)))
_AROUND = Surroundings(_API_SERVER, (Addresses("the API server", ()),))
_MODELS = "models"


def flows() -> list[Flow]:
    """Every kind of flow, with one model of each mode that is called past the gateway and one named need."""
    named = [
        Called("chat", _MODELS, "Standard", "generate", ("apps/web",)),
        Called("batch", _MODELS, "Knative", "generate", ("apps/web",)),
    ]
    need = Need("NAME", "the named host", (), 443, "HTTPS", "As the stack says.", (_MODELS,))
    return [*platform_flows(_AROUND, [_MODELS]), *callers.flows(named), *egress.flows([need], _AROUND.dns)]


def table() -> str:
    """The flows as a table."""
    return "\n".join(["| flow | from | to | port | why |", "|---|---|---|---|---|", *map(_row, flows())]) + "\n"


def _row(flow: Flow) -> str:
    own = sorted({p for peer in flow.targets for p in (peer.ports or flow.ports)})
    ports = f"{'/'.join(flow.protocols)} {', '.join(map(str, own))}"
    cells = [f"`{flow.name}`", "; ".join(map(str, flow.sources)), "; ".join(map(str, flow.targets)), ports, flow.reason]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    print(table(), end="")
