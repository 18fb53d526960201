SELECT
    card_fingerprint,
    count(*) AS accounts,
    sum(cards)::bigint AS payment_methods,
    array_agg(email ORDER BY email COLLATE "C") AS emails
FROM (
    SELECT pm.card_fingerprint, a.email, count(*) AS cards
    FROM accounts AS a
    JOIN payment_methods AS pm USING (account_id)
    WHERE pm.card_fingerprint IS NOT NULL
    GROUP BY pm.card_fingerprint, a.account_id, a.email
) AS sharing
GROUP BY card_fingerprint
HAVING count(*) > 1
ORDER BY accounts DESC, card_fingerprint COLLATE "C";
