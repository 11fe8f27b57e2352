"""How busy the devices are, in percent; what cannot be measured says why. Missing is not zero."""

import glob
import shutil
import subprocess

from . import neuron

NO_RUNTIME = "no runtime is attached to it"
"""Of a Neuron device: it is idle, not silent."""
ASKED = "index,name,utilization.gpu,memory.used,memory.total"
NOT_ASKED = "only an NVIDIA driver is asked"
PATIENCE = 10


class Utilisation:
    """Samples since the last call."""

    def __init__(self):
        self._busy = self._total = 0

    def read(self):
        """One entry per device: device, kind, percent and memory_percent or None, and the reason of each None."""
        return [self._cpu()] + accelerators()

    def _cpu(self):
        with open("/proc/stat") as file:
            ticks = [int(word) for word in file.readline().split()[1:]]
        total, busy = sum(ticks), sum(ticks) - ticks[3] - ticks[4]
        spent, worked = total - self._total, busy - self._busy
        self._total, self._busy = total, busy
        percent = round(100.0 * worked / spent, 1) if spent > 0 else None
        return sample("cpu", "cpu", percent, reason="" if spent > 0 else "no time has passed")


def accelerators():
    if shutil.which("nvidia-smi"):
        return nvidia()
    inferentia = len(glob.glob("/dev/neuron[0-9]*"))
    if inferentia:
        return neuron_devices(inferentia)
    if glob.glob("/dev/accel[0-9]*"):
        return [sample("tpu", "tpu", reason="libtpu gives it to the program alone, which is not asked")]
    return [sample("accelerator", "none", reason="no NVIDIA driver, no Neuron device and no TPU on this machine")]


def neuron_devices(present):
    try:
        found = neuron.utilisation(present)
    except (neuron.Silent, KeyError, AttributeError, TypeError, ValueError) as problem:
        return [sample("neuron%d" % index, "neuron", reason=str(problem)) for index in range(present)]
    idle = NO_RUNTIME
    return [
        sample("neuron%d" % index, "neuron", percent, reason="" if percent is not None else idle)
        for index, percent in found.items()
    ]


def nvidia():
    command = ["nvidia-smi", "--query-gpu=" + ASKED, "--format=csv,noheader,nounits"]
    try:
        text = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=PATIENCE, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        return [sample("nvidia", "nvidia", reason="nvidia-smi failed: %s" % error)]
    return [device(line) for line in text.decode("utf-8", "replace").splitlines() if line.strip()]


def device(line):
    """One line of nvidia-smi; a device that says N/A (MIG does) never hides the others."""
    index, name, busy, used, total = [word.strip() for word in (line + ",,,,").split(",")[:5]]
    place, held = "nvidia%s %s" % (index, name), share(number(used), number(total))
    return sample(place, "nvidia", number(busy), held, said(number(busy), busy), said(held, used))


def share(used, total):
    """Percent, None where either is not known."""
    return round(100.0 * used / total, 1) if used is not None and total else None


def said(value, word):
    """Why there is no value; empty where there is one."""
    return "" if value is not None else "nvidia-smi says %s" % (word or "nothing")


def number(word):
    try:
        return float(word)
    except ValueError:
        return None


def sample(device, kind, percent=None, memory_percent=None, reason="", memory_reason=NOT_ASKED):
    """`memory_percent` is how much of the device's memory is held, whether or not anything works on it."""
    return {"device": device, "kind": kind, "percent": percent, "memory_percent": memory_percent, "reason": reason,
            "memory_reason": memory_reason if memory_percent is None else ""}  # fmt: skip
