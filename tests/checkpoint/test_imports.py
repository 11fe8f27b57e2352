"""What `import provisioner.checkpoint` costs a program."""

import subprocess
import sys

IMPORTED = """
import sys
before = set(sys.modules)
import provisioner.checkpoint
print(*{name.partition(".")[0] for name in set(sys.modules) - before})
"""


def test_it_imports_the_standard_library_alone() -> None:
    """No framework, no SDK, no store and no command line comes with it."""
    command = [sys.executable, "-c", IMPORTED]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    imported = set(done.stdout.split())
    assert "provisioner" in imported
    assert imported - {"provisioner"} <= sys.stdlib_module_names
