SELECT
    p.plan_id,
    p.plan_name,
    p.monthly_fee::float8 AS monthly_fee,
    active.subscribers,
    active.active_subscriptions,
    (p.monthly_fee * active.active_subscriptions)::float8 AS monthly_revenue,
    watched.streams,
    round(watched.streams::numeric / nullif(active.subscribers, 0), 2)::float8
        AS streams_per_subscriber
FROM plans AS p
CROSS JOIN LATERAL (
    SELECT count(DISTINCT s.account_id) AS subscribers, count(*) AS active_subscriptions
    FROM subscriptions AS s
    WHERE s.plan_id = p.plan_id AND lower(s.status) = 'active'
) AS active
CROSS JOIN LATERAL (
    SELECT count(*) AS streams
    FROM play_events AS pe
    WHERE lower(pe.action) IN ('play', 'start')
      AND pe.account_id_from_token IN (
          SELECT s.account_id
          FROM subscriptions AS s
          WHERE s.plan_id = p.plan_id AND lower(s.status) = 'active'
      )
) AS watched
ORDER BY p.monthly_fee * active.active_subscriptions DESC, p.plan_id;
