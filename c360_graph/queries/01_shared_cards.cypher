// title: Accounts that share a card fingerprint
// description: One row for each card that at least two accounts pay with. An account that has the
// description: same card twice does not count as two.
MATCH (a:Account)-[:HAS_PAYMENT_METHOD]->(pm:PaymentMethod)
WHERE pm.card_fingerprint IS NOT NULL
WITH pm.card_fingerprint AS card_fingerprint, a, count(pm) AS cards
ORDER BY card_fingerprint, a.email
WITH card_fingerprint, count(a) AS accounts, sum(cards) AS payment_methods, collect(a.email) AS emails
WHERE accounts > 1
RETURN card_fingerprint, accounts, payment_methods, emails
ORDER BY accounts DESC, card_fingerprint;
