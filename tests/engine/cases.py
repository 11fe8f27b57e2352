"""A Pulumi program made of the table's cases: one resource each, by its type's token and inputs."""

PROGRAM = """
import json
import pulumi

for name, token, inputs, options in json.load(open("cases.json")):
    told = pulumi.ResourceOptions(protect=options.get("protect"), ignore_changes=options.get("ignoreChanges"))
    pulumi.CustomResource(token, name, inputs, told)
"""
YAML = """
name: cases
runtime: {name: python, options: {virtualenv: .venv}}
"""
