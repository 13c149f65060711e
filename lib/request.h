/* SPDX-License-Identifier: ISC */
/*
 * What each request of mess-protocol(7) does, once the Input Handler has
 * checked it: the engine's face to sessions.
 */
#ifndef REQUEST_H
#define REQUEST_H

#include "session.h"

extern const struct session_handler request_handler;

/* Between the request_*.c files: a topic that the caller may use so, in use, or the error was replied. */
struct request_topic {
	const char *name;
	enum acl_right right;
	bool make;		/* in a personal spool, when missing */
};
NODISCARD enum mess_err request_find_topic(struct session *s, const struct request_topic *f,
    struct topic **out);
NODISCARD enum mess_err request_make_topic(struct session *s, const char *name, struct topic **out);

/* request_publish.c */
void request_pub(struct session *s, const struct input_item *item);
void request_pubs(struct session *s, const struct input_item *item);
void request_stream(struct session *s, const struct input_item *item);
void request_chunk(struct session *s, const char *data, size_t len);
void request_chunks_end(struct session *s);

/* request_look.c */
void request_list(struct session *s, const struct request *r);
void request_show(struct session *s, const struct request *r);
void request_stat(struct session *s, const struct request *r);

#endif
