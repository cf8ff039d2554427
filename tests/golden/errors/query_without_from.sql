SELECT (SELECT a) AS b, isNull(SELECT c) AS d FROM 'a/b'
