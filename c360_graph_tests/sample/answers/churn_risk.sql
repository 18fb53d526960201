SELECT
    account_id::text AS account_id,
    email,
    streams_last_30_days,
    tickets_last_30_days,
    last_watched,
    floor(
        extract(epoch FROM %(as_of)s::timestamptz - last_watched) / 86400
    )::bigint AS days_since_last_watched,
    risk
FROM (
    SELECT
        a.account_id,
        a.email,
        watched.last_watched,
        watched.streams_last_30_days,
        asked.tickets_last_30_days,
        CASE
            WHEN watched.streams_last_30_days = 0 THEN 'High'
            WHEN watched.streams_last_30_days < 3 OR asked.tickets_last_30_days >= 2 THEN 'Medium'
            ELSE 'Low'
        END AS risk
    FROM accounts AS a
    CROSS JOIN LATERAL (
        SELECT
            max(pe.event_timestamp) AS last_watched,
            count(*) FILTER (
                WHERE lower(pe.action) IN ('play', 'start')
                  AND pe.event_timestamp > %(as_of)s::timestamptz - interval '720 hours'
            ) AS streams_last_30_days
        FROM play_events AS pe
        WHERE pe.account_id_from_token = a.account_id
          AND pe.event_timestamp <= %(as_of)s::timestamptz
    ) AS watched
    CROSS JOIN LATERAL (
        SELECT count(*) AS tickets_last_30_days
        FROM tickets AS t
        WHERE t.customer_email = a.email
          AND t.created_at > %(as_of)s::timestamptz - interval '720 hours'
          AND t.created_at <= %(as_of)s::timestamptz
    ) AS asked
    WHERE EXISTS (
        SELECT
        FROM subscriptions AS s
        WHERE s.account_id = a.account_id AND lower(s.status) = 'active'
    )
) AS subscriber
ORDER BY
    array_position(ARRAY['High', 'Medium', 'Low'], risk),
    streams_last_30_days,
    account_id::text COLLATE "C";
