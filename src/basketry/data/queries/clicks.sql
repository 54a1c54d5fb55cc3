-- Products clicked or bought in the shop's lists as dense codes: a visit is a customer's day, or a list of somebody unknown.
-- inputs: events, products
-- output: baskets
-- params:
WITH codes AS (
    SELECT product_id, row_number() OVER (ORDER BY product_id) - 1 AS product
    FROM products
),
looked AS (
    SELECT DISTINCT
        product_id,
        coalesce(customer_id, '#' || list_id) AS buyer,
        min(day) OVER (PARTITION BY coalesce(customer_id || CAST(day AS VARCHAR), '#' || list_id)) AS day
    FROM events
    WHERE action = 'click' OR action = 'purchase'
),
numbered AS (
    SELECT
        product_id,
        day,
        dense_rank() OVER (ORDER BY buyer, day) - 1 AS basket,
        dense_rank() OVER (ORDER BY buyer) - 1 AS customer
    FROM looked
)
SELECT numbered.basket, codes.product, numbered.customer, numbered.day
FROM numbered
JOIN codes ON codes.product_id = numbered.product_id
ORDER BY numbered.basket, codes.product
