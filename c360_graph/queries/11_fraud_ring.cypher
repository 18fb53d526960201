// title: Users who share a card with a hacked account and an IP address with others
// description: A hacked account has submitted a ticket tagged hacked. Of the users who pay with the
// description: same card as another account that was hacked: how many there are, how many of them
// description: have also used an IP address that some other account has used, and who these are.
// parameter: hacked_tag = hacked
// headline: users = users share a payment method with a hacked account and an IP address with others
MATCH (a:Account)-[:HAS_PAYMENT_METHOD]->(pm:PaymentMethod)
WHERE pm.card_fingerprint IS NOT NULL
WITH pm.card_fingerprint AS card_fingerprint, collect(DISTINCT a) AS sharers
WHERE size(sharers) > 1
WITH sharers, [
  sharer IN sharers
  WHERE EXISTS {
    MATCH (sharer)-[:SUBMITTED]->(:Ticket)-[:TAGGED_WITH]->(tag:Tag)
    WHERE toLower(tag.tag_name) = toLower($hacked_tag)
  }
] AS hacked
UNWIND sharers AS user
WITH user, hacked
WHERE any(other IN hacked WHERE other <> user)
WITH collect(DISTINCT user) AS card_sharers
CALL (card_sharers) {
  UNWIND card_sharers AS user
  MATCH (user)-[:WATCHED]->(pe:PlayEvent)
  RETURN collect(DISTINCT pe.ip_address) AS ip_addresses
}
CALL (card_sharers, ip_addresses) {
  MATCH (a:Account)-[:WATCHED]->(pe:PlayEvent)
  WHERE pe.ip_address IN ip_addresses
  WITH pe.ip_address AS ip_address, collect(DISTINCT a) AS users
  WHERE size(users) > 1
  UNWIND users AS user
  WITH DISTINCT user
  WHERE user IN card_sharers
  WITH user.email AS email
  ORDER BY email
  RETURN collect(email) AS emails
}
RETURN size(emails) AS users, size(card_sharers) AS users_sharing_a_card, emails;
