"""The client's side of the ingress gateway: TLS by the stack's authority, names resolved without DNS."""

from __future__ import annotations

import ssl

import httpx2
import openai

from . import keys
from .environment import Environment, ServedModel

COLD_SECONDS = 900
"""A model at zero replicas may take so long to give its first answer, on a machine that starts others as well."""
# An authority that signed nothing: made once, its key thrown away. Who trusts only it must refuse the gateway.
OTHER_AUTHORITY = """\
-----BEGIN CERTIFICATE-----
MIIBrjCCAVOgAwIBAgIUEtpMWXAu1IwvL8YvYn3NDUwA3wQwCgYIKoZIzj0EAwIw
KzEpMCcGA1UEAwwgYW4gYXV0aG9yaXR5IHRoYXQgc2lnbmVkIG5vdGhpbmcwIBcN
MjYxMTIzMDAyMzM1WhgPMjEyNjEwMzAwMDIzMzVaMCsxKTAnBgNVBAMMIGFuIGF1
dGhvcml0eSB0aGF0IHNpZ25lZCBub3RoaW5nMFkwEwYHKoZIzj0CAQYIKoZIzj0D
AQcDQgAEl1TXqQvbztk5MsnmCM/Blzp3Piec458LCiSspS7AJUa1+JEur0cR49hG
gjhKAmatbRSeqbpuf9o996di6NED1qNTMFEwHQYDVR0OBBYEFJYSldlf7CR4OBZH
F+PG9CklCHisMB8GA1UdIwQYMBaAFJYSldlf7CR4OBZHF+PG9CklCHisMA8GA1Ud
EwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSQAwRgIhAO1JZFs4gXBmkzQ+FVnjj5bN
sWADj0nd3h4BOBGRbCHaAiEAoE4V2HBmpNQfQJaz+mUXH+JD6451w5q+oXu7MX/t
iVo=
-----END CERTIFICATE-----
"""


class GatewayTransport(httpx2.HTTPTransport):
    """Sends every request to one address, whatever name its URL has.

    The name stays in the Host header, in TLS's server name and in the verification of the certificate. One transport
    serves one name: connections are pooled by address.
    """

    def __init__(self, address: str, port: int, context: ssl.SSLContext) -> None:
        super().__init__(verify=context, trust_env=False)
        self._address = address
        self._port = port

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """The response of the gateway to ``request``."""
        return super().handle_request(
            httpx2.Request(
                request.method,
                request.url.copy_with(host=self._address, port=self._port),
                headers=request.headers,
                stream=request.stream,
                extensions={**request.extensions, "sni_hostname": request.url.host},
            )
        )


def trust(authority: str) -> ssl.SSLContext:
    """A TLS client context that trusts ``authority`` (PEM) alone."""
    return ssl.create_default_context(cadata=authority)


def http_client(
    environment: Environment,
    *,
    key: str | None = None,
    authority: str | None = None,
    context: ssl.SSLContext | None = None,
    seconds: float = COLD_SECONDS,
) -> httpx2.Client:
    """A client of the gateway for one model, with ``key`` if there is one.

    ``authority`` replaces the stack's, ``context`` all of the client's TLS; ``seconds`` bounds each read.
    """
    trusting = context or trust(authority or environment.outputs.ca_certificate)
    return httpx2.Client(
        transport=GatewayTransport(environment.address, environment.port, trusting),
        headers={"authorization": f"Bearer {key}"} if key else {},
        timeout=httpx2.Timeout(seconds, connect=10),
        trust_env=False,
    )


def openai_client(
    environment: Environment, model: ServedModel, *, tenant: str | None = None, seconds: float = COLD_SECONDS
) -> openai.OpenAI:
    """The OpenAI client of ``tenant`` for ``model``; never retries, so that what it reports happened once.

    By default it is a tenant that may call the model.
    """
    return openai.OpenAI(
        base_url=model.url,
        api_key=keys.for_model(environment, model, tenant) or "not-asked-for",
        http_client=http_client(environment, seconds=seconds),
        timeout=httpx2.Timeout(seconds, connect=10),
        max_retries=0,
    )
