"""The page of answers, charts and pictures: one HTML file that needs nothing else to be seen."""
