/* SPDX-License-Identifier: Apache-2.0 */
/* What a service manager wants to know (sd_notify(3)): nothing happens without one. Thread: control. */
#ifndef SLUICE_APP_SUPERVISOR_H
#define SLUICE_APP_SUPERVISOR_H

#include <stddef.h>

void supervisor_ready(size_t rules);
void supervisor_stopping(void);
/* Still at work: to be called at least once a second, for the watchdog (WatchdogSec= of the unit). */
void supervisor_alive(void);

#endif
