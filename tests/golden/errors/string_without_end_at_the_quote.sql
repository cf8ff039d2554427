SELECT a FROM 'a/b' WHERE d = '
