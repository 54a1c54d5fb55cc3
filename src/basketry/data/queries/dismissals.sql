-- What known customers waved away, and when last.
-- inputs: events
-- output: dismissals
-- params: customer_id (pseudonym, or empty for everybody)
SELECT customer_id, product_id, max(day) AS day
FROM events
WHERE action = 'dismissal' AND customer_id IS NOT NULL AND ($customer_id = '' OR customer_id = $customer_id)
GROUP BY customer_id, product_id
ORDER BY customer_id, product_id
