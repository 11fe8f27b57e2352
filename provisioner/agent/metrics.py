"""Utilisation to CloudWatch, once a minute, where the network way leads there. Nothing waits for it."""

import urllib.parse

from . import aws
from .aws import Unreachable
from .store import Denied, Missing, call

EVERY, RARELY = 60.0, 960.0
"""Seconds from one row to the next; at most, after one failure upon another."""
PATIENCE = 3
"""Seconds for one step of the one try that each row gets: the next is fresher."""
NAMESPACE = "accelctl"
NAMES = {"cpu": "CPUUtilisation", "memory": "AcceleratorMemoryHeld"}


class Metrics:
    """The utilisation of each device, the highest of each kind, and of the accelerators' memory: for the reaper."""

    def __init__(self, imds, boarding, report):
        self._imds, self._boarding, self._report = imds, boarding, report
        self._shut = boarding["way"] == "gateway"

    def send_on(self, stopped):
        """Until the event is set, in a thread of its own; a way that is shut, or a refusal, is the end of it."""
        pause = EVERY
        while not self._shut and not stopped.wait(pause):
            pause = EVERY if self.send() else min(2 * pause, RARELY)

    def send(self):
        """What the last report said; whether CloudWatch took it, or there was nothing."""
        known = [sample for sample in self._report.devices if sample["percent"] is not None]
        try:
            if known:
                self._put(known)
        except (Denied, Missing):
            self._shut = True
        except Unreachable:
            return False
        return True

    def _put(self, known):
        region = self._imds.region()
        domain = "api.aws" if self._boarding["way"] == "ipv6" else "amazonaws.com"
        url = (aws.ENDPOINT or "https://monitoring.%s.%s" % (region, domain)).rstrip("/") + "/"
        fields = {"Action": "PutMetricData", "Version": "2010-08-01", "Namespace": NAMESPACE}
        rows = [(sample["kind"], sample["device"], sample["percent"]) for sample in known]
        for kind in sorted({row[0] for row in rows}):
            rows.append((kind, "", max(row[2] for row in rows if row[0] == kind)))
        held = [one["memory_percent"] for one in self._report.devices if one["memory_percent"] is not None]
        rows += [("memory", "", max(held))] if held else []
        for number, (kind, device, percent) in enumerate(rows, 1):
            name = NAMES.get(kind, "AcceleratorUtilisation")
            fields.update(self._row("MetricData.member.%d." % number, name, device, percent))
        body = urllib.parse.urlencode(fields).encode()
        headers = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
        call(self._imds, "monitoring", region, url, body, headers, tries=1, patience=PATIENCE)

    def _row(self, start, metric, device, percent):
        dimensions = [("InstanceId", self._report.instance_id), ("Job", self._boarding["job"])]
        dimensions += [("Device", device)] if device else []
        row = {start + "MetricName": metric, start + "Unit": "Percent", start + "Value": "%.1f" % percent}
        for number, (name, value) in enumerate(dimensions, 1):
            row["%sDimensions.member.%d.Name" % (start, number)] = name
            row["%sDimensions.member.%d.Value" % (start, number)] = value
        return row
