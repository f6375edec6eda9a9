"""The public side: what happens to a visitor's request."""

from gateway.edge.edge import Edge

__all__ = ["Edge"]
