SELECT get_thing_shadow('t', topic()) AS a,
 get_or_default(x, get_or_default(aws_lambda('arn', 1), 2)) AS b,
 machinelearning_predict('m', 'r' + x, *) AS c FROM 'a/b'
