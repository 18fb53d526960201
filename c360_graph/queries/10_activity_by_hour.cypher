// title: Activity by hour of the day
// description: One row for each hour (UTC) that has events. Peak: at least three quarters of the
// description: busiest hour's events. High: at least half. Medium: at least a quarter. Low: fewer.
// chart: column of events by hour
MATCH (pe:PlayEvent)
OPTIONAL MATCH (a:Account)-[:WATCHED]->(pe)
WITH
  pe.event_timestamp.hour AS hour,
  count(DISTINCT pe) AS events,
  count(DISTINCT CASE WHEN toLower(pe.action) IN ['play', 'start'] THEN pe END) AS streams,
  count(DISTINCT a) AS users
WITH collect({hour: hour, events: events, streams: streams, users: users}) AS hours, max(events) AS busiest
UNWIND hours AS row
RETURN
  row.hour AS hour,
  row.events AS events,
  row.streams AS streams,
  row.users AS users,
  CASE
    WHEN row.events * 4 >= busiest * 3 THEN 'Peak'
    WHEN row.events * 2 >= busiest THEN 'High'
    WHEN row.events * 4 >= busiest THEN 'Medium'
    ELSE 'Low'
  END AS level
ORDER BY hour;
