/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/mqtt/pace.h"

/* A stretch of naps of one length is over: is another length better? */
static void change_length(struct pace *p, uint64_t now_ms)
{
    unsigned before = p->brought_before;
    bool is_due = now_ms >= p->next_try_ms;
    p->brought_before = 0;
    if (before && p->brought < 2 * before - before / 4) { /* twice as long brought clearly less than twice as much */
        p->doublings--;
        p->next_try_ms = now_ms + PACE_TRY_MS;
    } else if (is_due && p->doublings == PACE_DOUBLINGS) { /* from time to time: is a shorter one still worse? */
        p->doublings--;
        p->next_try_ms = 0;
    } else if (is_due) {
        p->brought_before = p->brought;
        if (++p->doublings == PACE_DOUBLINGS)
            p->next_try_ms = now_ms + PACE_TRY_MS;
    }
    p->tried = p->brought = 0;
}

static void wake_up(struct pace *p)
{
    p->napped = false;
    p->doublings = p->tried = p->brought = p->brought_before = 0;
    p->next_try_ms = 0;
}

static bool is_worth_a_nap(struct pace *p, uint64_t now_ms, unsigned taken)
{
    if (now_ms != p->tick_ms)
        p->wakes = 0;
    p->tick_ms = now_ms;
    if (++p->wakes >= PACE_WAKES || (p->poor && taken >= PACE_FEW))
        p->poor = PACE_POOR;
    else if (p->poor)
        p->poor--;
    return p->poor;
}

unsigned pace_nap_ms(struct pace *p, uint64_t now_ms, unsigned taken)
{
    if (!is_worth_a_nap(p, now_ms, taken)) {
        wake_up(p);
        return 0;
    }
    if (p->napped) {
        p->brought += taken;
        if (++p->tried == PACE_TRIED)
            change_length(p, now_ms);
    }
    p->napped = taken < PACE_ENOUGH;
    return p->napped ? PACE_NAP_MS << p->doublings : 0;
}
