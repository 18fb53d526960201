WITH customer AS (
    SELECT * FROM accounts WHERE email = %(email)s
)
SELECT happened_at, step, item_id, detail, tags
FROM (
    SELECT
        created_at AS happened_at,
        'account created' AS step,
        account_id::text AS item_id,
        coalesce(full_name, 'no name') AS detail,
        ARRAY[]::text[] AS tags
    FROM customer
    UNION ALL
    SELECT
        NULL,
        'payment method',
        pm.payment_method_id::text,
        coalesce(lower(pm.card_type), 'card') || ' ending in ' || coalesce(pm.card_last_four, '?'),
        ARRAY[]::text[]
    FROM customer
    JOIN payment_methods AS pm USING (account_id)
    UNION ALL
    SELECT
        moment.happened_at,
        moment.step,
        s.subscription_id::text,
        coalesce(p.plan_name, 'no plan') || ', ' || lower(s.status),
        ARRAY[]::text[]
    FROM customer
    JOIN subscriptions AS s USING (account_id)
    LEFT JOIN plans AS p USING (plan_id)
    CROSS JOIN LATERAL (
        VALUES ('subscription starts', s.starts_at), ('subscription renews', s.renews_at)
    ) AS moment (step, happened_at)
    WHERE moment.happened_at IS NOT NULL
    UNION ALL
    SELECT
        pe.event_timestamp,
        'watching',
        pe.event_id::text,
        lower(pe.action) || ' ' || coalesce(m.title, 'unknown title') || ' on '
            || coalesce(pe.device_fingerprint, 'unknown device'),
        ARRAY[]::text[]
    FROM customer
    JOIN play_events AS pe ON pe.account_id_from_token = customer.account_id
    LEFT JOIN media_content AS m USING (media_id)
    UNION ALL
    SELECT
        moment.happened_at,
        moment.step,
        t.ticket_id,
        coalesce(t.subject, 'no subject') || ', ' || lower(t.status),
        ARRAY(
            SELECT tag.tag_name
            FROM ticket_tag_link AS link
            JOIN ticket_tags AS tag USING (tag_id)
            WHERE link.ticket_id = t.ticket_id
            ORDER BY tag.tag_name COLLATE "C"
        )
    FROM customer
    JOIN tickets AS t ON t.customer_email = customer.email
    CROSS JOIN LATERAL (
        VALUES ('ticket opened', t.created_at), ('ticket updated', t.last_updated_at)
    ) AS moment (step, happened_at)
    WHERE moment.happened_at IS NOT NULL
) AS journey
ORDER BY happened_at, step COLLATE "C", item_id COLLATE "C";
