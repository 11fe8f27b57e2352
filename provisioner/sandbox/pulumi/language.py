"""python -m provisioner.sandbox.pulumi.language: the Python language host, for a CLI that came without one.

Protocol: https://github.com/pulumi/pulumi/blob/master/proto/pulumi/language.proto. It reports no required plugin, so
that nothing is downloaded.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from google.protobuf import empty_pb2
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

from provisioner.sandbox.pulumi.serve import run

RUNNER = Path(__file__).with_name("program.py")
BAIL = 32


class Host(language_pb2_grpc.LanguageRuntimeServicer):
    """Runs programs and policy packs with the project's own Python."""

    def __init__(self, engine: str) -> None:
        self._engine = engine
        self.running: list[subprocess.Popen[bytes]] = []

    def Handshake(self, request: Any, context: Any) -> Any:
        self._engine = request.engine_address
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo(version="3.0.0")

    def GetRequiredPackages(self, request: Any, context: Any) -> Any:
        return language_pb2.GetRequiredPackagesResponse()

    def GetRequiredPlugins(self, request: Any, context: Any) -> Any:
        return language_pb2.GetRequiredPluginsResponse()

    def GetProgramDependencies(self, request: Any, context: Any) -> Any:
        return language_pb2.GetProgramDependenciesResponse()

    def About(self, request: Any, context: Any) -> Any:
        return language_pb2.AboutResponse(executable=sys.executable, version=sys.version.split()[0])

    def InstallDependencies(self, request: Any, context: Any) -> Iterator[Any]:
        return iter(())

    def RuntimeOptionsPrompts(self, request: Any, context: Any) -> Any:
        return language_pb2.RuntimeOptionsResponse()

    def Run(self, request: Any, context: Any) -> Any:
        variables = {
            "PULUMI_CONFIG": json.dumps(dict(request.config)),
            "PULUMI_CONFIG_SECRET_KEYS": json.dumps(list(request.configSecretKeys)),
        }
        program = os.path.normpath(Path(request.info.program_directory, request.info.entry_point))
        command = [
            python_of(request.info), "-u", str(RUNNER), request.monitor_address, self._engine, request.project,
            request.stack, "true" if request.dryRun else "false", request.info.root_directory, program,
        ]  # fmt: skip
        process = self._start(command, env=os.environ | variables, stdout=sys.stderr)
        code = process.wait()
        if code == BAIL or code < 0:
            return language_pb2.RunResponse(bail=True)
        return language_pb2.RunResponse(error=f"the program exited with code {code}" if code else "")

    def RunPlugin(self, request: Any, context: Any) -> Iterator[Any]:
        folder, python = request.info.program_directory, python_of(request.info)
        analyzer = request.kind == "analyzer"
        what = ["-m", "pulumi.policy", *request.args, folder] if analyzer else [folder, *request.args]
        variables = dict(one.split("=", 1) for one in request.env) or None
        process = self._start(
            [python, "-u", *what], cwd=folder if analyzer else request.pwd, env=variables, stdout=subprocess.PIPE
        )
        context.add_callback(process.terminate)
        assert process.stdout is not None  # noqa: S101 - it was asked for
        for line in process.stdout:
            yield language_pb2.RunPluginResponse(stdout=line)
        yield language_pb2.RunPluginResponse(exitcode=process.wait())

    def Cancel(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()

    def _start(self, command: list[str], **how: Any) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(command, stderr=sys.stderr, **how)
        self.running.append(process)
        return process


def python_of(info: Any) -> str:
    """The project's virtual environment, as Pulumi.yaml names it; else the one that runs this."""
    root = Path(info.root_directory)
    named = info.options["virtualenv"] if "virtualenv" in info.options else ".venv"
    folders = [root / named, *(parent / ".venv" for parent in (root, *root.parents))]
    return next((str(f / "bin/python") for f in folders if (f / "bin/python").exists()), sys.executable)


def main() -> None:
    addresses = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    host = Host(addresses[0] if addresses else "")

    def end(*_: object) -> None:
        """A policy pack sleeps for a day: it must not outlive us."""
        for process in host.running:
            process.terminate()
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    run(lambda server: language_pb2_grpc.add_LanguageRuntimeServicer_to_server(host, server))
    end()  # a program whose engine was killed waits for it


if __name__ == "__main__":
    main()
