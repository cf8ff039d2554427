/* SPDX-License-Identifier: Apache-2.0 */
/* Looking up the addresses of a host, with an end.
 *
 * getaddrinfo(3) takes as long as the system's resolver likes, half a minute if no name server answers, and nothing ends
 * it. Here it runs in a thread of its own that is left alone when nobody waits for it any more. */
#ifndef SLUICE_ACTIONS_NAME_LOOKUP_H
#define SLUICE_ACTIONS_NAME_LOOKUP_H

struct addrinfo;

/* As getaddrinfo(3); EAI_AGAIN as soon as end_fd is readable, EAI_MEMORY or EAI_SYSTEM if no look-up could begin. On
 * success *found is the caller's, for freeaddrinfo(3). Thread: any. */
int name_lookup(const char *node, const char *service, const struct addrinfo *hints, int end_fd,
                struct addrinfo **found);

#endif
