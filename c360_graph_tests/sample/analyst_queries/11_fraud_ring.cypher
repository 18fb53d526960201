MATCH (hacked:Account)-[:SUBMITTED]->(:Ticket)-[:TAGGED_WITH]->(:Tag {tag_name: 'Hacked'})
MATCH (hacked)-[:HAS_PAYMENT_METHOD]->(pm1:PaymentMethod)
MATCH (user:Account)-[:HAS_PAYMENT_METHOD]->(pm2:PaymentMethod)
WHERE pm1.card_fingerprint = pm2.card_fingerprint AND user <> hacked
WITH DISTINCT user
MATCH (user)-[:WATCHED]->(pe1:PlayEvent)
MATCH (other:Account)-[:WATCHED]->(pe2:PlayEvent)
WHERE pe1.ip_address = pe2.ip_address AND other <> user
RETURN count(DISTINCT user) AS users;
