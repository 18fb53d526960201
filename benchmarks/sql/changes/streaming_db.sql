-- Half of the changed play events were of another medium, so that relationships move.
UPDATE play_events SET session_id = md5(clock_timestamp()::text || event_id)
WHERE event_id IN (SELECT event_id FROM play_events TABLESAMPLE BERNOULLI (0.05));
UPDATE play_events
SET media_id = (SELECT media_id FROM media_content WHERE media_id <> play_events.media_id ORDER BY md5(media_id || event_id) LIMIT 1)
WHERE media_id IS NOT NULL AND event_id IN (SELECT event_id FROM play_events TABLESAMPLE BERNOULLI (0.05));
