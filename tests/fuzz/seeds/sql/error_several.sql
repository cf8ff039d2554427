SET @a = 1,
    b = 2
SELECT clientident() AS client,
       temp != 3 AS warm,
       reading[0] AS first
FROM plant/#
WHERE note LIKE 'x%' OR c IS NULL
ORDER BY client
