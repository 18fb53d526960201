MATCH (a:Account)-[:HAS_SUBSCRIPTION]->(s:Subscription)
WHERE s.status IN ['active', 'Active']
OPTIONAL MATCH (a)-[:WATCHED]->(pe:PlayEvent)
WHERE pe.event_timestamp > datetime('2025-11-03T00:00:00') - duration({days: 30})
WITH a, count(DISTINCT pe) AS recent_events
WHERE recent_events < 3
RETURN a.email AS email, recent_events
ORDER BY recent_events, email;
