// title: Churn risk over the last 30 days
// description: One row for each account with an active subscription. High: no stream in the 30 days
// description: before as_of. Medium: fewer than three streams, or two tickets or more. Low: all others.
// parameter: as_of = now
// parameter: few_streams = 3
// parameter: many_tickets = 2
// chart: bar of rows by risk
MATCH (a:Account)
WHERE EXISTS {
  MATCH (a)-[:HAS_SUBSCRIPTION]->(s:Subscription)
  WHERE toLower(s.status) = 'active'
}
CALL (a) {
  OPTIONAL MATCH (a)-[:WATCHED]->(pe:PlayEvent)
  WHERE pe.event_timestamp <= $as_of
  RETURN
    max(pe.event_timestamp) AS last_watched,
    sum(
      CASE
        WHEN pe.event_timestamp > $as_of - duration({days: 30})
          AND toLower(pe.action) IN ['play', 'start'] THEN 1
        ELSE 0
      END
    ) AS streams_last_30_days
}
WITH a, last_watched, streams_last_30_days, COUNT {
  MATCH (a)-[:SUBMITTED]->(t:Ticket)
  WHERE t.created_at > $as_of - duration({days: 30}) AND t.created_at <= $as_of
} AS tickets_last_30_days
WITH a, last_watched, streams_last_30_days, tickets_last_30_days,
  CASE
    WHEN streams_last_30_days = 0 THEN 'High'
    WHEN streams_last_30_days < $few_streams OR tickets_last_30_days >= $many_tickets THEN 'Medium'
    ELSE 'Low'
  END AS risk
RETURN
  a.account_id AS account_id,
  a.email AS email,
  streams_last_30_days,
  tickets_last_30_days,
  last_watched,
  duration.inDays(last_watched, $as_of).days AS days_since_last_watched,
  risk
ORDER BY CASE risk WHEN 'High' THEN 0 WHEN 'Medium' THEN 1 ELSE 2 END, streams_last_30_days, account_id;
