MATCH (a:Account)-[:HAS_SUBSCRIPTION]->(s:Subscription)-[:SUBSCRIBED_TO]->(p:Plan)
WHERE s.status IN ['active', 'Active']
WITH a, p, duration.between(a.created_at, datetime('2025-11-03T00:00:00')).months AS months_active
OPTIONAL MATCH (a)-[:WATCHED]->(pe:PlayEvent)
WITH a, p, months_active, count(pe) AS events
RETURN
  a.email AS email, p.plan_name AS plan, months_active,
  toFloat(p.monthly_fee) * months_active AS lifetime_value, events
ORDER BY lifetime_value DESC, email, plan;
