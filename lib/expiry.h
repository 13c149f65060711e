/* SPDX-License-Identifier: ISC */
/*
 * What has expired and nobody passed by yet: settled when somebody looks.
 *
 * Promise: a look reads little where nothing has expired, and a bounded part
 * of what has, however much there is.
 */
#ifndef EXPIRY_H
#define EXPIRY_H

#include "log_read.h"
#include "subscription.h"

/*
 * Of each subscription of a topic in use, what waits first and has expired
 * is settled as expired, in the commit being gathered: about so many bytes
 * of messages at most, of all of them together.  What lies behind one that has not stays.
 */
void expiry_sweep(struct topic *t, struct log_reader *r, size_t bytes);

/* Has this message expired, and nobody has it in hand?  Then it is never handed out. */
bool expiry_is_over(struct topic *t, uint64_t seq);

#endif
