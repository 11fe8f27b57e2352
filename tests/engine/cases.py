"""A Pulumi program made of the table's cases: one resource each, by its type's token and inputs."""

PROGRAM = """
import json
import pulumi

for name, token, inputs in json.load(open("cases.json")):
    pulumi.CustomResource(token, name, inputs)
"""
YAML = """
name: cases
runtime: {name: python, options: {virtualenv: .venv}}
"""
