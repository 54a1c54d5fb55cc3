-- The distinct products of one customer's orders as dense codes, in the order of time and order.
-- inputs: order_lines, products
-- output: baskets
-- params: customer_id (pseudonym)
WITH codes AS (
    SELECT product_id, row_number() OVER (ORDER BY product_id) - 1 AS product
    FROM products
),
lines AS (
    SELECT DISTINCT order_id, product_id
    FROM order_lines
    WHERE customer_id = $customer_id
),
orders AS (
    SELECT order_id, min(ts) AS ts, min(day) AS day
    FROM order_lines
    WHERE customer_id = $customer_id
    GROUP BY order_id
),
numbered AS (
    SELECT order_id, day, row_number() OVER (ORDER BY ts, order_id) - 1 AS basket
    FROM orders
)
SELECT numbered.basket, codes.product, 0 AS customer, numbered.day
FROM lines
JOIN numbered ON numbered.order_id = lines.order_id
JOIN codes ON codes.product_id = lines.product_id
ORDER BY numbered.basket, codes.product
