SET a = 1 SELECT @a AS b FROM 'a/b'
