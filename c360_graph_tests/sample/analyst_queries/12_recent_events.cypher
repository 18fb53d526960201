MATCH (a:Account)-[:WATCHED]->(pe:PlayEvent)-[:PLAYED]->(m:Media)
WHERE pe.event_timestamp > datetime('2025-11-03T00:00:00') - duration({days: 30})
  AND m.release_date < date('2020-01-01')
  AND date(pe.event_timestamp) <= date('2025-11-03')
RETURN a.email AS email, m.title AS title, pe.action AS action, toString(pe.event_timestamp) AS at
ORDER BY at, email
LIMIT 25;
