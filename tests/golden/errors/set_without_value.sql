SET @a = SELECT @a AS b FROM 'a/b'
