"""Pulumi programs: one thin module per stack, components beside them."""
