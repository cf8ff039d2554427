SELECT a FROM 'a/b' WHERE b = 1 c
