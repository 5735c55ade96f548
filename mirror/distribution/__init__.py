"""An OCI distribution client: pulls and pushes manifests and blobs, each byte once, continuing what was broken off.

https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md
"""
