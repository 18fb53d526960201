// title: The whole journey of a customer
// description: All that is known of the account with this email, in the order of time. Payment methods
// description: carry no time and come last.
// parameter: email = john.smith@email.com
MATCH (a:Account {email: $email})
CALL (a) {
  RETURN
    a.created_at AS happened_at,
    'account created' AS step,
    a.account_id AS item_id,
    coalesce(a.full_name, 'no name') AS detail,
    [] AS tags
  UNION ALL
  MATCH (a)-[:HAS_PAYMENT_METHOD]->(pm:PaymentMethod)
  RETURN
    null AS happened_at,
    'payment method' AS step,
    pm.payment_method_id AS item_id,
    coalesce(toLower(pm.card_type), 'card') + ' ending in ' + coalesce(pm.card_last_four, '?') AS detail,
    [] AS tags
  UNION ALL
  MATCH (a)-[:HAS_SUBSCRIPTION]->(s:Subscription)
  OPTIONAL MATCH (s)-[:SUBSCRIBED_TO]->(p:Plan)
  UNWIND [['subscription starts', s.starts_at], ['subscription renews', s.renews_at]] AS moment
  WITH s, p, moment
  WHERE moment[1] IS NOT NULL
  RETURN
    moment[1] AS happened_at,
    moment[0] AS step,
    s.subscription_id AS item_id,
    coalesce(p.plan_name, 'no plan') + ', ' + toLower(s.status) AS detail,
    [] AS tags
  UNION ALL
  MATCH (a)-[:WATCHED]->(pe:PlayEvent)
  OPTIONAL MATCH (pe)-[:PLAYED]->(m:Media)
  RETURN
    pe.event_timestamp AS happened_at,
    'watching' AS step,
    toString(pe.event_id) AS item_id,
    toLower(pe.action) + ' ' + coalesce(m.title, 'unknown title') + ' on '
      + coalesce(pe.device_fingerprint, 'unknown device') AS detail,
    [] AS tags
  UNION ALL
  MATCH (a)-[:SUBMITTED]->(t:Ticket)
  UNWIND [['ticket opened', t.created_at], ['ticket updated', t.last_updated_at]] AS moment
  WITH t, moment
  WHERE moment[1] IS NOT NULL
  RETURN
    moment[1] AS happened_at,
    moment[0] AS step,
    t.ticket_id AS item_id,
    coalesce(t.subject, 'no subject') + ', ' + toLower(t.status) AS detail,
    COLLECT {
      MATCH (t)-[:TAGGED_WITH]->(tag:Tag)
      RETURN tag.tag_name
      ORDER BY tag.tag_name
    } AS tags
}
RETURN happened_at, step, item_id, detail, tags
ORDER BY happened_at, step, item_id;
