SELECT clientid() AS client, topic(2) AS site, *
FROM 'plant/+/telemetry' WHERE temperature > 80
