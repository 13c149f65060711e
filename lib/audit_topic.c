/* SPDX-License-Identifier: ISC */
/*
 * The topic mess.audit.
 *
 * A refusal is no reason for a sync of its own: its line goes with the next
 * commit that somebody needs, or after a second alone.
 */
#include "audit_topic.h"

#include <unistd.h>

#include "limit.h"
#include "retention.h"
#include "subscription.h"

#define WRITE_MS 1000

struct audit_topic {
	struct audit_topic_setup setup;
	struct topic *topic;		/* in use; NULL: it cannot be */
	struct loop_timer timer;
	bool due;
	struct mess_peer self;
};

/* --- making it ---------------------------------------------------------- */

static enum mess_err
make(struct audit_topic *a, struct topic **out)
{
	struct conf_topic settings = { .max_age = LIMIT_AUDIT_SECONDS, .max_bytes = LIMIT_AUDIT_BYTES,
		.full_drop = true, .describe = "what was decided: sessions, refusals, changes" };
	const char *login = auth_login(a->setup.owner);
	struct topic_making making = { .name = AUDIT_TOPIC, .owner = a->setup.owner, .admin = true,
		.login = login[0] == '\0' ? "-" : login, .settings = &settings };

	return topic_make(a->setup.topics, &making, out);
}

/* As every topic of a system spool has it; a crash may have come between the two. */
static enum mess_err
have_default(struct topic *t)
{
	struct subscription_setup setup = { .name = "default", .owner = t->conf.uid, .match = "",
		.from = log_first(t->log) };
	struct subscriptions *set;
	struct subscription *sub;
	enum mess_err err;

	if (log_next(t->log) > 1)
		return MESS_OK;
	if ((err = subscriptions_of(t, &set)) != MESS_OK || subscription_find(set, setup.name) != NULL)
		return err;
	return subscription_make(t, &setup, &sub);
}

static enum mess_err
open_topic(struct audit_topic *a)
{
	struct topic *t = topics_find(a->setup.topics, AUDIT_TOPIC);
	enum mess_err err;

	if ((t == NULL && (err = make(a, &t)) != MESS_OK) ||
	    (err = topic_use(a->setup.topics, t)) != MESS_OK)
		return err;
	if ((err = have_default(t)) != MESS_OK) {
		topic_release(a->setup.topics, t);
		return err;
	}
	a->topic = t;
	return MESS_OK;
}

static void
fire(void *arg)
{
	struct audit_topic *a = arg;

	a->due = true;
	audit_tell(a->setup.audit, false);
}

enum mess_err
audit_topic_new(const struct audit_topic_setup *setup, struct audit_topic **out)
{
	struct audit_topic *a = calloc(1, sizeof *a);
	enum mess_err err;

	if (a == NULL)
		return MESS_LIMIT;
	*a = (struct audit_topic){ .setup = *setup,
		.self = { .uid = getuid(), .gid = getgid(), .pid = getpid() } };
	a->timer = (struct loop_timer){ .fire = fire, .arg = a };
	/* Messages are served without it, aloud; its lines are still said. */
	if ((err = open_topic(a)) != MESS_OK)
		store_say(topics_store(setup->topics), "cannot write to " AUDIT_TOPIC ": %s", mess_strerror(err));
	*out = a;
	return MESS_OK;
}

void
audit_topic_free(struct audit_topic *a)
{
	if (a == NULL)
		return;
	loop_timer_clear(a->setup.loop, &a->timer);
	topic_release(a->setup.topics, a->topic);
	free(a);
}

/* --- writing ------------------------------------------------------------ */

static void
write_all(struct audit_topic *a)
{
	struct mess_message msg = { .headers = "" };
	const char *line;
	uint64_t seq;

	if (a->topic == NULL)
		return;
	while ((line = audit_next(a->setup.audit, &msg.body_len)) != NULL) {
		msg.body = line;
		if (log_append(a->topic->log, &a->self, &msg, &seq) != MESS_OK)
			break; /* it waits; when too many do they are counted */
		audit_taken(a->setup.audit);
	}
	retention_stored(a->topic);
}

void
audit_topic_write(struct audit_topic *a, bool all)
{
	if (a == NULL || audit_is_idle(a->setup.audit))
		return;
	if (all || a->due || audit_has_change(a->setup.audit) ||
	    !store_is_clean(topics_store(a->setup.topics))) {
		a->due = false;
		write_all(a);
	}
	if (!a->timer.set && !audit_is_idle(a->setup.audit))
		loop_timer_set(a->setup.loop, &a->timer, WRITE_MS);
}
