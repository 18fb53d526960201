// title: Customer lifetime value
// description: One row for each account: the fee of its present plan times the whole months since the
// description: account was made. The present subscription is an active one before any other, then the
// description: latest. A stream is an event that starts playing.
// parameter: as_of = now
// parameter: high = 300
// parameter: medium = 100
MATCH (a:Account)
CALL (a) {
  OPTIONAL MATCH (a)-[:HAS_SUBSCRIPTION]->(s:Subscription)
  OPTIONAL MATCH (s)-[:SUBSCRIBED_TO]->(p:Plan)
  RETURN s, p
  ORDER BY CASE toLower(s.status) WHEN 'active' THEN 0 ELSE 1 END, s.starts_at DESC, s.subscription_id
  LIMIT 1
}
CALL (a) {
  OPTIONAL MATCH (a)-[:WATCHED]->(pe:PlayEvent)
  WHERE toLower(pe.action) IN ['play', 'start']
  OPTIONAL MATCH (pe)-[:PLAYED]->(m:Media)
  RETURN count(DISTINCT pe) AS streams, count(DISTINCT m) AS distinct_content
}
WITH a, s, p, streams, distinct_content, duration.between(a.created_at, $as_of).months AS months_active
WITH a, s, p, streams, distinct_content, months_active, round(coalesce(toFloat(p.monthly_fee), 0.0) * months_active, 2) AS lifetime_value
RETURN
  a.account_id AS account_id,
  a.email AS email,
  p.plan_name AS plan_name,
  toLower(s.status) AS status,
  months_active,
  lifetime_value,
  streams,
  distinct_content,
  COUNT { (a)-[:SUBMITTED]->(:Ticket) } AS tickets,
  CASE
    WHEN lifetime_value >= $high THEN 'High'
    WHEN lifetime_value >= $medium THEN 'Medium'
    WHEN lifetime_value > 0 THEN 'Low'
    ELSE 'None'
  END AS segment
ORDER BY lifetime_value DESC, account_id;
