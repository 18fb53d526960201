MATCH (a:Account)-[:WATCHED]->(pe:PlayEvent)
WHERE pe.event_timestamp >= datetime('2025-10-01T00:00:00Z')
  AND pe.event_timestamp < datetime('2025-11-01T00:00:00Z')
RETURN a.email AS email, count(pe) AS events, max(pe.event_timestamp) AS last_seen
ORDER BY events DESC, email
LIMIT 10;
