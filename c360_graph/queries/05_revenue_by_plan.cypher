// title: Revenue by plan
// description: One row for each plan: its fee times its active subscriptions, and how much their
// description: accounts stream. An account with two active subscriptions is one subscriber.
// chart: bar of monthly_revenue by plan_name
MATCH (p:Plan)
CALL (p) {
  OPTIONAL MATCH (a:Account)-[:HAS_SUBSCRIPTION]->(s:Subscription)-[:SUBSCRIBED_TO]->(p)
  WHERE toLower(s.status) = 'active'
  RETURN collect(DISTINCT a) AS subscribers, count(DISTINCT s) AS active_subscriptions
}
CALL (subscribers) {
  UNWIND subscribers AS a
  MATCH (a)-[:WATCHED]->(pe:PlayEvent)
  WHERE toLower(pe.action) IN ['play', 'start']
  RETURN count(pe) AS streams
}
RETURN
  p.plan_id AS plan_id,
  p.plan_name AS plan_name,
  toFloat(p.monthly_fee) AS monthly_fee,
  size(subscribers) AS subscribers,
  active_subscriptions,
  round(toFloat(p.monthly_fee) * active_subscriptions, 2) AS monthly_revenue,
  streams,
  CASE
    WHEN size(subscribers) > 0 THEN round(toFloat(streams) / size(subscribers), 2)
  END AS streams_per_subscriber
ORDER BY monthly_revenue DESC, plan_id;
