"""Inferentia and Trainium: what neuron-monitor says in its first report, folded from cores to devices."""

import json
import select
import subprocess

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


def first_report():
    try:
        monitor = subprocess.Popen(["neuron-monitor"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except OSError as error:
        raise Silent("neuron-monitor cannot be started: %s" % error)
    try:
        ready, _, _ = select.select([monitor.stdout], [], [], PATIENCE)
        if not ready:
            raise Silent("neuron-monitor said nothing for %d s" % PATIENCE)
        return json.loads(monitor.stdout.readline())
    except ValueError:
        raise Silent("neuron-monitor's report cannot be read")
    finally:
        monitor.kill()
        monitor.wait()
        monitor.stdout.close()
