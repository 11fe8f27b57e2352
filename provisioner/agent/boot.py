"""The first thing on the machine: fetch the agent, check it, become it. Appended to `aws` in user data."""

import hashlib
import http.client
import json
import os
import sys
import time

from .aws import EMPTY, Imds, Unreachable, bucket_url, connect, pause, sign


def boot(boarding):
    home = os.path.join(os.environ.get("HOME") or "/root", "accelctl")
    os.makedirs(home, exist_ok=True)
    agent = boarding["agent"]
    content = fetch(boarding["bucket"], boarding["region"], agent["key"])
    if hashlib.sha256(content).hexdigest() != agent["sha256"]:
        raise SystemExit("accelctl: the agent in the store is not the one that was sent")
    for name, data in (("agent.pyz", content), ("boarding.json", json.dumps(boarding).encode())):
        with open(os.path.join(home, name), "wb") as out:
            out.write(data)
    os.chdir(home)
    os.execv(sys.executable, [sys.executable, "-I", "-S", "agent.pyz", "boarding.json"])  # noqa: S606 - that is the point


def fetch(bucket, region, key):
    """Ten minutes of tries: a role and its network may need a moment."""
    imds, url, end, attempt = Imds(), bucket_url(bucket, region, key), time.monotonic() + 600, 0
    while True:
        try:
            headers = sign("GET", url, {}, EMPTY, (region, "s3"), imds.credentials())
            connection = connect(url)
            connection.request("GET", "/" + url.split("/", 3)[3], headers=headers)
            answer = connection.getresponse()
            content = answer.read()
            if answer.status == 200:
                return content
            problem = "HTTP %d %s" % (answer.status, content[:200])
        except (OSError, Unreachable, http.client.HTTPException) as error:
            problem = str(error)
        print("accelctl: cannot fetch the agent yet:", problem, flush=True)
        if time.monotonic() > end:
            raise SystemExit("accelctl: the agent cannot be fetched")
        pause(attempt)
        attempt += 1
