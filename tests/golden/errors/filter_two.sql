SELECT a FROM 'a/b', 'c/d' WHERE e == 1
