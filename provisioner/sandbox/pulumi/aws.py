"""python -m provisioner.sandbox.pulumi.aws: the executable behind pulumi-resource-aws."""

from pulumi.runtime.proto import provider_pb2_grpc

from provisioner.sandbox.pulumi.provider import Provider
from provisioner.sandbox.pulumi.serve import serve

if __name__ == "__main__":
    serve(lambda server: provider_pb2_grpc.add_ResourceProviderServicer_to_server(Provider(), server))
