/* SPDX-License-Identifier: Apache-2.0 */
/* The other side of contract_http and contract_lambda: the server keeps the numbers that it was sent, gives them as
 * lines of text at GET /numbers and forgets them at DELETE /numbers. */
#ifndef SLUICE_TESTS_CONTRACT_HTTP_NUMBERS_H
#define SLUICE_TESTS_CONTRACT_HTTP_NUMBERS_H

#include <stddef.h>

/* base: "http://127.0.0.1:8080"; kept. Aborts on any failure, as the others do. */
void http_numbers_open(const char *base);
void http_numbers_close(void);
void http_numbers_forget(void);
size_t http_numbers_read(int *numbers, size_t max);

#endif
