SELECT * FROM 'a/b' WHERE a > 1 AND false
