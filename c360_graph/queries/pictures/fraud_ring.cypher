// title: The fraud ring
// description: Users who pay with the same card as another account that was hacked, and have used an IP
// description: address that some other account has used too. Drawn with the cards and addresses that
// description: tie them to others, and with the tickets that reported the hacks.
// parameter: hacked_tag = hacked
// parameter: most_users = 40
// parameter: most_links = 10
MATCH (a:Account)-[:HAS_PAYMENT_METHOD]->(pm:PaymentMethod)
WHERE pm.card_fingerprint IS NOT NULL
WITH pm.card_fingerprint AS card, collect(DISTINCT a) AS sharers
WHERE size(sharers) > 1
WITH card, sharers, [
  sharer IN sharers
  WHERE EXISTS {
    MATCH (sharer)-[:SUBMITTED]->(:Ticket)-[:TAGGED_WITH]->(tag:Tag)
    WHERE toLower(tag.tag_name) = toLower($hacked_tag)
  }
] AS hacked
UNWIND sharers AS user
WITH card, hacked, user
WHERE any(other IN hacked WHERE other <> user)
WITH
  collect({user: user, card: card, hacked: hacked[..$most_links]}) AS card_ties,
  collect(DISTINCT user) AS card_sharers
CALL (card_sharers) {
  UNWIND card_sharers AS user
  MATCH (user)-[:WATCHED]->(pe:PlayEvent)
  RETURN collect(DISTINCT pe.ip_address) AS addresses
}
CALL (card_sharers, addresses) {
  MATCH (a:Account)-[:WATCHED]->(pe:PlayEvent)
  WHERE pe.ip_address IN addresses
  WITH pe.ip_address AS address, collect(DISTINCT a) AS users
  WHERE size(users) > 1
  WITH address, users, [user IN users WHERE user IN card_sharers] AS sharers
  UNWIND sharers AS user
  RETURN address, user, [other IN users WHERE other <> user][..$most_links] AS others
}
WITH card_ties, user, collect({address: address, others: others})[..$most_links] AS address_ties
ORDER BY user.email
LIMIT $most_users
WITH card_ties, collect(user) AS ring, collect({user: user, ties: address_ties}) AS ring_ties
CALL (card_ties, ring, ring_ties) {
  UNWIND card_ties AS tie
  WITH tie
  WHERE tie.user IN ring
  UNWIND [tie.user] + tie.hacked AS account
  RETURN
    account,
    'pays with' AS relationship,
    {id: 'card ' + tie.card, kind: 'Card', caption: tie.card} AS target
  UNION
  UNWIND ring_ties AS ring_tie
  UNWIND ring_tie.ties AS tie
  UNWIND [ring_tie.user] + tie.others AS account
  RETURN
    account,
    'used' AS relationship,
    {id: 'address ' + tie.address, kind: 'IP address', caption: tie.address} AS target
  UNION
  UNWIND card_ties AS tie
  WITH tie
  WHERE tie.user IN ring
  UNWIND tie.hacked AS account
  MATCH (account)-[:SUBMITTED]->(ticket:Ticket)-[:TAGGED_WITH]->(tag:Tag)
  WHERE toLower(tag.tag_name) = toLower($hacked_tag)
  RETURN
    account,
    'reported' AS relationship,
    {
      id: 'ticket ' + ticket.ticket_id,
      kind: 'Ticket',
      caption: ticket.ticket_id,
      details: properties(ticket)
    } AS target
}
WITH ring, account, relationship, target, EXISTS {
  MATCH (account)-[:SUBMITTED]->(:Ticket)-[:TAGGED_WITH]->(tag:Tag)
  WHERE toLower(tag.tag_name) = toLower($hacked_tag)
} AS was_hacked
RETURN
  {
    id: 'account ' + account.account_id,
    kind: CASE
      WHEN account IN ring THEN 'User in the ring'
      WHEN was_hacked THEN 'Hacked account'
      ELSE 'Other account'
    END,
    caption: account.email,
    details: properties(account)
  } AS source,
  relationship,
  target
ORDER BY source.kind, source.id, relationship, target.id;
