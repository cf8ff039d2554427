SELECT topic() AS t
