// c360_graph {"format":1,"created":"2025-11-03T00:00:00+00:00","log_id":7,"rows":7,"labels":{"Person":2,"Club":3}}
// c360 {"kind":"manifest"}
CYPHER 5 MERGE (m:`_C360Load`) SET m.state = 'broken', m.content = '{"labels":{"Person":["person_id","name","joined","fee","boss"],"Club":["club_id","motto"]},"keys":{"Person":["person_id"],"Club":["club_id"]},"key_types":{"Person":["INTEGER"],"Club":["STRING"]},"table_keys":{"Person":{"hr/people":[["person_id","INTEGER"]]},"Club":{"hr/clubs":[["club_id","STRING"]]}},"property_types":{"Person":{"person_id":"INTEGER","name":"STRING","joined":"ZONED DATETIME","fee":"FLOAT","boss":"INTEGER"},"Club":{"club_id":"STRING","motto":"STRING"}},"origins":{},"extras":{},"value_labels":{},"edges":[["MEMBER_OF","Person","Club"],["REPORTS_TO","Person","Person"]],"edge_properties":{},"junction_properties":{"MEMBER_OF\\tPerson\\tClub":["since","role"]},"edge_columns":{"MEMBER_OF\\tPerson\\tClub":{"since":[["hr/members","since","DATE"]],"role":[["hr/members","role","STRING"]]}},"digests":{"hr/people":"","hr/clubs":"","hr/members":"","MEMBER_OF\\tPerson\\tClub":"ec950dbca88aa4ba08a189e88fbea6ab97f4eadd81281717ba354fb1aac324fc","REPORTS_TO\\tPerson\\tPerson":"c8d8509a57bec9340aec5eddd5f17eb1c9ea0d9fdeb45bda4ffbd54aa2f1f98f"},"nodes":{},"relationships":{},"between":{},"others":{"labels":[],"properties":{},"edges":[],"surplus_nodes":{},"surplus_relationships":{}},"rules":"","refused":{},"excluded":{}}';
// c360 {"kind":"constraint","label":"Person","properties":["person_id"]}
CYPHER 5 CREATE CONSTRAINT `c360_key_31611e10750e479c` IF NOT EXISTS FOR (n:`Person`) REQUIRE (n.`person_id`) IS UNIQUE;
// c360 {"kind":"constraint","label":"Club","properties":["club_id"]}
CYPHER 5 CREATE CONSTRAINT `c360_key_88a93c0739c78a8d` IF NOT EXISTS FOR (n:`Club`) REQUIRE (n.`club_id`) IS UNIQUE;
// c360 {"kind":"nodes","table":"hr/people","label":"Person","rows":2,"match":"(n:`Person` {`person_id`: toInteger(row[0])})"}
CYPHER 5 UNWIND split('1	Ann O\'Hara	2025-01-31 12:00:00+00	9.90	\\N
2	\\N	\\N	\\N	1', '\n') AS line WITH split(line, '\t') AS row
CREATE (:`Person` {`person_id`: toInteger(row[0]), `name`: nullIf(row[1], '\\N'), `joined`: datetime(nullIf(row[2], '\\N')), `fee`: toFloat(row[3]), `boss`: toInteger(row[4])});
// c360 {"kind":"nodes","table":"hr/clubs","label":"Club","rows":3,"match":"(n:`Club` {`club_id`: row[0]})"}
CYPHER 5 UNWIND split('chesslook \\ think\nmovegoété 🎲\tcalmnone', '\u001e') AS line WITH split(line, '\u001d') AS row
CREATE (:`Club` {`club_id`: row[0], `motto`: nullIf(row[1], '\u001c')});
// c360 {"kind":"await"}
CYPHER 5 CALL db.awaitIndexes(3600);
// c360 {"kind":"links","table":"hr/members","rows":2,"relationship_id":2,"type":"MEMBER_OF","from_label":"Person","to_label":"Club"}
CYPHER 5 UNWIND split('1	chess	2025-02-01	it\'s
2	go	\\N	\\N', '\n') AS line WITH split(line, '\t') AS row
MATCH (a:`Person` {`person_id`: toInteger(row[0])})
MATCH (b:`Club` {`club_id`: row[1]})
CREATE (a)-[:`MEMBER_OF` {`since`: date(nullIf(row[2], '\\N')), `role`: nullIf(row[3], '\\N')}]->(b);
// c360 {"kind":"relationships","relationship_id":1,"type":"REPORTS_TO","from_label":"Person","to_label":"Person","driving":"Person","lookup":"b"}
CYPHER 5 MATCH (row:`Person`)
MATCH (b:`Person` {`person_id`: row.`boss`}) USING SCAN b:`Person`
WITH row, b
CALL (row, b) { CREATE (row)-[:`REPORTS_TO`]->(b) } IN TRANSACTIONS OF 10000 ROWS;
// c360 {"kind":"manifest"}
CYPHER 5 MATCH (m:`_C360Load`) SET m.state = 'whole', m.loaded_at = datetime();
// c360_graph end 9
