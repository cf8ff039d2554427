SELECT VALUE [a, 1, [b]] FROM 'a/b'
