SELECT a, b AS c FROM 'a/b' WHERE d = 'x
