WITH hacked AS (
    SELECT DISTINCT a.account_id
    FROM accounts AS a
    JOIN tickets AS t ON t.customer_email = a.email
    JOIN ticket_tag_link AS link USING (ticket_id)
    JOIN ticket_tags AS tag USING (tag_id)
    WHERE lower(tag.tag_name) = 'hacked'
),
card_sharers AS (
    SELECT DISTINCT mine.account_id
    FROM payment_methods AS mine
    JOIN payment_methods AS theirs USING (card_fingerprint)
    JOIN hacked ON hacked.account_id = theirs.account_id
    WHERE mine.account_id <> theirs.account_id
),
ip_sharers AS (
    SELECT DISTINCT mine.account_id_from_token AS account_id
    FROM play_events AS mine
    JOIN play_events AS theirs USING (ip_address)
    JOIN accounts AS other ON other.account_id = theirs.account_id_from_token
    WHERE mine.account_id_from_token <> theirs.account_id_from_token
)
SELECT
    count(a.account_id) AS users,
    (SELECT count(*) FROM card_sharers) AS users_sharing_a_card,
    coalesce(array_agg(a.email ORDER BY a.email COLLATE "C"), ARRAY[]::text[]) AS emails
FROM card_sharers
JOIN ip_sharers USING (account_id)
JOIN accounts AS a USING (account_id);
