"""python -m benchmarks [NAME… [its arguments]]: prints every claim as a ratio to the peer or limit that it names."""

import importlib
import sys

CLAIMS = ("help", "requests", "recovery", "transfer", "memory", "rules", "kills", "estate")


def main() -> int:
    names = [name for name in sys.argv[1:] if name in CLAIMS] or CLAIMS
    return max(importlib.import_module(f"benchmarks.{name}").main() for name in names)


if __name__ == "__main__":
    sys.exit(main())
