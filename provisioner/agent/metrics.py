"""Utilisation to CloudWatch, once a minute, where the network way leads there."""

import time
import urllib.parse

from . import aws
from .aws import Unreachable
from .store import Denied, Missing, call

EVERY = 60.0
NAMESPACE = "accelctl"


class Metrics:
    """The utilisation of each device, and the highest of each kind: what the reaper reads."""

    def __init__(self, imds, boarding, report):
        self._imds, self._boarding, self._report = imds, boarding, report
        self._next = time.monotonic() + EVERY
        self._shut = boarding["way"] == "gateway"

    def send(self):
        """At most once a minute; a way that is shut, or a refusal, is no reason to try again."""
        if self._shut or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + EVERY
        known = [sample for sample in self._report.devices if sample["percent"] is not None]
        if not known:
            return
        try:
            self._put(known)
        except (Denied, Missing):
            self._shut = True
        except Unreachable:
            return

    def _put(self, known):
        region = self._imds.region()
        domain = "api.aws" if self._boarding["way"] == "ipv6" else "amazonaws.com"
        url = (aws.ENDPOINT or "https://monitoring.%s.%s" % (region, domain)).rstrip("/") + "/"
        fields = {"Action": "PutMetricData", "Version": "2010-08-01", "Namespace": NAMESPACE}
        rows = [(sample["kind"], sample["device"], sample["percent"]) for sample in known]
        for kind in sorted({row[0] for row in rows}):
            rows.append((kind, "", max(row[2] for row in rows if row[0] == kind)))
        for number, (kind, device, percent) in enumerate(rows, 1):
            name = "CPUUtilisation" if kind == "cpu" else "AcceleratorUtilisation"
            fields.update(self._row("MetricData.member.%d." % number, name, device, percent))
        body = urllib.parse.urlencode(fields).encode()
        headers = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
        call(self._imds, "monitoring", region, url, body, headers)

    def _row(self, start, metric, device, percent):
        dimensions = [("InstanceId", self._report.instance_id), ("Job", self._boarding["job"])]
        dimensions += [("Device", device)] if device else []
        row = {start + "MetricName": metric, start + "Unit": "Percent", start + "Value": "%.1f" % percent}
        for number, (name, value) in enumerate(dimensions, 1):
            row["%sDimensions.member.%d.Name" % (start, number)] = name
            row["%sDimensions.member.%d.Value" % (start, number)] = value
        return row
