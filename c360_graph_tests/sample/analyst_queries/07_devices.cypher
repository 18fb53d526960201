MATCH (a:Account)-[:WATCHED]->(pe:PlayEvent)
MATCH (a)-[:SUBMITTED]->(t:Ticket)-[:TAGGED_WITH]->(tag:Tag)
WHERE tag.tag_name IN ['Technical', 'Playback']
RETURN
  pe.device_fingerprint AS device,
  count(DISTINCT pe) AS usage,
  count(DISTINCT a) AS users,
  count(DISTINCT t) AS technical_tickets
ORDER BY technical_tickets DESC, usage DESC, device;
