"""Runs one Lambda invocation in a bare Python: folder, runtime folder and handler as arguments, the event on stdin.

Nothing of accelctl's own installation is on its path; the answer goes to stdout, what is printed to stderr.
"""

import importlib
import json
import os
import sys
import time
import traceback


class Context:
    """What a handler is told of its invocation."""

    def __init__(self):
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.aws_request_id = os.urandom(8).hex()
        self._end = time.monotonic() + int(os.environ["AWS_LAMBDA_FUNCTION_TIMEOUT"])

    def get_remaining_time_in_millis(self):
        return max(0, int(1000 * (self._end - time.monotonic())))


def main(folder, runtime, handler):
    sys.path[:0] = [folder, runtime]
    answer, sys.stdout = sys.stdout, sys.stderr
    try:
        module, _, name = handler.rpartition(".")
        found = getattr(importlib.import_module(module.replace("/", ".")), name)(json.load(sys.stdin), Context())
    except BaseException as error:  # noqa: BLE001 - whatever a handler raises is the answer, as on AWS
        traceback.print_exc()
        found, code = {"errorMessage": str(error), "errorType": type(error).__name__}, 1
    else:
        code = 0
    json.dump(found, answer)
    answer.flush()
    os._exit(code)


if __name__ == "__main__":
    main(*sys.argv[1:4])
