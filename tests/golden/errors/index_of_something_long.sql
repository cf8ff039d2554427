SELECT (CASE something WHEN 'a rather long text' THEN list ELSE other END)[0] AS a FROM 'a/b'
