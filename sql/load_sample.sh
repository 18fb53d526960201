#!/usr/bin/env bash
# The sample databases on the PostgreSQL that PGHOST, PGUSER and so on name. Safe to run again.
set -euo pipefail
cd "$(dirname "$0")"
run() { psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 "$@"; }

for database in profiles_db streaming_db support_db etl_control_db; do
    if [ -z "$(run -d postgres -Atc "SELECT 1 FROM pg_database WHERE datname = '$database'")" ]; then
        createdb --encoding=UTF8 --template=template0 "$database"
    fi
    PGOPTIONS='-c client_min_messages=warning' \
        run -d "$database" -f "${database}_schema.sql" -f "${database}_sample_data.sql"
done
