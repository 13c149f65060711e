/* SPDX-License-Identifier: ISC */
/*
 * Who is calling: what a uid, which the kernel told at connect, is called.
 */
#ifndef AUTH_H
#define AUTH_H

#include "base/sock.h"
#include "conf.h"

/* The login of a uid, looked up when a topic is made: "" if it has none that fits. */
void auth_login(uid_t uid, char *login, size_t size);

#endif
