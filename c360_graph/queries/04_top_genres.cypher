// title: Top three genres of each account
// description: One row for each account and place, by streams; genres with as many streams are in
// description: alphabetical order.
MATCH (a:Account)
WITH a, COLLECT {
  MATCH (a)-[:WATCHED]->(pe:PlayEvent)-[:PLAYED]->(m:Media)
  WHERE toLower(pe.action) IN ['play', 'start'] AND m.genre IS NOT NULL
  WITH m.genre AS genre, count(DISTINCT pe) AS streams
  RETURN {genre: genre, streams: streams}
  ORDER BY streams DESC, genre
  LIMIT 3
} AS top
UNWIND range(0, size(top) - 1) AS place
RETURN
  a.account_id AS account_id,
  a.email AS email,
  place + 1 AS place,
  top[place].genre AS genre,
  top[place].streams AS streams
ORDER BY account_id, place;
