// title: Nodes by label
// description: How many nodes each label has. An example: write one file for each question of your own.
// chart: bar of nodes by label
MATCH (n)
WHERE none(name IN labels(n) WHERE name STARTS WITH '_C360')
UNWIND labels(n) AS label
RETURN label, count(*) AS nodes
ORDER BY nodes DESC, label
