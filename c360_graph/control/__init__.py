"""The control database: its connection, the audit tables, the load lock and whose graph it is."""
