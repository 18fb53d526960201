"""Identity resolution: which records of several tables are of one entity, found out of core in the join engine."""
