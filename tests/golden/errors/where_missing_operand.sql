SELECT a FROM 'a/b' WHERE b =
