SET @c = (temp - 32) * 5 / 9, @o = {'c': @c, 'raw': temp} SELECT @c AS celsius, @o.raw, @o FROM 'device/data' WHERE @c > 20
