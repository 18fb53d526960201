SELECT
    media_id,
    title,
    genre,
    starts,
    completions,
    viewers,
    round(100.0 * completions / starts, 2)::float8 AS completion_rate
FROM (
    SELECT
        m.media_id,
        m.title,
        m.genre,
        count(*) FILTER (WHERE lower(pe.action) IN ('play', 'start')) AS starts,
        count(*) FILTER (WHERE lower(pe.action) = 'finish') AS completions,
        count(DISTINCT a.account_id) AS viewers
    FROM media_content AS m
    JOIN play_events AS pe USING (media_id)
    LEFT JOIN accounts AS a ON a.account_id = pe.account_id_from_token
    GROUP BY m.media_id, m.title, m.genre
) AS played
WHERE starts > 0
ORDER BY starts DESC, completions DESC, media_id COLLATE "C"
LIMIT 10;
