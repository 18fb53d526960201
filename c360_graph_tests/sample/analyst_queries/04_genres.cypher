MATCH (a:Account)-[:WATCHED]->(pe:PlayEvent)-[:PLAYED]->(m:Media)
WHERE pe.action IN ['play', 'START', 'start']
WITH a, m.genre AS genre, count(*) AS plays
ORDER BY a.email, plays DESC, genre
WITH a, collect({genre: genre, plays: plays})[0..3] AS top_genres
RETURN a.email AS email, top_genres
ORDER BY email;
