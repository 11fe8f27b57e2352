"""python -m provisioner.sandbox.daemon FOLDER TOLD PORT EXIT-WITH: the sandbox's own process; `client` starts it."""

import contextlib
import fcntl
import json
import logging
import os
import select
import shutil
import signal
import sys
import threading
import time
from email.utils import format_datetime
from pathlib import Path
from typing import IO, Any


def serve(folder: Path, told: int, port: int, exit_with: int) -> None:
    lock = (folder / "lock").open("a")
    take(lock)
    (folder / "state.json").unlink(missing_ok=True)  # a stale one
    os.umask(0o077)
    os.environ["MOTO_DISABLE_GLOBAL_CORS"] = "true"  # moto lets any web page in otherwise
    os.environ["MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION"] = "true"
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    from provisioner.sandbox.azure.front import Azure
    from provisioner.sandbox.front import Front
    from provisioner.sandbox.gcp.front import Google

    root = folder / "run"  # kept after the end, for the consoles; gone at the next start
    shutil.rmtree(root, ignore_errors=True)
    front = Front(root)
    server = make(front, port)
    front.cloud.url = f"http://127.0.0.1:{server.port}"
    google, azure = beside(Google(front.cloud.clock)), beside(Azure(front.cloud.clock))
    front.control.google, front.control.azure = google, azure
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    state = {"pid": os.getpid(), "port": server.port, "endpoint": front.url, "root": str(root), "key": front.key,
             "google": google.url, "azure": azure.url}  # fmt: skip
    publish(folder, state, told)
    if exit_with:
        threading.Thread(target=follow, args=[exit_with], daemon=True).start()
    try:
        server.serve_forever()
    finally:
        front.cloud.machines.stop_all()


def beside(side: Any) -> Any:
    """Another cloud's side, on a port of its own."""
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"

    server = make_server("127.0.0.1", 0, side, threaded=True, request_handler=Quiet)
    server.daemon_threads = True
    side.url = f"http://127.0.0.1:{server.port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return side


def make(front: Any, port: int):
    from moto.server import MotoRequestHandler
    from werkzeug.serving import make_server

    class Handler(MotoRequestHandler):
        protocol_version = "HTTP/1.1"  # keep-alive

        def date_time_string(self, timestamp: float | None = None) -> str:
            """The Date of every answer is the cloud's own time."""
            return format_datetime(front.cloud.clock.now(), usegmt=True)

        def handle_expect_100(self) -> bool:
            return True  # werkzeug says "100 Continue" itself; http.server would say it a second time

    server = make_server("127.0.0.1", port, front, threaded=True, request_handler=Handler)
    server.daemon_threads = True
    return server


def publish(folder: Path, state: dict[str, object], told: int) -> None:
    (folder / "state.new").write_text(json.dumps(state))
    (folder / "state.new").rename(folder / "state.json")
    os.write(told, json.dumps(state).encode() + b"\n")
    os.close(told)


def follow(process: int) -> None:
    """Ends the sandbox when that process has ended."""
    with contextlib.suppress(ProcessLookupError):
        select.select([os.pidfd_open(process)], [], [])
    os.kill(os.getpid(), signal.SIGTERM)


def take(lock: IO[str]) -> None:
    """Whoever only looks holds the lock for an instant, so ask more than once."""
    for left in reversed(range(10)):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not left:
                raise
            time.sleep(0.05)
        else:
            return


if __name__ == "__main__":
    serve(Path(sys.argv[1]), *(int(word) for word in sys.argv[2:5]))
