-- Distinct products of each order as dense codes, ordered by customer, time and order.
-- inputs: order_lines, products
-- output: baskets
-- params: since (first instant taken, ISO 8601)
WITH codes AS (
    SELECT product_id, row_number() OVER (ORDER BY product_id) - 1 AS product
    FROM products
),
lines AS (
    SELECT DISTINCT order_id, product_id
    FROM order_lines
    WHERE ts >= CAST($since AS TIMESTAMPTZ)
),
orders AS (
    SELECT order_id, coalesce(min(customer_id), '#' || order_id) AS buyer, min(ts) AS ts, min(day) AS day
    FROM order_lines
    WHERE ts >= CAST($since AS TIMESTAMPTZ)
    GROUP BY order_id
),
numbered AS (
    SELECT
        order_id,
        day,
        row_number() OVER (ORDER BY buyer, ts, order_id) - 1 AS basket,
        dense_rank() OVER (ORDER BY buyer) - 1 AS customer
    FROM orders
)
SELECT numbered.basket, codes.product, numbered.customer, numbered.day
FROM lines
JOIN numbered ON numbered.order_id = lines.order_id
JOIN codes ON codes.product_id = lines.product_id
ORDER BY numbered.basket, codes.product
