"""python program.py MONITOR ENGINE PROJECT STACK DRY-RUN ROOT PROGRAM: runs a Pulumi program against an engine.

The wheel of the SDK ships no runner; everything that one needs is its public API.
"""

import asyncio
import os
import runpy
import sys
import traceback
from pathlib import Path

import pulumi
import pulumi.runtime as runtime

BAIL = 32
"""The engine has told the user already: no further error is shown."""


def main() -> int:
    monitor, engine, project, stack, dry_run, root, program = sys.argv[1:8]
    runtime.set_all_config(runtime.get_config_env(), runtime.get_config_secret_keys_env())
    settings = runtime.Settings(
        project=project, stack=stack, monitor=monitor, engine=engine, parallel=16, dry_run=dry_run == "true",
        organization="organization", root_directory=root,
    )  # fmt: skip
    runtime.configure(settings)
    folder = Path(program)
    os.chdir(folder)
    sys.argv, sys.path[0] = [program], str(folder)
    return asyncio.run(run())


async def run() -> int:
    try:
        await runtime.run_in_stack(lambda: runpy.run_path("__main__.py", run_name="__main__") and None)
        return 0
    except pulumi.RunError as error:
        pulumi.log.error(str(error))
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):  # the engine has had enough: a violation, or Ctrl-C
        return BAIL
    except Exception:
        pulumi.log.error("Program failed with an unhandled exception:\n" + traceback.format_exc())
        return BAIL


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
