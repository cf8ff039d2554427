SELECT [1, {'a': (2 FROM 'a/b'
