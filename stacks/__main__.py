"""The program of every stack: the stack's name says which (aws-p5, or aws-p5-anything)."""

import sys
from importlib import import_module
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the project's root: pulumi starts programs in stacks/

from stacks.names import chosen

import_module(f"stacks.{chosen().replace('-', '_')}").program()
