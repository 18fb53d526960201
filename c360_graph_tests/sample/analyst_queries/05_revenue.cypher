MATCH (p:Plan)<-[:SUBSCRIBED_TO]-(s:Subscription)
WHERE s.status IN ['active', 'Active']
WITH p, count(s) AS subscriptions
RETURN p.plan_name AS plan, subscriptions, toFloat(p.monthly_fee) * subscriptions AS monthly_revenue
ORDER BY monthly_revenue DESC, plan;
