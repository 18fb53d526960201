SELECT
    a.account_id::text AS account_id,
    a.email,
    present.plan_name,
    lower(present.status) AS status,
    active.months AS months_active,
    worth.lifetime_value::float8 AS lifetime_value,
    watched.streams,
    watched.distinct_content,
    (SELECT count(*) FROM tickets AS t WHERE t.customer_email = a.email) AS tickets,
    CASE
        WHEN worth.lifetime_value >= 300 THEN 'High'
        WHEN worth.lifetime_value >= 100 THEN 'Medium'
        WHEN worth.lifetime_value > 0 THEN 'Low'
        ELSE 'None'
    END AS segment
FROM accounts AS a
LEFT JOIN LATERAL (
    SELECT s.status, p.plan_name, p.monthly_fee
    FROM subscriptions AS s
    LEFT JOIN plans AS p USING (plan_id)
    WHERE s.account_id = a.account_id
    ORDER BY lower(s.status) = 'active' DESC, s.starts_at DESC, s.subscription_id::text COLLATE "C"
    LIMIT 1
) AS present ON true
CROSS JOIN LATERAL (
    -- In UTC: the age of two timestamptz would be counted in the session's own zone.
    SELECT age(%(as_of)s::timestamptz AT TIME ZONE 'UTC', a.created_at AT TIME ZONE 'UTC') AS age
) AS since
CROSS JOIN LATERAL (
    SELECT (extract(year FROM since.age) * 12 + extract(month FROM since.age))::bigint AS months
) AS active
CROSS JOIN LATERAL (
    SELECT round(coalesce(present.monthly_fee, 0) * active.months, 2) AS lifetime_value
) AS worth
CROSS JOIN LATERAL (
    SELECT count(*) AS streams, count(DISTINCT pe.media_id) AS distinct_content
    FROM play_events AS pe
    WHERE pe.account_id_from_token = a.account_id AND lower(pe.action) IN ('play', 'start')
) AS watched
ORDER BY worth.lifetime_value DESC, a.account_id::text COLLATE "C";
