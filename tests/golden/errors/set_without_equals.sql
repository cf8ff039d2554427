SET @a 1, @b := 2 SELECT @a AS b FROM 'a/b'
