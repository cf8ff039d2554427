SELECT VALUE a, b, c FROM 'a/b'
