SELECT lpad(a, 3) AS b, aws_lambda('arn', *) AS c FROM 'a/b'
