// title: Most active streamers
// description: The ten accounts with the most streams; a stream is an event that starts playing. Days
// description: are days in UTC.
MATCH (a:Account)
CALL (a) {
  MATCH (a)-[:WATCHED]->(pe:PlayEvent)
  RETURN
    count(DISTINCT CASE WHEN toLower(pe.action) IN ['play', 'start'] THEN pe END) AS streams,
    count(DISTINCT pe) AS events
}
WITH a, streams, events
WHERE streams > 0
ORDER BY streams DESC, events DESC, a.account_id
LIMIT 10
CALL (a) {
  MATCH (a)-[:WATCHED]->(pe:PlayEvent)
  OPTIONAL MATCH (pe)-[:PLAYED]->(m:Media)
  RETURN
    count(DISTINCT CASE WHEN toLower(pe.action) IN ['play', 'start'] THEN m END) AS distinct_content,
    count(DISTINCT pe.device_fingerprint) AS devices,
    count(DISTINCT date(pe.event_timestamp)) AS active_days,
    max(pe.event_timestamp) AS last_watched
}
RETURN
  a.account_id AS account_id,
  a.email AS email,
  streams,
  events,
  distinct_content,
  devices,
  active_days,
  last_watched
ORDER BY streams DESC, events DESC, account_id;
