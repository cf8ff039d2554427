/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice options`: every option table, as help prints it. sluice.yaml(5) is made of this. */
#include "engine/apps/sluice/cmds.h"

#include "engine/admin/admin.h"
#include "engine/apps/sluice/wire.h"
#include "engine/base/opt.h"

#define TEXT_MAX ((size_t)1 << 20)

static void print_sources(struct buf *out)
{
    for (size_t i = 0; source_types[i]; i++) {
        buf_printf(out, "source %s (%s):\n", source_types[i]->name, source_types[i]->doc);
        opt_help(source_types[i]->options, source_types[i]->option_count, out);
    }
}

static void print_actions(struct buf *out)
{
    for (size_t i = 0; action_types[i]; i++) {
        const struct action_type *t = action_types[i];
        if (t->connection_kind && t->target_option_count) {
            buf_printf(out, "connection %s:\n", t->connection_kind);
            opt_help(t->target_options, t->target_option_count, out);
        }
        buf_printf(out, "action %s (%s):\n", t->name, t->doc);
        opt_help(t->options, t->option_count, out);
    }
}

int cmd_show_options(int argc, char **argv)
{
    bool done;
    int n = cmd_options("options", NULL, 0, argc, argv, &done);
    if (n != 0 || done)
        return done ? EXIT_OK : EXIT_USAGE;
    struct buf out;
    buf_init(&out, TEXT_MAX);
    service_conf_help(&out);
    buf_puts(&out, "lookups:\n");
    lookups_help(&out);
    buf_puts(&out, "admin:\n");
    admin_help(&out);
    print_sources(&out);
    print_actions(&out);
    bool ok = !out.failed && fwrite(out.p, 1, out.len, stdout) == out.len;
    buf_clear(&out);
    return ok ? EXIT_OK : fail("options", "cannot write the options");
}
