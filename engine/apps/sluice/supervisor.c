/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/apps/sluice/supervisor.h"

#include <systemd/sd-daemon.h>

void supervisor_ready(size_t rules)
{
    sd_notifyf(0, "READY=1\nSTATUS=Running %zu rule%s", rules, rules == 1 ? "" : "s");
}

void supervisor_stopping(void)
{
    sd_notify(0, "STOPPING=1\nSTATUS=Waiting for what is in flight");
}

void supervisor_alive(void)
{
    sd_notify(0, "WATCHDOG=1");
}
