SELECT 'a' - 1 AS a, upper(NULL) AS b, {"k": cast('x' AS Int), "l": 1} AS c, [5 / 0, x] AS d,
  get_or_default(abs('x'), 1) AS fine, isUndefined(1 / 0) AS fine_too FROM 'a/b'
