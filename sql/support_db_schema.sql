-- What customers asked for help with. Safe to run again.
--
-- customer_email is what the sender wrote: there is no foreign key into profiles_db, and some
-- addresses belong to no account.

CREATE TABLE IF NOT EXISTS ticket_tags (
    tag_id   integer PRIMARY KEY,
    tag_name text NOT NULL UNIQUE
);

CREATE TABLE IF NOT EXISTS tickets (
    ticket_id       varchar(40) PRIMARY KEY,
    customer_email  text,
    agent_id        text,
    subject         text,
    status          varchar(20) NOT NULL,
    created_at      timestamptz NOT NULL,
    last_updated_at timestamptz
);

CREATE INDEX IF NOT EXISTS tickets_customer_email_idx ON tickets (customer_email);

CREATE TABLE IF NOT EXISTS ticket_tag_link (
    ticket_id varchar(40) REFERENCES tickets (ticket_id),
    tag_id    integer REFERENCES ticket_tags (tag_id),
    PRIMARY KEY (ticket_id, tag_id)
);

CREATE INDEX IF NOT EXISTS ticket_tag_link_tag_id_idx ON ticket_tag_link (tag_id);
