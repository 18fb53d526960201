SELECT
    hour,
    events,
    streams,
    users,
    CASE
        WHEN events * 4 >= max(events) OVER () * 3 THEN 'Peak'
        WHEN events * 2 >= max(events) OVER () THEN 'High'
        WHEN events * 4 >= max(events) OVER () THEN 'Medium'
        ELSE 'Low'
    END AS level
FROM (
    SELECT
        extract(hour FROM pe.event_timestamp AT TIME ZONE 'UTC')::integer AS hour,
        count(*) AS events,
        count(*) FILTER (WHERE lower(pe.action) IN ('play', 'start')) AS streams,
        count(DISTINCT a.account_id) AS users
    FROM play_events AS pe
    LEFT JOIN accounts AS a ON a.account_id = pe.account_id_from_token
    GROUP BY 1
) AS busy
ORDER BY hour;
