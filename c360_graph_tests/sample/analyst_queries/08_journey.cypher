MATCH (a:Account {email: 'john.smith@email.com'})-[:HAS_SUBSCRIPTION]->(s:Subscription)-[:SUBSCRIBED_TO]->(p:Plan)
MATCH (a)-[:HAS_PAYMENT_METHOD]->(pm:PaymentMethod)
OPTIONAL MATCH (a)-[:WATCHED]->(pe:PlayEvent)-[:PLAYED]->(m:Media)
WHERE pe.event_timestamp >= datetime('2025-10-01T00:00:00')
OPTIONAL MATCH (a)-[:SUBMITTED]->(t:Ticket)-[:TAGGED_WITH]->(tag:Tag)
RETURN
  a.full_name AS customer,
  collect(DISTINCT p.plan_name) AS plans,
  collect(DISTINCT pm.card_last_four) AS cards,
  collect(DISTINCT m.title) AS watched,
  collect(DISTINCT t.subject) AS tickets,
  collect(DISTINCT tag.tag_name) AS tags;
