SELECT * FROM 'a/b' WHERE a IN (1, 2, 3)
