-- What there is to read about each product, in the order of product codes.
-- inputs: products
-- output: documents
-- params:
SELECT
    product_id,
    nullif(lower(trim(concat_ws(' ', title, description, brand, subcategory, category, department, size))), '') AS text
FROM products
ORDER BY product_id
