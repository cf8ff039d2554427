SELECT {'a': a, 'rest': *} FROM 'a/b'
