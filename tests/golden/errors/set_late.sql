SELECT a FROM 'a/b' SET @a = 1
