SELECT temperature FROM plant/+/telemetry/# WHERE temperature != 3
