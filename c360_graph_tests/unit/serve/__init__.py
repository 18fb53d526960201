"""What the API decides without a server."""
