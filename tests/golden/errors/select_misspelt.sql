SELCT a, b != c AS d FROM 'a/b'
