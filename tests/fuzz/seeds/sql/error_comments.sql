SELECT a -- the first
     , b /* the second */ AS c
FROM 'a/b' -- done
