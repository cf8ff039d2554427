SELECT a.b = NULL AS a, NULL = get(*, 'my-key') AS b, a <> NULL AS fine, get(a, 0) = NULL AS fine FROM 'a/b' WHERE x = NULL
