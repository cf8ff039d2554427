SELECT a, a.b AS ab, *.a.b.c, get(*, 'my-key').x AS k, get(a, 'b') AS g, get(*, '0') AS z, get(get(a, 'x y'), 'q') AS q FROM 'a/b'
