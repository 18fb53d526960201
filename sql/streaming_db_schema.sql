-- What is on offer and what was played. Safe to run again.
--
-- account_id_from_token is what the player's token said: there is no foreign key into profiles_db,
-- and some events name no account or one that does not exist.

CREATE TABLE IF NOT EXISTS media_content (
    media_id         varchar(40) PRIMARY KEY,
    title            text NOT NULL,
    media_type       varchar(20),
    genre            varchar(40),
    release_date     date,
    duration_minutes integer
);

CREATE TABLE IF NOT EXISTS play_events (
    event_id              bigint PRIMARY KEY,
    session_id            text,
    account_id_from_token uuid,
    media_id              varchar(40) REFERENCES media_content (media_id),
    event_timestamp       timestamptz NOT NULL,
    action                varchar(20) NOT NULL,
    ip_address            inet,
    device_fingerprint    text
);

CREATE INDEX IF NOT EXISTS play_events_account_idx ON play_events (account_id_from_token);
CREATE INDEX IF NOT EXISTS play_events_media_id_idx ON play_events (media_id);
CREATE INDEX IF NOT EXISTS play_events_event_timestamp_idx ON play_events (event_timestamp);
