SELECT a FROM 'plant+/#/x#/+a'
