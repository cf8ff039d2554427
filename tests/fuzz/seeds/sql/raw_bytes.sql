SELECT encode(*, 'base64') AS data, timestamp() AS t FROM 'a/b'
