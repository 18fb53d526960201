"""The target: connection, lock, loading a script, and reconciling what it holds."""
