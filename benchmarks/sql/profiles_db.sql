-- profiles_db at scale: one account and one subscription for every 20 play events, one payment
-- method for every 18. Settings `bench.events` and `bench.seed` say how many and which.
--
-- Every value is cut out of md5(seed, what, number), so that a seed gives the same rows everywhere.

INSERT INTO plans (plan_id, plan_name, monthly_fee, max_devices)
VALUES (1, 'Basic', 7.99, 1), (2, 'Standard', 12.99, 2), (3, 'Premium', 17.99, 4), (4, 'Staff', 0.00, NULL);

INSERT INTO accounts (account_id, email, hashed_password, full_name, created_at)
SELECT pg_temp.bench_uuid('account', n), 'user' || n || '@mail' || n % 7 || '.example',
    '$2b$12$' || md5(n::text) || md5(n::text || 'salt'),
    CASE WHEN pg_temp.bench_part('name', n) < 0.02 THEN NULL
        ELSE (ARRAY['Ada', 'Zoë', 'Conor', '花子', 'Layla "Lay"', 'Max', 'Mia', 'José'])[1 + n % 8]
            || ' ' || (ARRAY['O''Brien', 'Smith', 'Müller', '山田', 'حداد', 'Rossi', 'Delgado'])[1 + n % 7]
    END,
    timestamptz '2022-01-01 00:00:00+00' + pg_temp.bench_part('created', n) * interval '1300 days'
FROM generate_series(1, greatest(1, current_setting('bench.events')::bigint / 20)) AS n;

INSERT INTO payment_methods
    (payment_method_id, account_id, card_fingerprint, card_type, card_last_four)
SELECT pg_temp.bench_uuid('payment', n),
    pg_temp.bench_uuid('account', 1 + floor(pg_temp.bench_part('payer', n) * accounts)::bigint),
    -- One card in twelve is shared by several accounts.
    md5('card' || CASE WHEN n % 12 = 0 THEN n / 100 ELSE n END),
    (ARRAY['visa', 'mastercard', 'amex', 'Visa'])[1 + n % 4],
    lpad((n % 10000)::text, 4, '0')
FROM (SELECT greatest(1, current_setting('bench.events')::bigint / 20) AS accounts) AS scale,
    generate_series(1, greatest(1, current_setting('bench.events')::bigint / 18)) AS n;

INSERT INTO subscriptions (subscription_id, account_id, plan_id, status, starts_at, renews_at)
SELECT pg_temp.bench_uuid('subscription', n), pg_temp.bench_uuid('account', n),
    CASE WHEN pg_temp.bench_part('plan', n) < 0.01 THEN NULL ELSE 1 + n % 4 END,
    (ARRAY['active', 'cancelled', 'Active', 'paused'])[1 + n % 4],
    timestamptz '2023-01-01 00:00:00+00' + pg_temp.bench_part('starts', n) * interval '900 days',
    CASE WHEN n % 4 = 1 THEN NULL
        ELSE timestamptz '2026-01-01 00:00:00+00' + pg_temp.bench_part('renews', n) * interval '30 days'
    END
FROM generate_series(1, greatest(1, current_setting('bench.events')::bigint / 20)) AS n;
