"""Public image parameters that moto does not have; it refuses to put a parameter under /aws."""

from typing import Any

from moto.ssm.models import Parameter, ParameterDict

PARAMETERS = {
    f"/aws/service/deeplearning/ami/{arch}/base-oss-nvidia-driver-gpu-{system}/latest/ami-id": f"ami-0d1{number:014x}"
    for number, (arch, system) in enumerate(
        (arch, system)
        for arch in ("x86_64", "arm64")
        for system in ("ubuntu-24.04", "ubuntu-22.04", "amazon-linux-2023")
    )
} | {
    "/aws/service/neuron/dlami/multi-framework/ubuntu-24.04/latest/image_id": "ami-0e100000000000001",
    "/aws/service/neuron/dlami/base/ubuntu-24.04/latest/image_id": "ami-0e100000000000002",
}


def install() -> None:
    original = ParameterDict._check_loading_status

    def with_ours(parameters: ParameterDict, key: str) -> None:
        original(parameters, key)
        for name, value in PARAMETERS.items():
            if key and name.startswith(key) and not dict.__contains__(parameters, name):
                super(ParameterDict, parameters).__getitem__(name).append(parameter(parameters, name, value))

    ParameterDict._check_loading_status = with_ours


def parameter(parameters: Any, name: str, value: str) -> Parameter:
    return Parameter(
        account_id=parameters.account_id, name=name, value=value, parameter_type="String", description=None,
        allowed_pattern=None, keyid=None, last_modified_date=0, version=1, data_type="text",
    )  # fmt: skip
