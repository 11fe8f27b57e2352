"""What a killed `pulumi up` was making, taken over into its stack's state."""
