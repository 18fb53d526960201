SELECT
    used.device_fingerprint,
    used.events,
    used.streams,
    used.distinct_users,
    (
        SELECT count(*)
        FROM tickets AS t
        WHERE t.customer_email IN (
            SELECT a.email
            FROM play_events AS pe
            JOIN accounts AS a ON a.account_id = pe.account_id_from_token
            WHERE pe.device_fingerprint = used.device_fingerprint
        )
          AND EXISTS (
              SELECT
              FROM ticket_tag_link AS link
              JOIN ticket_tags AS tag USING (tag_id)
              WHERE link.ticket_id = t.ticket_id AND lower(tag.tag_name) = 'technical'
          )
    ) AS technical_tickets
FROM (
    SELECT
        pe.device_fingerprint,
        count(*) AS events,
        count(*) FILTER (WHERE lower(pe.action) IN ('play', 'start')) AS streams,
        count(DISTINCT a.account_id) AS distinct_users
    FROM play_events AS pe
    LEFT JOIN accounts AS a ON a.account_id = pe.account_id_from_token
    WHERE pe.device_fingerprint IS NOT NULL
    GROUP BY pe.device_fingerprint
) AS used
ORDER BY used.events DESC, used.device_fingerprint COLLATE "C"
LIMIT 20;
