-- Products of each order with what they were sold for, coded and ordered as in baskets.
-- inputs: order_lines, products
-- output: basket_values
-- params: since (first instant taken, ISO 8601)
WITH codes AS (
    SELECT product_id, row_number() OVER (ORDER BY product_id) - 1 AS product
    FROM products
),
lines AS (
    SELECT order_id, product_id, sum(units) AS units, sum(amount) AS amount
    FROM order_lines
    WHERE ts >= CAST($since AS TIMESTAMPTZ)
    GROUP BY order_id, product_id
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
SELECT
    numbered.basket,
    codes.product,
    numbered.customer,
    numbered.day,
    CAST(lines.units AS DECIMAL(18, 3)) AS units,
    CAST(lines.amount AS DECIMAL(18, 4)) AS amount
FROM lines
JOIN numbered ON numbered.order_id = lines.order_id
JOIN codes ON codes.product_id = lines.product_id
ORDER BY numbered.basket, codes.product
