"""Stand-in for pulumi-language-python, which no package registry carries: the LanguageRuntime service.

Programs and policy packs run in processes of their own, as with the official host, with the Python that runs this one
(the official host would take the ``virtualenv`` or ``toolchain`` option of Pulumi.yaml).
"""

from __future__ import annotations

import importlib.metadata
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

PROGRAM = Path(__file__).with_name("program.py")
Context = grpc.ServicerContext
BAIL = 32  # the program has already reported its error to the engine


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    """Answers the engine's questions about Python programs and runs them."""

    def __init__(self) -> None:
        self._children: set[subprocess.Popen[bytes]] = set()

    def Handshake(
        self, request: language_pb2.LanguageHandshakeRequest, context: Context
    ) -> language_pb2.LanguageHandshakeResponse:
        """Agree to the engine's version of the protocol."""
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: empty_pb2.Empty, context: Context) -> plugin_pb2.PluginInfo:
        """Report the version of the SDK that programs will import."""
        return plugin_pb2.PluginInfo(version=importlib.metadata.version("pulumi"))

    def About(self, request: language_pb2.AboutRequest, context: Context) -> language_pb2.AboutResponse:
        """Report the interpreter, for ``pulumi about``."""
        version = ".".join(str(part) for part in sys.version_info[:3])
        return language_pb2.AboutResponse(executable=sys.executable, version=version)

    def GetRequiredPlugins(
        self, request: language_pb2.GetRequiredPluginsRequest, context: Context
    ) -> language_pb2.GetRequiredPluginsResponse:
        """Ask for no plugin ahead of time: the engine starts each when its first resource arrives."""
        return language_pb2.GetRequiredPluginsResponse()

    def GetRequiredPackages(
        self, request: language_pb2.GetRequiredPackagesRequest, context: Context
    ) -> language_pb2.GetRequiredPackagesResponse:
        """Ask for no package ahead of time."""
        return language_pb2.GetRequiredPackagesResponse()

    def GetProgramDependencies(
        self, request: language_pb2.GetProgramDependenciesRequest, context: Context
    ) -> language_pb2.GetProgramDependenciesResponse:
        """List the installed distributions, for ``pulumi about``."""
        found = [
            language_pb2.DependencyInfo(name=found.metadata["Name"], version=found.version)
            for found in importlib.metadata.distributions()
        ]
        return language_pb2.GetProgramDependenciesResponse(dependencies=found)

    def InstallDependencies(
        self, request: language_pb2.InstallDependenciesRequest, context: Context
    ) -> Iterator[language_pb2.InstallDependenciesResponse]:
        """Install nothing: an air-gapped site has its virtual environment already."""
        return iter(())

    def RuntimeOptionsPrompts(
        self, request: language_pb2.RuntimeOptionsRequest, context: Context
    ) -> language_pb2.RuntimeOptionsResponse:
        """Ask nothing when a project is made."""
        return language_pb2.RuntimeOptionsResponse()

    def Cancel(self, request: empty_pb2.Empty, context: Context) -> empty_pb2.Empty:
        """End running programs: the user pressed Ctrl-C."""
        self.end_children()
        return empty_pb2.Empty()

    def Run(self, request: language_pb2.RunRequest, context: Context) -> language_pb2.RunResponse:
        """Run a Pulumi program once; what it prints goes to the engine through this process's own streams."""
        child = self._start([str(PROGRAM)], cwd=request.pwd, stdin=subprocess.PIPE)
        context.add_callback(child.terminate)
        child.communicate(request.SerializeToString())
        self._children.discard(child)
        if child.returncode == BAIL:
            return language_pb2.RunResponse(bail=True)
        if child.returncode != 0:
            return language_pb2.RunResponse(error=f"Program exited with non-zero exit code: {child.returncode}")
        return language_pb2.RunResponse()

    def RunPlugin(
        self, request: language_pb2.RunPluginRequest, context: Context
    ) -> Iterator[language_pb2.RunPluginResponse]:
        """Run a plugin written in Python and pass on what it prints; a policy pack is one (kind ``analyzer``).

        The engine reads the plugin's port from the stream, calls the plugin there, and cancels this call to end it.
        """
        directory = request.info.program_directory
        if request.kind == "analyzer":
            arguments = ["-m", "pulumi.policy", *request.args, directory]
        else:
            arguments = [os.path.normpath(Path(directory, request.info.entry_point or ".")), *request.args]
        environment = dict(entry.split("=", 1) for entry in request.env) or None
        child = self._start(arguments, cwd=request.pwd or directory, pipe_output=True, environment=environment)
        context.add_callback(child.terminate)
        yield from _printed(child)
        self._children.discard(child)
        yield language_pb2.RunPluginResponse(exitcode=child.wait())

    def end_children(self) -> None:
        """Terminate every program and plugin that still runs."""
        for child in list(self._children):
            child.terminate()

    def _start(
        self,
        arguments: list[str],
        *,
        cwd: str,
        stdin: int = subprocess.DEVNULL,
        pipe_output: bool = False,
        environment: dict[str, str] | None = None,
    ) -> subprocess.Popen[bytes]:
        output = subprocess.PIPE if pipe_output else None
        child = subprocess.Popen(
            [sys.executable, "-u", *arguments], cwd=cwd, env=environment, stdin=stdin, stdout=output, stderr=output
        )
        self._children.add(child)
        return child


def _printed(child: subprocess.Popen[bytes]) -> Iterator[language_pb2.RunPluginResponse]:
    """Both streams of a process as responses, in the order in which they arrive, until both are closed."""
    arrived: queue.Queue[language_pb2.RunPluginResponse | None] = queue.Queue()

    def pump(stream: IO[bytes], response: Callable[[bytes], language_pb2.RunPluginResponse]) -> None:
        while data := os.read(stream.fileno(), 65536):
            arrived.put(response(data))
        arrived.put(None)

    def stdout(data: bytes) -> language_pb2.RunPluginResponse:
        return language_pb2.RunPluginResponse(stdout=data)

    def stderr(data: bytes) -> language_pb2.RunPluginResponse:
        return language_pb2.RunPluginResponse(stderr=data)

    pumps = [(child.stdout, stdout), (child.stderr, stderr)]
    for stream, response in pumps:
        threading.Thread(target=pump, args=(stream, response), daemon=True).start()
    for _ in pumps:
        while (printed := arrived.get()) is not None:
            yield printed
