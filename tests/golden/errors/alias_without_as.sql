SELECT a b, c + 1 d FROM 'a/b'
