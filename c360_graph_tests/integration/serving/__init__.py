"""`c360 serve` on real servers."""
