"""Inferentia and Trainium: what neuron-monitor says in its first report, folded from cores to devices."""

import json
import os
import select
import shutil
import subprocess
import time

MONITOR = "/opt/aws/neuron/bin/neuron-monitor"
"""Where AWS's packages put it; only login shells have that folder on their PATH."""
PATIENCE = 8.0
"""Seconds: neuron-monitor reports every five unless configured otherwise."""


class Silent(Exception):
    """neuron-monitor said nothing that can be read; the message says why."""


def utilisation(present):
    """Device number -> percent, or None for a device that no runtime uses. `present` is how many there are.

    Raises Silent. Shape of the report: "Neuron Monitor User Guide", AWS Neuron documentation.
    """
    report = first_report()
    per_device = max(1, report.get("neuron_hardware_info", {}).get("neuroncore_per_device_count") or 1)
    cores = {}
    for runtime in report.get("neuron_runtime_data") or []:
        counters = runtime.get("report", {}).get("neuroncore_counters", {})
        for core, found in (counters.get("neuroncores_in_use") or {}).items():
            cores.setdefault(int(core) // per_device, []).append(float(found["neuroncore_utilization"]))
    return {device: round(sum(cores[device]) / per_device, 1) if device in cores else None for device in range(present)}


def first_line(pipe):
    """Within PATIENCE, however slowly it comes. Raises Silent."""
    line, end = b"", time.monotonic() + PATIENCE
    while b"\n" not in line:
        ready, _, _ = select.select([pipe], [], [], max(0, end - time.monotonic()))
        chunk = os.read(pipe, 65536) if ready else b""
        if not chunk:
            raise Silent("neuron-monitor said nothing for %d s" % PATIENCE)
        line += chunk
    return line.split(b"\n")[0]


def first_report():
    try:
        monitor = subprocess.Popen(
            [shutil.which("neuron-monitor") or MONITOR], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    except OSError as error:
        raise Silent("neuron-monitor cannot be started: %s" % error)
    try:
        return json.loads(first_line(monitor.stdout.fileno()))
    except ValueError:
        raise Silent("neuron-monitor's report cannot be read")
    finally:
        monitor.kill()
        monitor.wait()
        monitor.stdout.close()
