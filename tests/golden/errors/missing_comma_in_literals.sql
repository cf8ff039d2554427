SELECT [1 2, 3] AS a, {'b': 1 'c': 2, 'd' : 3} AS e FROM 'a/b'
