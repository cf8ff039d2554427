/* SPDX-License-Identifier: Apache-2.0 */
/* Entry point: finds the command in the table and runs it. */
#include "engine/apps/sluice/cmds.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A standard descriptor that is closed would be given to the next file or socket that is opened, and that would get what
 * is printed: each missing one becomes /dev/null. open() takes the lowest that is free. */
static int open_missing_standard(void)
{
    for (;;) {
        int fd = open("/dev/null", O_RDWR);
        if (fd < 0)
            return -1;
        if (fd > STDERR_FILENO)
            return close(fd);
    }
}

static void print_help(FILE *out)
{
    fputs("sluice runs SQL rules on MQTT messages, in the language of AWS IoT Core rules.\n\n"
          "usage: sluice COMMAND [options]\n\n",
          out);
    for (size_t i = 0; i < cmd_count; i++)
        fprintf(out, "  %-9s %s\n", cmds[i].name, cmds[i].doc);
    fputs("\n`sluice COMMAND --help` tells more; `sluice --version` prints the version.\n", out);
}

static int unknown_command(const char *name)
{
    const char *names[32];
    size_t n = 0;
    for (; n < cmd_count && n < 32; n++)
        names[n] = cmds[n].name;
    const char *near = nearest_word(name, strlen(name), names, n);
    fprintf(stderr, "sluice: unknown command \"%s\"\n", name);
    if (near)
        fprintf(stderr, "hint: did you mean \"%s\"?\n", near);
    fputs("`sluice --help` lists the commands\n", stderr);
    return EXIT_USAGE;
}

static int run(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("sluice " SLUICE_VERSION);
        return EXIT_OK;
    }
    bool help = strcmp(argv[1], "help") == 0;
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || (help && argc == 2)) {
        print_help(stdout);
        return EXIT_OK;
    }
    const struct cmd *cmd = cmd_find(argv[help ? 2 : 1]);
    if (!cmd)
        return unknown_command(argv[help ? 2 : 1]);
    if (help) {
        cmd_print_help(cmd, stdout);
        return EXIT_OK;
    }
    return cmd->run(argc - 1, argv + 1);
}

/* Output that was lost is no success, whatever the command says. */
static int finish(int code)
{
    bool lost = ferror(stdout) != 0;
    if (fflush(stdout) != 0 || lost) {
        fprintf(stderr, "sluice: could not write standard output%s%s\n", errno ? ": " : "",
                errno ? strerror(errno) : "");
        return code == EXIT_OK ? EXIT_FAILED : code;
    }
    return code;
}

int main(int argc, char **argv)
{
    if (open_missing_standard() < 0)
        return EXIT_FAILED;
    setlocale(LC_ALL, "C");
    signal(SIGPIPE, SIG_IGN);
    int code = run(argc, argv);
    errno = 0;
    return finish(code);
}
