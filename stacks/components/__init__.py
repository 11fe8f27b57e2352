"""What stacks are made of: one ComponentResource a file."""
