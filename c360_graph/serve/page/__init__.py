"""The page: HTML that is made here and needs no script."""
