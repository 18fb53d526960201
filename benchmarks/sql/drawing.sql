-- What the rows are drawn from: a number in [0, 1) and a uuid, each a function of the seed, a word
-- and a number. In pg_temp, so that they are no part of a source.

CREATE FUNCTION pg_temp.bench_part(word text, n bigint) RETURNS double precision
    LANGUAGE sql STABLE
    RETURN ('x' || substr(md5(current_setting('bench.seed') || word || n), 1, 8))::bit(32)::bigint
        / 4294967296.0::double precision;

CREATE FUNCTION pg_temp.bench_uuid(word text, n bigint) RETURNS uuid
    LANGUAGE sql STABLE
    RETURN md5(current_setting('bench.seed') || word || n)::uuid;
