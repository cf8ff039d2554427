SELECT a[0] AS x, b.c[i + 1].d AS y, get(a, 0)[1] FROM 'a/b'
