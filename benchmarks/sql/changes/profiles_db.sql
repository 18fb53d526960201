-- About a thousandth of the rows; no key and no number of relationships changes.
UPDATE accounts SET full_name = 'N' || md5(full_name || clock_timestamp()::text)
WHERE account_id IN (SELECT account_id FROM accounts TABLESAMPLE BERNOULLI (0.1));
UPDATE payment_methods SET card_type = 'T' || left(md5(clock_timestamp()::text), 8)
WHERE payment_method_id IN (SELECT payment_method_id FROM payment_methods TABLESAMPLE BERNOULLI (0.1));
UPDATE subscriptions SET status = left(md5(clock_timestamp()::text), 8)
WHERE subscription_id IN (SELECT subscription_id FROM subscriptions TABLESAMPLE BERNOULLI (0.1));
