/* SPDX-License-Identifier: Apache-2.0 */
/* What `sluice bench` can measure, one file each. argv[0] is "bench" or the bench's name, the rest its options. */
#ifndef SLUICE_APP_BENCHES_H
#define SLUICE_APP_BENCHES_H

int bench_eval(int argc, char **argv);
int bench_pipeline(int argc, char **argv);

#endif
