SELECT
    account_id::text AS account_id,
    email,
    streams,
    events,
    distinct_content,
    devices,
    active_days,
    last_watched
FROM (
    SELECT
        a.account_id,
        a.email,
        count(*) FILTER (WHERE lower(pe.action) IN ('play', 'start')) AS streams,
        count(*) AS events,
        count(DISTINCT pe.media_id) FILTER (WHERE lower(pe.action) IN ('play', 'start'))
            AS distinct_content,
        count(DISTINCT pe.device_fingerprint) AS devices,
        count(DISTINCT (pe.event_timestamp AT TIME ZONE 'UTC')::date) AS active_days,
        max(pe.event_timestamp) AS last_watched
    FROM accounts AS a
    JOIN play_events AS pe ON pe.account_id_from_token = a.account_id
    GROUP BY a.account_id, a.email
) AS streamer
WHERE streams > 0
ORDER BY streams DESC, events DESC, account_id::text COLLATE "C"
LIMIT 10;
