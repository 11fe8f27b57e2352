"""gcp-tpu-v5e: TPU v5e slices."""

from stacks.components import gcp_tpu


def program() -> None:
    """Slices of eight chips on one host, spot by default, that end by themselves."""
    gcp_tpu.program("v5e", usual="v5litepod-8")
