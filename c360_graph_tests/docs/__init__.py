"""The documents are held to what they say: their commands run, their links resolve, their tables are whole."""
