SELECT a AS b FROM 'a/b" WHERE c = 'd'
