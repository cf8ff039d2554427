temperature FROM 'a/b'
