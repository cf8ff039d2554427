SELECT a FROM '$aws/rules/overheat/x'
