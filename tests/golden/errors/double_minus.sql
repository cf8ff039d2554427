SELECT a --1 AS b FROM 'a/b'
