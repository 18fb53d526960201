"""Lost and silent servers: which errors pass, and who notices silence."""
