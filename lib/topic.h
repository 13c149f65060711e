/* SPDX-License-Identifier: ISC */
/*
 * TOPIC MANAGER: names, creation, removal, settings.
 *
 * Promise: a topic is there whole or not at all, because its directory is
 * made beside and renamed into place, and leaves the same way; what was
 * deleted never comes back under the new topic of its name.
 */
#ifndef TOPIC_H
#define TOPIC_H

#include <bsd/sys/tree.h>

#include "conf_topic.h"
#include "log.h"

struct topics;
struct topic;
struct subscriptions;
struct flow;
struct ids;
struct retention;
struct quota_charge;

/* Who is told of topics: that one was opened; that all subscriptions have settled more of it. */
struct topic_hooks {
	void (*opened)(void *arg, struct topic *t);
	void (*settled)(void *arg, struct topic *t);
	void *arg;
};

/* A topic's name is known from the start; the rest is there between topic_use and topic_release. */
struct topic {
	char name[NAME_TOPIC_MAX + 1];
	struct topics *set;		/* it is one of these */
	struct conf_topic conf;
	int dir;
	struct log *log;
	struct subscriptions *subs;	/* the Subscription Manager's; loaded when first asked for */
	void (*subs_free)(struct subscriptions *subs);
	struct ids *ids;		/* of its messages; opened when first asked for */
	struct flow *flow;		/* the Delivery Service's, while there are consumers */
	struct quota_charge *charge;	/* what its owner is charged for it: quota.c's */
	struct retention *retention;	/* Retention's, while it is open; with it: */
	uint64_t max_bytes;		/* its own or the spool's limit; 0: none */
	bool limited;			/* there is something to check when messages are stored */
	uint64_t retain_due, looked_ms;	/* when to look at it, 0: never; when that was last */
	uint64_t swept_ms;		/* when what has expired was last looked for */
	uint64_t dropped_ms;		/* when its oldest were last dropped */
	TAILQ_ENTRY(topic) retain_link;
	unsigned refs;
	bool gone;			/* deleted: whoever holds it lets go */
	int watch;			/* intake's, -1: none */
	bool intake_due;
	bool intake_waits;		/* for room, or for the end of a pause */
	bool takes_finished;		/* what an earlier engine had half taken in is settled */
	TAILQ_ENTRY(topic) intake_link;
	RB_ENTRY(topic) watch_link;
	TAILQ_ENTRY(topic) open_link;	/* open ones, longest unused first */
	bool is_open;
	RB_ENTRY(topic) link;		/* by name */
};

/* Reads the names; removes what was half made. */
NODISCARD enum mess_err topics_new(struct store *s, struct topics **out);
void topics_free(struct topics *t);
struct store *topics_store(const struct topics *t);
void topics_hook(struct topics *t, const struct topic_hooks *hooks);

/* For recovery: opens the file that a journal entry names; arg is the store's directory. */
enum mess_err topic_open_target(void *arg, const struct journal_name *name, int *out);

/* Nothing to do: memory that can be read again goes back. */
void topics_rest(struct topics *t);

struct topic *topics_find(struct topics *t, const char *name);
/* The first with a name after `after` ("" for the first of all), or NULL. */
struct topic *topics_after(struct topics *t, const char *after);
unsigned topics_count(const struct topics *t);

/* Have conf, without opening: enough to tell who may see it. */
NODISCARD enum mess_err topic_look(struct topics *t, struct topic *topic);
/* Open, and hold until topic_release; MESS_CORRUPT when its files are damaged. */
NODISCARD enum mess_err topic_use(struct topics *t, struct topic *topic);
void topic_release(struct topics *t, struct topic *topic);

/*
 * Make one, with its settings (NULL: none is set).  MESS_EXISTS when it is there, MESS_DENIED when its tombstone
 * is somebody else's and the caller no administrator.
 */
struct topic_making {
	const char *name;
	uid_t owner;
	const char *login;	/* the owner's; "-" for none */
	bool admin;		/* the caller is one */
	const struct conf_topic *settings;
};
NODISCARD enum mess_err topic_make(struct topics *t, const struct topic_making *m, struct topic **out);
/* The same without settings. */
NODISCARD enum mess_err topic_create(struct topics *t, const char *name, uid_t owner,
    const char *login, bool admin, struct topic **out);

/* Every subscription has settled what is below n: it is freed, but for what the topic keeps. */
NODISCARD enum mess_err topic_settled(struct topic *topic, uint64_t n);

/* Change the settings of a topic in use; durable when this returns. */
NODISCARD enum mess_err topic_set(struct topics *t, struct topic *topic,
    const struct conf_topic *settings);

/*
 * Delete: what is gathered is committed first; durable when this returns.
 * The struct lives until its last topic_release.
 */
NODISCARD enum mess_err topic_delete(struct topics *t, struct topic *topic);

#endif
