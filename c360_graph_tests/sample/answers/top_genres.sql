SELECT account_id::text AS account_id, email, place, genre, streams
FROM (
    SELECT
        a.account_id,
        a.email,
        m.genre,
        count(*) AS streams,
        row_number() OVER (
            PARTITION BY a.account_id ORDER BY count(*) DESC, m.genre COLLATE "C"
        ) AS place
    FROM accounts AS a
    JOIN play_events AS pe ON pe.account_id_from_token = a.account_id
    JOIN media_content AS m USING (media_id)
    WHERE lower(pe.action) IN ('play', 'start') AND m.genre IS NOT NULL
    GROUP BY a.account_id, a.email, m.genre
) AS ranked
WHERE place <= 3
ORDER BY account_id::text COLLATE "C", place;
