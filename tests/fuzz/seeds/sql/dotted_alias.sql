SELECT a AS state.debug, b AS state.command, *, c AS d FROM 'a/b'
