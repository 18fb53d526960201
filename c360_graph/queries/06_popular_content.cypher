// title: Most popular content
// description: The ten titles that were started most, with how often they were watched to the end, by
// description: how many accounts, and completions for each hundred starts.
MATCH (m:Media)
CALL (m) {
  MATCH (pe:PlayEvent)-[:PLAYED]->(m)
  RETURN
    count(DISTINCT CASE WHEN toLower(pe.action) IN ['play', 'start'] THEN pe END) AS starts,
    count(DISTINCT CASE WHEN toLower(pe.action) = 'finish' THEN pe END) AS completions
}
WITH m, starts, completions
WHERE starts > 0
ORDER BY starts DESC, completions DESC, m.media_id
LIMIT 10
RETURN
  m.media_id AS media_id,
  m.title AS title,
  m.genre AS genre,
  starts,
  completions,
  COUNT {
    MATCH (a:Account)-[:WATCHED]->(:PlayEvent)-[:PLAYED]->(m)
    RETURN DISTINCT a
  } AS viewers,
  round(100.0 * completions / starts, 2) AS completion_rate
ORDER BY starts DESC, completions DESC, media_id;
