SELECT a WHERE b == 1 FROM 'a/b'
