-- Who the customers are and what they pay for. Safe to run again.

CREATE TABLE IF NOT EXISTS accounts (
    account_id      uuid PRIMARY KEY,
    email           text NOT NULL UNIQUE,
    hashed_password text NOT NULL,
    full_name       text,
    created_at      timestamptz NOT NULL
);

CREATE TABLE IF NOT EXISTS plans (
    plan_id     integer PRIMARY KEY,
    plan_name   text NOT NULL UNIQUE,
    monthly_fee numeric(5, 2) NOT NULL,
    max_devices integer
);

CREATE TABLE IF NOT EXISTS payment_methods (
    payment_method_id uuid PRIMARY KEY,
    account_id        uuid NOT NULL REFERENCES accounts (account_id),
    card_fingerprint  text,
    card_type         text,
    card_last_four    text
);

CREATE INDEX IF NOT EXISTS payment_methods_account_id_idx ON payment_methods (account_id);
CREATE INDEX IF NOT EXISTS payment_methods_card_fingerprint_idx
    ON payment_methods (card_fingerprint);

CREATE TABLE IF NOT EXISTS subscriptions (
    subscription_id uuid PRIMARY KEY,
    account_id      uuid NOT NULL REFERENCES accounts (account_id),
    plan_id         integer REFERENCES plans (plan_id),
    status          text NOT NULL,
    starts_at       timestamptz NOT NULL,
    renews_at       timestamptz
);

CREATE INDEX IF NOT EXISTS subscriptions_account_id_idx ON subscriptions (account_id);
CREATE INDEX IF NOT EXISTS subscriptions_plan_id_idx ON subscriptions (plan_id);
