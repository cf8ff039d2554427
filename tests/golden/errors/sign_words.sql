SELECT a ÷ b AS c, d × e AS f FROM 'a/b'
