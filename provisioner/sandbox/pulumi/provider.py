"""The stand-in resource providers: pulumi's provider protocol in front, the sandbox cloud behind.

Protocol: https://github.com/pulumi/pulumi/blob/master/proto/pulumi/provider.proto
"""

import json
import os
import threading
from collections.abc import Callable
from typing import Any

import grpc
from botocore.exceptions import BotoCoreError, ClientError
from google.protobuf import empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from provisioner.sandbox.pulumi.kinds import Clients, Inputs, Kind
from provisioner.sandbox.pulumi.wire import UNKNOWN, read, unknown, written

SUFFIX = 7
"""Hexadecimal digits that make a name unique, as the engine's own autonaming has."""


class Provider(provider_pb2_grpc.ResourceProviderServicer):
    """One provider process serves one `pulumi` command. `connect` makes a client of a service, by the configuration."""

    def __init__(
        self,
        package: str,
        kinds: dict[str, Kind],
        functions: dict[str, Callable[[Clients, Inputs], Inputs]],
        connect: Callable[[str, Inputs], Any],
    ) -> None:
        self._package, self._kinds, self._functions, self._connect = package, kinds, functions, connect
        self._config: Inputs = {}
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()

    def client(self, service: str) -> Any:
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._connect(service, self._config)
            return self._clients[service]

    def kind(self, request: Any, context: Any) -> Kind:
        token = request.type or request.urn.split("::")[2].split("$")[-1]
        return self._kinds.get(token) or foreign(token, self._package, context)

    # the process ------------------------------------------------------------------------------------------------------

    def Handshake(self, request: Any, context: Any) -> Any:
        return provider_pb2.ProviderHandshakeResponse(
            accept_secrets=False, accept_resources=False, accept_outputs=False
        )

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        from importlib.metadata import version

        return plugin_pb2.PluginInfo(version=version(f"pulumi-{self._package}"))

    def GetSchema(self, request: Any, context: Any) -> Any:
        return provider_pb2.GetSchemaResponse(schema=json.dumps({"name": self._package, "resources": {}}))

    def CheckConfig(self, request: Any, context: Any) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> Any:
        same = request.olds == request.news
        changes = provider_pb2.DiffResponse.DIFF_NONE if same else provider_pb2.DiffResponse.DIFF_SOME
        return provider_pb2.DiffResponse(changes=changes)

    def Configure(self, request: Any, context: Any) -> Any:
        named = {name.split(":")[-1]: value for name, value in request.variables.items()}
        self._config = named | read(request.args)
        return provider_pb2.ConfigureResponse(
            acceptSecrets=False, supportsPreview=True, acceptResources=False, acceptOutputs=False
        )

    def Attach(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()

    def Cancel(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()

    # resources --------------------------------------------------------------------------------------------------------

    def Check(self, request: Any, context: Any) -> Any:
        kind, old, new = self.kind(request, context), read(request.olds), read(request.news)
        if kind.autoname and kind.autoname not in new:
            new[kind.autoname] = old.get(kind.autoname) or named(request)
        wrong = [(name, f"Missing required property '{name}'") for name in kind.required if name not in new]
        wrong += [] if wrong else list(kind.refusals(new))
        failures = [provider_pb2.CheckFailure(property=name, reason=reason) for name, reason in wrong]
        return provider_pb2.CheckResponse(inputs=written(new), failures=failures)

    def Diff(self, request: Any, context: Any) -> Any:
        kind, old, new = self.kind(request, context), read(request.old_inputs), read(request.news)
        changed = sorted(
            name for name in {*old, *new} if old.get(name) != new.get(name) and name not in request.ignoreChanges
        )
        replaced = kind.replacing(changed)
        differs = provider_pb2.DiffResponse.DIFF_SOME if changed else provider_pb2.DiffResponse.DIFF_NONE
        detail = {name: change(name in replaced) for name in changed}
        return provider_pb2.DiffResponse(
            changes=differs, diffs=changed, replaces=replaced, hasDetailedDiff=True, detailedDiff=detail
        )

    def Create(self, request: Any, context: Any) -> Any:
        kind, inputs = self.kind(request, context), read(request.properties)
        if request.preview:
            shaped = dict.fromkeys(kind.shaped, UNKNOWN)
            planned = dict.fromkeys(kind.computed, UNKNOWN) | inputs | shaped
            return provider_pb2.CreateResponse(id="", properties=written(planned))
        identity, outputs = answered(context, request.urn, lambda: kind.create(self.client, inputs))
        return provider_pb2.CreateResponse(id=identity, properties=written(inputs | outputs))

    def Update(self, request: Any, context: Any) -> Any:
        kind, old, new = self.kind(request, context), read(request.old_inputs), read(request.news)
        state = read(request.olds)
        if request.preview or unknown(new):
            plain = {name: value for name, value in new.items() if name not in kind.shaped}
            return provider_pb2.UpdateResponse(properties=written(state | plain | kind.planned(old, new)))
        if kind.update is None:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, "this type changes by replacement only")
        answered(context, request.urn, lambda: kind.update(self.client, request.id, old, new))
        found = answered(context, request.urn, lambda: kind.read(self.client, request.id, state | new)) or {}
        return provider_pb2.UpdateResponse(properties=written(state | new | found))

    def Read(self, request: Any, context: Any) -> Any:
        kind, state = self.kind(request, context), read(request.properties)
        found = answered(context, request.urn, lambda: kind.read(self.client, request.id, state))
        if found is None:  # an empty id says that it is gone
            return provider_pb2.ReadResponse(id="")
        inputs = read(request.inputs) or self._imported(kind, request, context)
        seen = {name: found[name] for name in kind.drifts if name in found and name in inputs}
        known_as = found.pop("id", request.id)  # what is imported under one name may be kept under another
        return provider_pb2.ReadResponse(
            id=known_as, properties=written(inputs | state | found), inputs=written(inputs | seen)
        )

    def _imported(self, kind: Kind, request: Any, context: Any) -> Inputs:
        """An import knows nothing but the id."""
        if kind.imported is None:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, f"the sandbox cannot import {request.urn}")
        return answered(context, request.urn, lambda: kind.imported(self.client, request.id)) or {}

    def Delete(self, request: Any, context: Any) -> Any:
        kind, state = self.kind(request, context), read(request.properties)
        answered(context, request.urn, lambda: kind.delete(self.client, request.id, state))
        return empty_pb2.Empty()

    def Invoke(self, request: Any, context: Any) -> Any:
        if request.tok not in self._functions:
            what = f"the sandbox's {self._package} provider has no {request.tok}"
            context.abort(grpc.StatusCode.UNIMPLEMENTED, what)
        found = answered(context, request.tok, lambda: self._functions[request.tok](self.client, read(request.args)))
        return provider_pb2.InvokeResponse(**{"return": written(found)})


def foreign(token: str, package: str, context: Any) -> Kind:
    """A type that the sandbox cannot make: it can be previewed, so that rules may judge it."""

    def refuse(*_: Any) -> Any:
        context.abort(grpc.StatusCode.UNIMPLEMENTED, f"the sandbox's {package} provider has no {token}")

    return Kind(create=refuse, read=refuse, delete=refuse)


def named(request: Any) -> str:
    seed = request.randomSeed or os.urandom(8)
    return f"{request.urn.split('::')[-1]}-{seed.hex()[:SUFFIX]}"


def change(replaced: bool) -> Any:
    kinds = provider_pb2.PropertyDiff
    return kinds(kind=kinds.UPDATE_REPLACE if replaced else kinds.UPDATE, inputDiff=True)


def answered(context: Any, what: str, call: Any) -> Any:
    """What the cloud says; its refusal is the engine's error, in the cloud's own words."""
    try:
        return call()
    except (ClientError, BotoCoreError, OSError) as error:  # requests' errors are OSErrors
        context.abort(grpc.StatusCode.UNKNOWN, f"{what}: {error}")
