UPDATE tickets SET subject = md5(clock_timestamp()::text || ticket_id)
WHERE ticket_id IN (SELECT ticket_id FROM tickets TABLESAMPLE BERNOULLI (0.1));
