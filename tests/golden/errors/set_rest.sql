SET @a = 1 2 SELECT @a AS b FROM 'a/b'
