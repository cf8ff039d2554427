SELECT a.'my-key' AS b FROM 'a/b'
