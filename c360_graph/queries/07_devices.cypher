// title: Devices with usage and technical tickets
// description: The twenty devices with the most events: how many streams and users they have, and how
// description: many tickets tagged technical those users have submitted.
MATCH (pe:PlayEvent)
WHERE pe.device_fingerprint IS NOT NULL
OPTIONAL MATCH (a:Account)-[:WATCHED]->(pe)
WITH
  pe.device_fingerprint AS device_fingerprint,
  count(DISTINCT pe) AS events,
  count(DISTINCT CASE WHEN toLower(pe.action) IN ['play', 'start'] THEN pe END) AS streams,
  collect(DISTINCT a) AS users
CALL (users) {
  UNWIND users AS user
  MATCH (user)-[:SUBMITTED]->(t:Ticket)-[:TAGGED_WITH]->(tag:Tag)
  WHERE toLower(tag.tag_name) = 'technical'
  RETURN count(DISTINCT t) AS technical_tickets
}
RETURN device_fingerprint, events, streams, size(users) AS distinct_users, technical_tickets
ORDER BY events DESC, device_fingerprint
LIMIT 20;
