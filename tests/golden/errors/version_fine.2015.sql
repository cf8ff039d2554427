SELECT VALUE cast(a AS double) FROM 'a/b'
