"""What stands in for a shared store while it is away."""
