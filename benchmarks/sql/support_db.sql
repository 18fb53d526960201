-- support_db at scale: one ticket for every 50 play events and two tags a ticket.
--
-- One ticket in twenty comes from an address of no account; one subject in 200 holds backslashes.

INSERT INTO ticket_tags (tag_id, tag_name)
SELECT n, (ARRAY['Technical', 'Billing', 'Hacked', 'Playback', 'Account'])[1 + n % 5] || ' ' || n
FROM generate_series(1, 40) AS n;

INSERT INTO tickets
    (ticket_id, customer_email, agent_id, subject, status, created_at, last_updated_at)
SELECT 'TCK-' || 1000 + n,
    CASE WHEN n % 20 = 0 THEN 'stranger' || n || '@elsewhere.example'
        ELSE 'user' || account || '@mail' || account % 7 || '.example'
    END,
    CASE WHEN n % 6 = 0 THEN NULL ELSE 'agent-' || n % 40 END,
    CASE WHEN n % 200 = 0 THEN 'Can''t play C:\Videos\new on TV ' || n
        ELSE (ARRAY['Video stutters, every evening', 'Charged "twice"', 'Someone uses my account',
            '字幕が表示されません'])[1 + n % 4] || ' #' || n
    END,
    (ARRAY['open', 'closed', 'Open', 'pending'])[1 + n % 4],
    timestamptz '2025-01-01 00:00:00+00' + pg_temp.bench_part('asked', n) * interval '300 days',
    CASE WHEN n % 4 = 0 THEN NULL
        ELSE timestamptz '2025-11-01 00:00:00+00' + pg_temp.bench_part('answered', n) * interval '20 days'
    END
FROM (
    SELECT n, 1 + floor(pg_temp.bench_part('asker', n) * scale.accounts)::bigint AS account
    FROM (SELECT greatest(1, current_setting('bench.events')::bigint / 20) AS accounts) AS scale,
        generate_series(1, greatest(1, current_setting('bench.events')::bigint / 50)) AS n
) AS drawn;

INSERT INTO ticket_tag_link (ticket_id, tag_id)
SELECT 'TCK-' || 1000 + n, 1 + (n + step * (1 + n % 7)) % 40
FROM generate_series(1, greatest(1, current_setting('bench.events')::bigint / 50)) AS n,
    generate_series(0, 1) AS step;
