-- Whose history each row of `histories` is: everybody who has orders or purchases, in its order.
-- inputs: order_lines, events
-- output: buyers
-- params:
WITH everybody AS (
    SELECT coalesce(min(customer_id), '#' || order_id) AS buyer, min(customer_id) AS customer_id
    FROM order_lines
    GROUP BY order_id
    UNION
    SELECT customer_id AS buyer, customer_id
    FROM events
    WHERE action = 'purchase' AND customer_id IS NOT NULL
)
SELECT row_number() OVER (ORDER BY buyer) - 1 AS customer, customer_id
FROM everybody
ORDER BY customer
