MATCH (a1:Account)-[:HAS_PAYMENT_METHOD]->(p1:PaymentMethod)
MATCH (a2:Account)-[:HAS_PAYMENT_METHOD]->(p2:PaymentMethod)
WHERE p1.card_fingerprint = p2.card_fingerprint AND a1.account_id < a2.account_id
RETURN DISTINCT p1.card_fingerprint AS card, a1.email AS first_account, a2.email AS second_account
ORDER BY card, first_account, second_account;
