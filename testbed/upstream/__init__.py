"""What stands outside the gap in a rehearsal: a registry and a web server that answer under the real upstream names."""

from .upstream import RunningUpstream, Upstream, source_map

__all__ = ["RunningUpstream", "Upstream", "source_map"]
