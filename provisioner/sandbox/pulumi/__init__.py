"""The sandbox's other door: what `pulumi up` needs to act on the sandbox cloud instead of a real one."""
