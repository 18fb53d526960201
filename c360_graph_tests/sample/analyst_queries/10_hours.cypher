MATCH (pe:PlayEvent)
WITH pe.event_timestamp.hour AS hour, count(*) AS events
RETURN hour, events,
  CASE
    WHEN events > 40 THEN 'Peak'
    WHEN events > 20 THEN 'High'
    WHEN events > 10 THEN 'Medium'
    ELSE 'Low'
  END AS level
ORDER BY hour;
