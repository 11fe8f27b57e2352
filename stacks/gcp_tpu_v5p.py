"""gcp-tpu-v5p: TPU v5p slices."""

from stacks.components import gcp_tpu


def program() -> None:
    """Slices of four chips on one host, spot by default, that end by themselves."""
    gcp_tpu.program("v5p", usual="v5p-8")
