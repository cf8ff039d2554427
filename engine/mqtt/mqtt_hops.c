/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/mqtt/mqtt_hops.h"

#include <string.h>

bool mqtt_hops_read(const char *name, size_t name_len, const char *value, size_t value_len, unsigned *hops)
{
    if (name_len != sizeof(MQTT_HOPS_NAME) - 1 || memcmp(name, MQTT_HOPS_NAME, name_len) != 0)
        return false;
    if (value_len < 1 || value_len > MQTT_HOPS_DIGITS)
        return false;
    unsigned n = 0;
    for (size_t i = 0; i < value_len; i++) {
        if (value[i] < '0' || value[i] > '9')
            return false;
        n = n * 10 + (unsigned)(value[i] - '0');
    }
    *hops = n > *hops ? n : *hops;
    return true;
}
