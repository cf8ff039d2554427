SELECT value, value AS timestamp, a.from.select AS from, TRIM(b), clientId() FROM 'a/b' WHERE value.time = 1
