SELECT * FROM 'a/b'
