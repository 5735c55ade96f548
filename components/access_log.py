"""What proxies write of a request: who, what, when, how long and how much. Never a body, a key or a query."""

from __future__ import annotations

import json
from typing import Any

from .gateway_errors import TENANT_HEADER

# https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage#command-operators
_FIELDS = {
    "start_time": "%START_TIME%",
    "method": "%REQ(:METHOD)%",
    # Without the query: clients put keys there, and worse.
    "path": "%PATH(NQ:ORIG_OR_PATH)%",
    "protocol": "%PROTOCOL%",
    "response_code": "%RESPONSE_CODE%",
    "response_flags": "%RESPONSE_FLAGS%",
    "response_code_details": "%RESPONSE_CODE_DETAILS%",
    "connection_termination_details": "%CONNECTION_TERMINATION_DETAILS%",
    "upstream_transport_failure_reason": "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
    "bytes_received": "%BYTES_RECEIVED%",
    "bytes_sent": "%BYTES_SENT%",
    "duration": "%DURATION%",
    "upstream_service_time": "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%",
    "authority": "%REQ(:AUTHORITY)%",
    "requested_server_name": "%REQUESTED_SERVER_NAME%",
    "request_id": "%REQ(X-REQUEST-ID)%",
    "tenant": f"%REQ({TENANT_HEADER})%",
    "key_id": "%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:payload:jti)%",
    "downstream_peer": "%DOWNSTREAM_PEER_URI_SAN%",
    "downstream_remote_address": "%DOWNSTREAM_REMOTE_ADDRESS%",
    "upstream_cluster": "%UPSTREAM_CLUSTER_RAW%",
    "upstream_host": "%UPSTREAM_HOST%",
}
ACCESS_LOG: dict[str, Any] = {
    "accessLogFile": "/dev/stdout",
    "accessLogEncoding": "JSON",
    "accessLogFormat": json.dumps(_FIELDS),
}
"""Of the mesh's configuration."""
