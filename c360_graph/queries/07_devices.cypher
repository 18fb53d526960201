// title: Devices with usage and technical tickets
// description: The twenty devices with the most events: how many streams and users they have, and how
// description: many tickets tagged technical those users have submitted.
MATCH (pe:PlayEvent)
WHERE pe.device_fingerprint IS NOT NULL
WITH
  pe.device_fingerprint AS device_fingerprint,
  count(pe) AS events,
  count(CASE WHEN toLower(pe.action) IN ['play', 'start'] THEN pe END) AS streams
ORDER BY events DESC, device_fingerprint
LIMIT 20
WITH
  collect({device_fingerprint: device_fingerprint, events: events, streams: streams}) AS devices,
  collect(device_fingerprint) AS fingerprints
MATCH (pe:PlayEvent)
WHERE pe.device_fingerprint IN fingerprints
OPTIONAL MATCH (a:Account)-[:WATCHED]->(pe)
WITH devices, pe.device_fingerprint AS fingerprint, collect(DISTINCT a) AS users
CALL (users) {
  UNWIND users AS user
  MATCH (user)-[:SUBMITTED]->(t:Ticket)-[:TAGGED_WITH]->(tag:Tag)
  WHERE toLower(tag.tag_name) = 'technical'
  RETURN count(DISTINCT t) AS technical_tickets
}
UNWIND [device IN devices WHERE device.device_fingerprint = fingerprint] AS device
RETURN
  fingerprint AS device_fingerprint,
  device.events AS events,
  device.streams AS streams,
  size(users) AS distinct_users,
  technical_tickets
ORDER BY events DESC, device_fingerprint;
