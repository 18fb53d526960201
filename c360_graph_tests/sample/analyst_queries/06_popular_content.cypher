MATCH (pe:PlayEvent)-[:PLAYED]->(m:Media)
WITH m,
  sum(CASE WHEN pe.action IN ['play', 'START'] THEN 1 ELSE 0 END) AS starts,
  sum(CASE WHEN pe.action IN ['FINISH', 'finish'] THEN 1 ELSE 0 END) AS completions
WHERE starts > 0
RETURN m.title AS title, starts, completions, toFloat(completions) / starts AS completion_rate
ORDER BY starts DESC, title
LIMIT 10;
