SELECT get_secret(a, 3) AS b, aws_lambda('arn', *) AS c FROM 'a/b'
