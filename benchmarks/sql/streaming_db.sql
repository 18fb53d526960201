-- streaming_db at scale: 2,000 media, but no more than events, and `bench.events` play events.
--
-- A few media and a few accounts have most of the events; 2% of the events name no account, 1% one
-- that does not exist, 1% no media.

INSERT INTO media_content (media_id, title, media_type, genre, release_date, duration_minutes)
SELECT 'M-' || lpad(n::text, 5, '0'),
    (ARRAY['The Baker''s Dozen', 'The "Quoted" Life', 'Café déjà vu', 'Semi;Colon, The End'])[1 + n % 4]
        || ' ' || n,
    (ARRAY['movie', 'series'])[1 + n % 2],
    (ARRAY['Drama', 'Comedy', 'Sci-Fi', 'Documentary', 'Kids'])[1 + n % 5],
    CASE WHEN n % 100 = 0 THEN NULL ELSE date '1980-01-01' + n % 16000 END,
    20 + n % 140
FROM generate_series(1, least(2000, current_setting('bench.events')::int)) AS n;

INSERT INTO play_events
    (event_id, session_id, account_id_from_token, media_id, event_timestamp, action, ip_address,
     device_fingerprint)
SELECT 5000000000 + n, 's-' || n / 4,
    CASE WHEN kind < 0.02 THEN NULL
        WHEN kind < 0.03 THEN pg_temp.bench_uuid('nobody', n)
        ELSE pg_temp.bench_uuid('account', 1 + floor(power(account, 2) * accounts)::bigint)
    END,
    CASE WHEN kind BETWEEN 0.03 AND 0.04 THEN NULL
        ELSE 'M-' || lpad((1 + floor(power(media, 3) * titles))::text, 5, '0')
    END,
    timestamptz '2025-01-01 00:00:00+00' + moment * interval '300 days',
    (ARRAY['play', 'pause', 'stop', 'Finish', 'START'])[1 + n % 5],
    CASE WHEN n % 50 = 0 THEN NULL
        WHEN n % 10 = 0 THEN ('2001:db8::' || to_hex(n / 4 % 65536))::inet
        ELSE ('10.' || n / 4 % 200 || '.' || n / 9 % 250 || '.' || n % 250)::inet
    END,
    (ARRAY['phone-', 'tv-', 'web-'])[1 + n % 3] || to_hex(n / 4 % 1000003)
FROM (
    SELECT scale.accounts, scale.titles, n, pg_temp.bench_part('kind', n) AS kind, pg_temp.bench_part('who', n) AS account,
        pg_temp.bench_part('what', n) AS media, pg_temp.bench_part('when', n) AS moment
    FROM (
            SELECT greatest(1, current_setting('bench.events')::bigint / 20) AS accounts,
                least(2000, current_setting('bench.events')::int) AS titles
        ) AS scale,
        generate_series(1, current_setting('bench.events')::bigint) AS n
) AS drawn;
