CREATE TABLE resting (id integer PRIMARY KEY);
