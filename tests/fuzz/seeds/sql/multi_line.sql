SELECT a,
       b
         AS c
FROM 'a/b'
WHERE d = 1
  AND e = 2
